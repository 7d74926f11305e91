"""Recipes to files and back: the one place where strings become classes."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from bascule.data.augment import Affine, Flip
from bascule.data.bands import Bands
from bascule.data.domains import TwoSets
from bascule.data.faces import Faces
from bascule.data.fractals import Fractals
from bascule.data.imported import Imported
from bascule.data.inner import TrainingPart
from bascule.data.local_contrast import LocalContrast
from bascule.data.pairs import CartoonPair
from bascule.data.standard import Standardise
from bascule.data.whitening import Whiten
from bascule.data.window import Window
from bascule.errors import Refusal, unknown
from bascule.interventions import INTERVENTIONS, Intervention
from bascule.interventions.foreign import foreign
from bascule.laws import Anneal, Cosine, Uniform
from bascule.models.aae import AAE
from bascule.models.biggan import BigGAN, BigGANDeep
from bascule.models.cut import CUT
from bascule.models.cyclegan import CycleGAN
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.hybrids import SDPCGAN, SDPCCritic
from bascule.models.pix2pix import Pix2Pix
from bascule.models.r3gan import R3GAN
from bascule.models.sagan import SAGAN
from bascule.models.sdpc import SDPC, Inference, Layer
from bascule.models.sngan import SNGAN
from bascule.models.wgan_gp import WGANGP
from bascule.objectives import Objective, TopK
from bascule.penalties import PENALTIES
from bascule.training.aae import AAERecipe
from bascule.training.contrastive import ContrastiveRecipe
from bascule.training.cycle import CycleRecipe
from bascule.training.gan import Recipe
from bascule.training.hybrid import HybridRecipe
from bascule.training.paired import PairedRecipe
from bascule.training.sdpc import SDPCRecipe
from bascule.typed import checked, hints

CLASSES: dict[str, type] = {
    c.__name__: c
    for c in (
        *(Recipe, Faces, Fractals, Imported, TrainingPart, TwoSets, CartoonPair),
        *(CycleRecipe, CycleGAN, ContrastiveRecipe, CUT, PairedRecipe, Pix2Pix),
        *(Flip, Affine, Objective, TopK, *PENALTIES),
        *(DCGAN, DCGANW9, SNGAN, SAGAN, WGANGP, BigGAN, BigGANDeep, R3GAN),
        *(Uniform, Anneal, Cosine),
        *(AAERecipe, AAE, SDPCRecipe, SDPC, Layer, Inference),
        *(HybridRecipe, SDPCGAN, SDPCCritic),
        *(Bands, Whiten, LocalContrast, Standardise, Window),
        *INTERVENTIONS,
    )
}


def encode(value: Any, brief: bool = False) -> Any:
    """Plain JSON values for a recipe or any part of it.

    ``brief``: without fields that came :func:`bascule.typed.later` and have their default.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = {"is": type(value).__name__}
        for f in _fields(type(value)):
            part = getattr(value, f.name)
            if not (brief and f.metadata.get("later") and part == f.default):
                told[f.name] = encode(part, brief)
        return told
    if isinstance(value, tuple | list):
        return [encode(v, brief) for v in value]
    if isinstance(value, Intervention):
        raise Refusal(
            f"{type(value).__name__} cannot be kept in a file: put @dataclass(frozen=True) above it"
        )
    return value


def decode(plain: Any, extra: Iterable[type] = (), to_look: Iterable[str] | None = None) -> Any:
    """The value that :func:`encode` told. ``extra``: classes that an experiment brings.

    ``to_look``: names of classes that it brings too, and that are not loaded to look at it. A rule
    of such a name, or of one that nobody knows, is a
    :class:`bascule.interventions.foreign.Foreign`: it can be shown and compared, not played with.
    """
    rules = {c.__name__ for c in INTERVENTIONS}
    hidden = rules.intersection(to_look or ())
    classes = {name: c for name, c in CLASSES.items() if name not in hidden}
    classes |= {c.__name__: c for c in extra}

    def value(plain: Any) -> Any:
        if isinstance(plain, list):
            return tuple(map(value, plain))
        if not isinstance(plain, dict):
            return plain
        name = plain.get("is")
        fields = {k: value(v) for k, v in plain.items() if k != "is"}
        if isinstance(name, str) and name in classes:
            return build(classes[name], fields)
        if to_look is not None and isinstance(name, str):
            return foreign(name, fields)
        raise unknown("class in a recipe", str(name), classes)

    return value(plain)


def build(cls: type, values: Mapping[str, Any]) -> Any:
    """``cls(**values)`` with every name known and every value of its declared type."""
    known = hints(cls)
    for name in values:
        if name not in known:
            raise unknown(f"field of {cls.__name__}", name, known)
    missing = [
        f.name
        for f in _fields(cls)
        if f.name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise Refusal(f"{cls.__name__} needs {', '.join(missing)}")
    return cls(**{name: checked(cls, name, v) for name, v in values.items()})


def changed(value: Any, settings: Mapping[str, str], extra: Iterable[type] = ()) -> Any:
    """``value`` with the field at each dotted path set to what its text says, all at once.

    >>> changed(Affine(degrees=10), {"degrees": "20"}).degrees
    20.0
    """
    known = hints(type(value))
    new: dict[str, Any] = {}
    inner: dict[str, dict[str, str]] = {}
    for path, text in settings.items():
        head, _, rest = path.partition(".")
        if head not in known:
            raise _no_such_field(value, head)
        if rest:
            inner.setdefault(head, {})[rest] = text
        else:
            new[head] = checked(type(value), head, parse(text, extra))
    for head, rests in inner.items():
        part = new.get(head, getattr(value, head))
        if not dataclasses.is_dataclass(part):
            raise Refusal(f"{head} has no field {next(iter(rests))!r}: it is {part!r}")
        new[head] = changed(part, rests, extra)
    return dataclasses.replace(value, **new)


def _no_such_field(value: Any, name: str) -> Refusal:
    known = hints(type(value))
    for field in known:
        part = getattr(value, field)
        if dataclasses.is_dataclass(part) and name in hints(type(part)):
            return Refusal(f"unknown field {name!r}: did you mean {field}.{name}?")
    return unknown(f"field of {type(value).__name__}", name, known)


def parse(text: str, extra: Iterable[type] = ()) -> Any:
    """A value as Python would write it: ``3e-4``, ``hsv``, ``[Flip(), Affine(degrees=10)]``.

    What is neither a number, a list nor a call stands for itself, as text.

    >>> parse("3e-4"), parse("hsv"), parse("[Flip(), Affine(degrees=10)]")[0]
    (0.0003, 'hsv', Flip(p=0.5))
    """
    text = text.strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        if "(" in text or "[" in text:
            raise Refusal(
                f"cannot read {text!r}: expected a value like 0.1 or a call like "
                "PerfectG(at_epoch=60)"
            ) from None
        return text
    return _value(tree, text, CLASSES | {c.__name__: c for c in extra})


def digest(value: Any) -> str:
    """8 hexadecimal digits that stand for a recipe.

    A field that came :func:`bascule.typed.later` is left out while it has its default.
    """
    canonical = json.dumps(encode(value, brief=True), sort_keys=True)
    return hashlib.blake2b(canonical.encode(), digest_size=4).hexdigest()


def differences(a: Any, b: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The dotted fields in which two recipes differ, with both values."""
    if type(a) is not type(b) or not dataclasses.is_dataclass(a):
        return {} if encode(a) == encode(b) else {prefix: (a, b)}
    found: dict[str, tuple[Any, Any]] = {}
    for f in _fields(type(a)):
        path = f"{prefix}.{f.name}" if prefix else f.name
        found |= differences(getattr(a, f.name), getattr(b, f.name), path)
    return found


def _value(node: ast.expr, text: str, classes: Mapping[str, type]) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        name = node.func.id
        if name not in classes:
            raise unknown("name", name, classes)
        cls = classes[name]
        given = [f.name for f in _fields(cls)][: len(node.args)]
        if len(node.args) > len(given):
            raise Refusal(f"{ast.unparse(node)}: {name} takes {len(given)} values")
        values = {n: _value(a, text, classes) for n, a in zip(given, node.args, strict=True)}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Refusal(f"cannot read {text!r}: no ** here")
            if keyword.arg in values:
                raise Refusal(f"{ast.unparse(node)}: {keyword.arg} is given twice")
            values[keyword.arg] = _value(keyword.value, text, classes)
        return build(cls, values)
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_value(v, text, classes) for v in node.elts)
    if isinstance(node, ast.Name):
        if node.id in classes:
            return build(classes[node.id], {})
        return {"true": True, "false": False, "none": None}.get(node.id.lower(), node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return ast.get_source_segment(text, node)


def _fields(cls: type) -> list[dataclasses.Field]:
    return [f for f in dataclasses.fields(cls) if f.init]

"""Recipes to files and back: the one place where strings become values."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from bascule.core import class_names
from bascule.core.errors import UserError, unknown
from bascule.core.fields import checked, hints, key_of, renamed
from bascule.core.user_code import Code, is_named, load_named, name_of
from bascule.interventions.foreign import Foreign, ForeignValue, foreign
from bascule.runs import recipe_format
from bascule.runs.foreign_recipe import ForeignRecipe, facts_of
from bascule.training.recipe import is_recipe

FACTS = ("size", "z_dim", "classes", "paired", "entropic", "blind", "kind", "every", "saw")
OF_RULES = ("first_epoch", "uses_held_out")  # methods of an intervention whose results are kept
V = TypeVar("V")
USERS = re.compile(r"[^:]+\.py:[\w.]+")  # the name of a class of the user's
QUOTED_OR_NAMED = re.compile(
    r"""'[^']*'|"[^"]*"|(?P<name>(?:[\w./~-]+\.py|[A-Za-z_][\w.]*\.[\w.]+):[A-Za-z_]\w*)"""
)


def encode(value: Any, brief: bool = False, bare: bool = False) -> Any:
    """Plain JSON values for a recipe or any part of it.

    ``brief``: the form that digests are computed from. Classes of the package are named by a single
    word, and fields added by :func:`bascule.core.fields.added_field` are left out while they have
    their default. ``bare``: user classes are named by a single word too. Raises :class:`UserError`
    for a value that cannot be written.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        if not class_names.is_value_class(cls):
            raise _not_frozen(value)
        if isinstance(value, Foreign) and value.facts.get("names"):
            return {"names": value.written}
        told: dict[str, Any] = {"is": _written(cls, brief, bare)}
        for f in _fields(cls):
            part = getattr(value, f.name)
            if not (brief and f.metadata.get("added") and part == f.default):
                told[key_of(f) if brief else f.name] = encode(part, brief, bare)
        if not brief and "facts" not in told and (facts := _facts(value)):
            told["facts"] = facts
        return told
    if isinstance(value, tuple | list):
        return [encode(v, brief, bare) for v in value]
    if value is None or isinstance(value, str | int | float):
        return value
    if is_named(value):
        return {"names": name_of(value)}
    if hasattr(value, "__dict__"):
        raise _not_frozen(value)
    raise UserError(
        f"{str(value)[:80]} cannot be kept in a file: it is a {type(value).__name__}; expected "
        "numbers, text, None, or frozen dataclasses and tuples of them"
    )


def _not_frozen(value: Any) -> UserError:
    return UserError(
        f"{type(value).__name__} cannot be kept in a file: put @dataclass(frozen=True) above it"
    )


def _written(cls: type, brief: bool, bare: bool) -> str:
    if issubclass(cls, Foreign):
        return cls.written.rpartition(":")[2] if bare else cls.written
    if class_names.is_of_package(cls):
        return class_names.word_of(cls) if brief else class_names.path_of(cls)
    return cls.__name__ if bare else name_of(cls)


def _facts(value: Any) -> dict[str, Any]:
    """The recorded facts of a user's value, for readers that do not load its class."""
    if isinstance(value, Foreign):
        return dict(value.facts)
    if class_names.is_of_package(type(value)):
        return {}
    fields = {f.name for f in _fields(type(value))}
    if is_recipe(value):
        return {name: fact for name, fact in facts_of(value).items() if name not in fields}
    found = {n: getattr(value, n) for n in FACTS if n not in fields and hasattr(value, n)}
    found |= {name: getattr(value, name)() for name in OF_RULES if hasattr(value, name)}
    return {name: v for name, v in found.items() if isinstance(v, str | int | float | tuple | None)}


def decode(
    plain: Any,
    extra: Iterable[type] = (),
    to_look: Iterable[str] | None = None,
    code: Code | None = None,
) -> Any:
    """The value that :func:`encode` wrote, with or without the number of its format.

    ``extra``: user classes that are loaded already.

    ``code``: the folder of the user files that define all other user classes. They are executed.
    ``to_look``: the bare names of interventions that the run's own code defines. If it is given,
    nothing is executed. A value of an unknown class becomes a
    :class:`bascule.interventions.foreign.Foreign`, which can be shown and compared.
    """
    from bascule.interventions import Intervention

    loaded = {name_of(c): c for c in extra}
    by_word = {c.__name__: c for c in extra if isinstance(c, type)}

    def named(name: str) -> type | None:
        if name in loaded:
            return loaded[name]
        if USERS.fullmatch(name):
            found = code.find(name) if code else None
            if found and not class_names.is_value_class(found):
                raise _not_frozen_class(name)
            return found
        if name in by_word:
            return by_word[name]
        found = class_names.find(name)
        hidden = found and name in (to_look or ()) and issubclass(found, Intervention)
        return None if hidden else found

    def thing(name: str) -> Any:
        if name in loaded:
            return loaded[name]
        if USERS.fullmatch(name) and code:
            return code.find(name)
        if to_look is not None:
            return foreign(name, {}, {"names": True})
        raise unknown("name in a recipe", name, loaded)

    def value(plain: Any) -> Any:
        if isinstance(plain, list):
            return tuple(map(value, plain))
        if not isinstance(plain, dict):
            return plain
        if isinstance(text := plain.get("names"), str):
            return thing(text)
        name = plain.get("is")
        facts = plain.get("facts")
        fields = {k: value(v) for k, v in plain.items() if k not in ("is", "facts")}
        cls = named(name) if isinstance(name, str) else None
        if cls is not None:
            more = {"facts": value(facts)} if "facts" in hints(cls) and "facts" in plain else {}
            return build(cls, fields | more)
        if to_look is not None and isinstance(name, str):
            facts = facts if isinstance(facts, dict) else {}
            base = ForeignRecipe if "is_recipe" in facts else ForeignValue
            return foreign(name, fields, facts, base)
        raise unknown("class in a recipe", str(name), {*class_names.ALIASES, *by_word})

    return value(recipe_format.checked(plain))


def _not_frozen_class(name: str) -> UserError:
    return UserError(
        f"{name} is not a frozen dataclass: put @dataclass(frozen=True) above the class"
    )


def unloaded(value: Any) -> list[type[Foreign]]:
    """The classes of all placeholders inside a value."""
    if isinstance(value, tuple):
        return [cls for part in value for cls in unloaded(part)]
    if not dataclasses.is_dataclass(value):
        return []
    inner = [cls for f in _fields(type(value)) for cls in unloaded(getattr(value, f.name))]
    return [type(value), *inner] if isinstance(value, Foreign) else inner


def build(cls: type, values: Mapping[str, Any]) -> Any:
    """``cls(**values)``, after checking that every name is a field and every value has its type."""
    known, newer = hints(cls), renamed(cls)
    values = {newer.get(name, name): value for name, value in values.items()}
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
        raise UserError(f"{cls.__name__} needs {', '.join(missing)}")
    return cls(**{name: checked(cls, name, v) for name, v in values.items()})


def changed(value: V, settings: Mapping[str, str], extra: Iterable[type] = ()) -> V:
    """``value`` with each dotted field set to the value that its text stands for, all at once.

    The model of a recipe follows the size of new images, unless its size is set as well.

    >>> changed(parse("Affine(degrees=10)"), {"degrees": "20"}).degrees
    20.0
    """
    known, newer = hints(type(value)), renamed(type(value))
    new: dict[str, Any] = {}
    inner: dict[str, dict[str, str]] = {}
    for path, text in settings.items():
        head, _, rest = path.partition(".")
        head = newer.get(head, head)
        if head not in known:
            raise _no_such_field(value, head)
        if rest:
            inner.setdefault(head, {})[rest] = text
        else:
            new[head] = checked(type(value), head, parse(text, extra))

    def set_inside(head: str, rests: dict[str, str]) -> None:
        part = new.get(head, getattr(value, head))
        if not dataclasses.is_dataclass(part):
            raise UserError(f"{head} has no field {next(iter(rests))!r}: it is {part!r}")
        new[head] = changed(part, rests, extra)

    if "data" in inner:
        set_inside("data", inner.pop("data"))
    follows = is_recipe(value) and "model" not in new and "size" not in inner.get("model", {})
    if follows and "data" in new:
        new["model"] = cast(Any, value).model_for(new["data"])
    for head, rests in inner.items():
        set_inside(head, rests)
    replaced: V = dataclasses.replace(cast(Any, value), **new)
    return replaced


def _no_such_field(value: Any, name: str) -> UserError:
    known = hints(type(value))
    for field in known:
        part = getattr(value, field)
        if dataclasses.is_dataclass(part) and name in hints(type(part)):
            return UserError(f"unknown field {name!r}: did you mean {field}.{name}?")
    return unknown(f"field of {type(value).__name__}", name, known)


def parse(text: str, extra: Iterable[type] = ()) -> Any:
    """A value as Python would write it: ``3e-4``, ``hsv``, ``[Flip(), Affine(degrees=10)]``.

    Text that is not a number, a list or a call is taken as a string. A class can be named in three
    ways: by a single word, by module and name (``bascule.models.dcgan:DCGAN``), or by a user file
    and name (``my_nets.py:G``). The user file is executed. ``extra``: further classes that a word
    may name.

    >>> parse("3e-4"), parse("hsv"), parse("[Flip(), Affine(degrees=10)]")[0]
    (0.0003, 'hsv', Flip(p=0.5))
    """
    text = text.strip()
    known = _Known(extra)
    text = QUOTED_OR_NAMED.sub(known.word_for, text)
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        if "(" in text or "[" in text:
            raise UserError(
                f"cannot read {text!r}: expected a value like 0.1 or a call like "
                "PerfectG(at_epoch=60)"
            ) from None
        return text
    return _value(tree, text, known)


def digest(value: Any, bare: bool = False) -> str:
    """The digest of a recipe: 8 hexadecimal digits.

    A field added by :func:`bascule.core.fields.added_field` is left out while it has its default.
    ``bare``: the digest of older versions, in which user classes were not named by their files.
    """
    canonical = json.dumps(encode(value, brief=True, bare=bare), sort_keys=True)
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


class _Known:
    """The classes that a text can name."""

    def __init__(self, extra: Iterable[type]) -> None:
        self.extra: dict[str, list[type]] = {}
        for cls in extra:
            self.extra.setdefault(cls.__name__, []).append(cls)
        self.in_full: dict[str, Any] = {}

    def word_for(self, match: re.Match[str]) -> str:
        """A single word in place of the full name of a class."""
        name = match["name"]
        if name is None:
            return match[0]  # a quoted text
        found = load_named(name) if USERS.fullmatch(name) else class_names.find(name)
        if found is None:
            raise unknown("name", name, class_names.ALIASES)
        word = f"_class_{len(self.in_full)}"
        self.in_full[word] = found
        return word

    def find(self, word: str) -> Any:
        """The class that a word names. Raises :class:`UserError` if it names several."""
        if word in self.in_full:
            return self.in_full[word]
        if not word[:1].isupper():
            own = self.extra.get(word, [])
            return own[0] if own else None
        found = [*self.extra.get(word, ()), *filter(None, [class_names.find(word)])]
        if len(set(found)) > 1:
            told = " or ".join(name_of(cls) for cls in found)
            raise UserError(f"{word} names several classes: write {told}")
        return found[0] if found else None


def _value(node: ast.expr, text: str, known: _Known) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        name = node.func.id
        cls = known.find(name)
        if cls is None:
            raise unknown("name", name, {*class_names.ALIASES, *known.extra})
        if not class_names.is_value_class(cls):
            raise _not_frozen_class(name_of(cls))
        given = [f.name for f in _fields(cls) if not f.kw_only][: len(node.args)]
        if len(node.args) > len(given):
            raise UserError(f"{ast.unparse(node)}: {name} takes at most {len(given)} values")
        values = {n: _value(a, text, known) for n, a in zip(given, node.args, strict=True)}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise UserError(f"cannot read {text!r}: ** is not supported; write name=value")
            if keyword.arg in values:
                raise UserError(f"{ast.unparse(node)}: {keyword.arg} is given twice")
            values[keyword.arg] = _value(keyword.value, text, known)
        return build(cls, values)
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_value(v, text, known) for v in node.elts)
    if isinstance(node, ast.Name):
        cls = known.find(node.id)
        if cls is not None:
            return build(cls, {}) if class_names.is_value_class(cls) else cls
        return {"true": True, "false": False, "none": None}.get(node.id.lower(), node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return ast.get_source_segment(text, node)


def _fields(cls: type) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(cls) if f.init]

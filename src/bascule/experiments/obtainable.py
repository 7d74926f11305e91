"""Whether an experiment's measure can give the number of a prediction; known before any training.

What an image set allows is checked in :mod:`bascule.experiments.measurable`, once it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from bascule.core.errors import UserError
from bascule.experiments.predictions import (
    Prediction,
    Settles,
    Spike,
    is_evaluated,
    numbers_of,
    windows,
)
from bascule.features.extractors import extractor
from bascule.features.judges import judge_of, why_not
from bascule.metrics.measurement import Measurement
from bascule.metrics.numbers import BASELINES, OF_ATTRIBUTES, OF_CODES, OF_TRANSLATION, WAYS
from bascule.training.recipe import Recipe

Part = Literal["fakes", "settled", "coded", "decoded", "abilities", "translations"]
KINDS = {"fakes": "Measure", "codes": "MeasureCoding", "translations": "MeasureTranslation"}
OF_ABILITIES = ("AUROC", "hole L1", "edited as told", "others kept")
OF_CODED: tuple[Part, ...] = ("settled", "coded", "decoded", "abilities")
READ = (  # quantities for which attributes are read from images
    *(quantity.name for quantity in OF_ATTRIBUTES),
    *("attributes read", "edited as told", "others kept"),
    *("attributes kept", "attributes matched", "kept", "matched", "information"),
)
LACKS: Mapping[Part, str] = {
    "fakes": "draws no fakes",
    "settled": "settles no fakes; give k_fb=(...) with settled_fakes=True",
    "coded": "codes no images; give sigmas=(...)",
    "decoded": "decodes no images; give decoded=True",
    "abilities": "measures no abilities of codes; give abilities=True",
    "translations": "translates nothing",
}


@dataclass(frozen=True)
class Asked:
    """What a measure asks for.

    kind        the name of its class
    attributes  whether attributes are read
    parts       the parts of an evaluation that it asks for, each with the feedback strengths at
                which it is measured; None: that of the recipe
    sigmas      the standard deviations of noise on coded images
    when        after which numbers of completed epochs a run of a recipe is measured
    """

    kind: str
    attributes: bool
    parts: Mapping[Part, tuple[float, ...] | None]
    sigmas: tuple[float, ...]
    when: Callable[[Recipe], Collection[int]]


def part_of(scalar: Measurement) -> Part:
    """The part of an evaluation that measures ``scalar``."""
    name, settled = scalar.quantity.name, scalar.layer is not None and scalar.k_fb is not None
    if name in OF_ABILITIES:
        return "abilities"
    if scalar.space == "settled" or (name == "KID" and settled):
        return "settled"
    if scalar.space == "decoded" or (name == "KID" and (scalar.layer or scalar.of in WAYS)):
        return "decoded"
    if scalar.quantity in OF_CODES:
        return "coded"
    if scalar.quantity in OF_TRANSLATION or scalar.of in BASELINES:
        return "translations"
    return "translations" if scalar.space.startswith("translation,") else "fakes"


def check_arms(arms: Mapping[str, Recipe], asked: Asked) -> None:
    """Raises :class:`UserError` if runs of an arm cannot be measured in this way."""
    for arm, recipe in arms.items():
        if asked.kind != KINDS[recipe.evaluates]:
            raise UserError(
                f"measure={asked.kind}(...): “{arm}” is a {type(recipe).__name__}; expected "
                f"{KINDS[recipe.evaluates]}(...)"
            )
        if not recipe.code_layers and any(part in asked.parts for part in OF_CODED):
            raise UserError(
                f"measure={asked.kind}(...): k_fb, sigmas, decoded and abilities are for SDPC, and "
                f"“{arm}” is a {type(recipe).__name__} without codes; leave them out"
            )


def check_judge(prediction: Prediction, arms: Mapping[str, Recipe]) -> None:
    """Raises :class:`UserError` if its numbers are in a space that an arm was trained through.

    Any arm counts, since all arms are measured in one space.
    """
    for scalar in numbers_of(prediction).values():
        for arm, recipe in arms.items():
            if why := why_not(recipe.saw, scalar.space):
                space = extractor(judge_of(recipe.saw)).name
                raise UserError(
                    f"“{prediction.claim()}” says nothing of “{arm}”: {scalar.name} {why}; give "
                    f"{scalar.quantity.name}.at(extractor={space!r}), or a number of attributes"
                )


def check_obtainable(prediction: Prediction, arms: Mapping[str, Recipe], asked: Asked) -> None:
    """Raises :class:`UserError` if no run of ``arms`` will have a number of ``prediction``."""
    evaluated = [scalar for scalar in numbers_of(prediction).values() if is_evaluated(scalar)]
    named = [getattr(prediction, name, "") for name in ("arm", "than")]
    for arm in (name for name in named if name in arms):
        for scalar in evaluated:
            why = never(scalar, asked, arms[arm]) or _unseen(prediction, asked, arms[arm])
            if why:
                raise UserError(
                    f"“{prediction.claim()}” can never be measured: {why}; "
                    "otherwise leave this prediction out"
                )


def never(scalar: Measurement, asked: Asked, recipe: Recipe) -> str:
    """Why no evaluation of a run of ``recipe`` will have ``scalar``; "" if it may have it."""
    part = part_of(scalar)
    if recipe.uses_held_out():
        return "a run that shows D the held-out images is not evaluated"
    if part not in asked.parts:
        return f"{asked.kind}(...) {LACKS[part]}"
    if scalar.quantity.name in READ and not asked.attributes:
        return f"{asked.kind}(attributes=False) reads no attributes; give attributes=True"
    if scalar.quantity.name == "AUROC" and scalar.space == "D" and "fakes" not in asked.parts:
        return f"a {type(recipe).__name__} has no D"
    if scalar.layer is not None and scalar.layer > recipe.code_layers:
        return f"a {type(recipe).__name__} with {recipe.code_layers} layers has no {scalar.name}"
    for name, value, given in (
        ("k_fb", scalar.k_fb, asked.parts[part]),
        ("sigma", scalar.sigma, asked.sigmas),
    ):
        if value is not None and given is not None and value not in given:
            field = "sigmas" if name == "sigma" else name
            told = ", ".join(f"{each:g}" for each in given) or "none"
            return f"{asked.kind}(...) measures it at {name} {told}; add {value:g} to {field}"
    return ""


def _unseen(prediction: Prediction, asked: Asked, recipe: Recipe) -> str:
    """Why no measured epoch of a run of ``recipe`` counts for ``prediction``; "" if one does."""
    if isinstance(prediction, Spike):
        return "an evaluation has no batches, in which a spike could be seen"
    done = sorted(asked.when(recipe))
    for start, end in windows(prediction):
        last = recipe.epochs if end is None else end
        seen = [epoch for epoch in done if start < epoch <= last]
        every = isinstance(prediction, Settles)
        if len(seen) < (last - start if every else 1):
            return (
                f"runs are measured after {', '.join(map(str, done))} epochs, and it needs "
                f"{'every' if every else 'one'} of the numbers {start + 1} to {last}; add "
                f"{'them' if every else 'one'} to {asked.kind}(epochs=...)"
            )
    return ""

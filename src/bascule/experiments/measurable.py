"""What can be measured on an image set; checked and reported before any training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, cast

from bascule.attributes.classifier import style_of
from bascule.attributes.own_labels import own_labels
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.images import DOMAIN, ImageSet
from bascule.diagnostics.callback import asked_of
from bascule.diagnostics.quality import FEWEST, OF_HELD_OUT
from bascule.evaluation.evaluate import ATTRIBUTES, LEAST, PATCHES, sizes_of
from bascule.evaluation.evaluation import by_reason
from bascule.evaluation.own_labels import attribute
from bascule.evaluation.patches import has_patches
from bascule.experiments.experiment import Experiment, Measure, MeasureTranslation
from bascule.experiments.factors import own_split, sets_of
from bascule.experiments.obtainable import READ, part_of
from bascule.experiments.predictions import numbers_of
from bascule.features.extractors import DEFAULT
from bascule.features.judges import why_not
from bascule.features.pyramid import COARSEST
from bascule.gan.recipe import GANRecipe
from bascule.metrics.least import Sizes, too_few
from bascule.metrics.measured import ON_HELD_OUT
from bascule.metrics.measurement import Measurement
from bascule.metrics.numbers import OF_ATTRIBUTES, OF_PAIR_ATTRIBUTES, OF_TRANSLATION
from bascule.training.recipe import Recipe
from bascule.translation.domains import TwoSets
from bascule.translation.pairs import CartoonPair

PLENTY = 5000  # the default number of fakes of `bascule evaluate`


def will_be_left_out(
    recipe: Recipe, images: ImageSet, fakes: int, attributes: bool = True
) -> dict[str, str]:
    """Statistic -> why an evaluation of a run of ``recipe`` on ``images`` will leave it out.

    Statistics are those of :data:`bascule.evaluation.evaluate.LEAST`.

    ``fakes``: the number of fakes of the evaluation. Empty for SDPC networks, whose numbers are
    means over images and need no minimum.
    """
    if recipe.evaluates == "codes" or recipe.uses_held_out():
        return {}
    reads = attributes and _has_attributes(recipe, images)
    asked = {
        name: least
        for name, least in LEAST.items()
        if (name != ATTRIBUTES or reads) and (name != PATCHES or has_patches(images))
    }
    return too_few(asked, _sizes(recipe, images, fakes))


def _sizes(recipe: Recipe, images: ImageSet, fakes: int) -> Sizes:
    """The set sizes of an evaluation.

    A translation is compared with the second set. Its fakes are the translated held-out images of
    the first set.
    """
    if recipe.evaluates != "translations":
        return sizes_of(images, fakes)
    first = images.labels[DOMAIN] == "a"
    given = int((first & images.held_out).sum())
    held_out = int((~first & images.held_out).sum())
    return Sizes(min(fakes, given), held_out, int((~first).sum()) - held_out)


def _has_attributes(recipe: Recipe, images: ImageSet) -> bool:
    return _style(recipe, images) is not None


def _style(recipe: Recipe, images: ImageSet) -> str | None:
    """The style of the built-in faces that fakes are compared with; None for other images."""
    data = own_split(recipe.data)
    if isinstance(data, TwoSets):
        return data.b.style if isinstance(data.b, Faces) else None
    return style_of(images)


def announcement(
    recipe: Recipe, images: ImageSet, fakes: int = PLENTY, attributes: bool = True
) -> str:
    """One line on the measurements that a small image set does not allow; "" if it allows all."""
    found = by_reason(will_be_left_out(recipe, images, fakes, attributes))
    told = []
    if found:
        names = "; ".join(f"{names} ({why})" for names, why in found)
        told.append(f"these will be left out of evaluations: {names}")
    if _diagnosed(recipe, images) < FEWEST:
        told.append(f"fewer than {FEWEST} held-out images, so diagnoses use only D's outputs")
    return f"{images.name} is a small set: {'; '.join(told)}" if told else ""


def announcements(experiment: Experiment, sets: Mapping[Any, ImageSet]) -> list[str]:
    """The announcements of all arms, each once. ``sets``: the images of each ``recipe.data``."""
    measure = experiment.measure
    if not isinstance(measure, Measure | MeasureTranslation):
        return []
    fakes = measure.fakes if isinstance(measure, Measure) else measure.pictures
    lines = [
        announcement(arm, images, fakes, measure.attributes)
        for arm in experiment.arms.values()
        for images in sets_of(arm, sets)
    ]
    trained = [arm for arm, recipe in experiment.arms.items() if why_not(recipe.saw, DEFAULT)]
    if trained and isinstance(measure, Measure):
        told = " and ".join(f"“{arm}”" for arm in trained)
        lines.append(
            f"{told} may not be judged by {DEFAULT}: all arms are judged by {measure.space}"
        )
    return [line for line in dict.fromkeys(lines) if line]


def check_measurable(experiment: Experiment, sets: Mapping[Any, ImageSet]) -> None:
    """Raises :class:`UserError` if a prediction needs more images, or other ones."""
    for prediction in (*experiment.predictions, *experiment.checks):
        told = {f.name: getattr(prediction, f.name) for f in fields(prediction)}  # type: ignore[arg-type]
        scalars = list(numbers_of(prediction).values())
        for arm in (told[name] for name in ("arm", "than") if name in told):
            recipe = experiment.arms[arm]
            for images in sets_of(recipe, sets):
                for scalar, why in _never(experiment, recipe, images, scalars):
                    raise UserError(
                        f"“{prediction.claim()}” can never be measured on {images.name}: "
                        f"{scalar} {why}, or leave this prediction out"
                    )


def check_search(images: ImageSet, fakes: int) -> None:
    """Raises :class:`UserError` if the images are too few to rank the trials of a search."""
    lost = too_few({name: LEAST[name] for name in ON_HELD_OUT}, sizes_of(images, fakes))
    for name, why in lost.items():
        raise UserError(f"a search needs {name}, which {why} of {images.name}; give more images")


def _never(
    experiment: Experiment, recipe: Recipe, images: ImageSet, scalars: Iterable[Measurement]
) -> Iterable[tuple[str, str]]:
    """The ``scalars`` that no run of ``recipe`` will have, each with the reason and the remedy."""
    measure = experiment.measure
    lost: dict[str, str] = {}
    if isinstance(measure, Measure | MeasureTranslation):
        fakes = measure.fakes if isinstance(measure, Measure) else measure.pictures
        lost = will_be_left_out(recipe, images, fakes, measure.attributes)
    asked = _diagnosed(recipe, images)
    for scalar in scalars:
        if scalar.evaluated:
            if why := lost.get(_statistic(scalar)):
                yield scalar.name, f"{why}; give more images"
            elif why := _impossible(recipe, images, scalar):
                yield scalar.name, why
        elif str(scalar) in OF_HELD_OUT and asked < FEWEST:
            why = f"needs {FEWEST} held-out images; diagnostics have {asked} here"
            yield str(scalar), f"{why}; give more images"


def _impossible(recipe: Recipe, images: ImageSet, scalar: Measurement) -> str:
    """Why images like these never give the number, and the remedy; "" if they may."""
    spaces: list[str] = []  # those that there are
    if part_of(scalar) == "translations":
        of_truth = scalar.quantity in OF_TRANSLATION and scalar.quantity.name != "cycle L1"
        if of_truth and not getattr(recipe.data, "has_truth", False):
            return "needs pairs with a known truth; give data=CartoonPair(...) or OwnPairs(...)"
        if scalar.quantity in OF_PAIR_ATTRIBUTES and not isinstance(recipe.data, CartoonPair):
            return "needs pairs whose attributes are known; give data=CartoonPair(...)"
        if scalar.space.startswith("translation,"):
            spaces = [f"translation,{images.size}px"]
    elif scalar.quantity.name in READ:
        style = _style(recipe, images)
        if style is None and scalar.quantity.name == "TV":
            if scalar.attribute in (known := [attribute(label) for label in own_labels(images)]):
                return ""
            if known:
                return f"needs one of the labels of these images: {', '.join(known)}"
        if style is None:
            return "needs images whose attributes are known; give data=Faces(...)"
        if part_of(scalar) == "fakes":
            spaces = [f"{style},{images.size}px"]
    elif scalar.quantity.name == PATCHES:
        if not has_patches(images):
            return f"is not for images of {images.size} px; give images of 16, 32, 64, ... px"
        levels = (images.size >> step for step in range(images.size.bit_length()))
        spaces = [f"laplacian,{level}px" for level in levels if level >= COARSEST]
    if spaces and scalar.space not in spaces:
        return f"in [{scalar.space}] is of other images; name one of [{', '.join(spaces)}]"
    return ""


def _statistic(scalar: Measurement) -> str:
    """The statistic of :data:`LEAST` on which a measurement depends."""
    if scalar.name in LEAST:
        return scalar.name
    if scalar.quantity in OF_ATTRIBUTES and scalar.space != "decoded":
        return ATTRIBUTES
    return scalar.quantity.name  # "KID of copy", "KID of layer 1 at k_fb=2"


def _diagnosed(recipe: Recipe, images: ImageSet) -> int:
    """The number of held-out images that diagnostics use; enough if the run has none."""
    if not recipe.is_diagnosable:
        return FEWEST
    there = sizes_of(images, 0)
    return asked_of(cast(GANRecipe, recipe), there.train, there.held_out)

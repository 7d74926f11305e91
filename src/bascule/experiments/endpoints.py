"""What is wrong with the endpoint of a prediction, told from pilot runs or before any run.

The endpoint is the number that a prediction measures on each seed. It is of little use if it stands
at an end of its range, if it does not vary, or if it lies in the claimed region whatever is done.
Each flag is one line for a reader. Flags change no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite

import numpy as np

from bascule.data.faces import Faces
from bascule.data.seeded_split import SeededSplit
from bascule.data.validation_split import ValidationSplit
from bascule.experiments.digits import number
from bascule.experiments.predictions import (
    SPACE,
    Alike,
    Curves,
    Lower,
    Prediction,
    Within,
    complete_seeds,
    mean_tv,
    numbers_of,
    windows,
    worded,
)
from bascule.experiments.scalars import limits
from bascule.metrics.measurement import Measurement
from bascule.training.recipe import Recipe

Pilot = Mapping[str, Sequence[float]]  # numbers of pilot runs, one for each seed; NaN if missing
OWN = "the prediction"  # the key of a prediction's own numbers in a Pilot
ROUNDING = 1e-9  # values that differ by less than this share are equal
FAR = 4.0  # seed deviations from an edge that no run is expected to cross


def called(scalar: Measurement, arm: str) -> str:
    """The key of a scalar of an arm in a :data:`Pilot`: "coverage[x] of “plain”"."""
    return f"{scalar} of “{arm}”"


def pilot(prediction: Prediction, curves: Curves, seeds: Sequence[int]) -> dict[str, list[float]]:
    """The pilot numbers of ``prediction``: its own, and the means of its scalars in every arm.

    ``curves``: arm -> seed -> scalar -> (epochs,), of the pilot runs. Seeds without a run are left
    out. A scalar's means are those in the prediction's epochs; with two windows, both are listed.
    """
    prediction = worded(prediction)
    complete = complete_seeds(prediction, curves, seeds)
    found = {OWN: [prediction.measure(curves, seed) for seed in complete]}
    for scalar in numbers_of(prediction).values():
        for arm, runs in curves.items():
            found[called(scalar, arm)] = [
                Within(scalar, arm, -inf, inf, *window).measure(curves, seed)
                for window in windows(prediction)
                for seed in seeds
                if seed in runs
            ]
    return found


def flags(
    prediction: Prediction,
    values: Pilot | None = None,
    recipes: Mapping[str, Recipe] | None = None,
    resolution: float = 0.0,
) -> list[str]:
    """What is wrong with the endpoint of ``prediction``, one line each; empty if nothing is.

    values      the numbers of pilot runs (:func:`pilot`): the prediction's own numbers under
                :data:`OWN`, and those of its scalars in each arm under :func:`called`. None: there
                is no pilot.
    recipes     arm -> recipe; they limit losses, and say where exact attributes exist
    resolution  the smallest step between two values of a scalar, such as 1/200 for a share of 200
                images; a value within one step of an end of the range stands at that end

    Flagged are, with a pilot: scalars at the same end of their range in all runs; a region that
    holds all runs of all arms by far, or that no difference can reach from where the other arm is;
    numbers that are equal on all seeds; an :class:`Alike` with a margin below the deviation between
    seeds. Without one: regions that hold all possible values or none, and KID where exact
    attributes exist.
    """
    prediction = worded(prediction)
    measured = {name: _finite(each) for name, each in (values or {}).items()}
    own = measured.get(OWN, np.empty(0))
    told = [*_of_region(prediction), *_of_kid(prediction, recipes or {})]
    if OWN in measured and not len(own):
        return [*told, "no pilot seed has a number of it"]
    told += _at_an_end(prediction, measured, recipes or {}, resolution)
    if isinstance(prediction, Within):
        told += _inside_by_far(prediction, measured, resolution)
    if isinstance(prediction, Lower):
        told += _out_of_reach(prediction, measured)
    spread = float(own.std(ddof=1)) if len(own) > 1 else 0.0
    counted = getattr(prediction, "counted", False)  # a share of runs, whose error is known
    if len(own) > 1 and np.ptp(own) <= ROUNDING * max(abs(own)) and not counted:
        told.append(
            f"it is {number(own[0])} on all {len(own)} pilot seeds, so its error cannot be "
            "estimated; choose a finer measure"
        )
    elif isinstance(prediction, Alike) and prediction.by < spread:
        told.append(
            f"its margin of {number(prediction.by)} is below the deviation between pilot seeds, "
            f"{number(spread)}, so arms that are alike would not be found so; give a wider margin, "
            "more images or many more seeds"
        )
    return told


def _finite(values: Sequence[float]) -> np.ndarray:
    found = np.asarray(values, float)
    known: np.ndarray = found[np.isfinite(found)]
    return known


def _of_region(prediction: Prediction) -> Iterator[str]:
    (low, high), (least, most) = prediction.region(), prediction.limits()
    if low <= least and most <= high:
        yield "the claimed region holds every possible value, so nothing can refute it"
    elif high < least or most < low:
        yield "the claimed region holds no possible value, so nothing can support it"


def _of_kid(prediction: Prediction, recipes: Mapping[str, Recipe]) -> Iterator[str]:
    """A KID of fakes in the default feature space, where they are faces with exact attributes."""
    named = {getattr(prediction, name, None) for name in ("arm", "than")}
    played = [recipe for arm, recipe in recipes.items() if arm in named]
    faces = [_faces(recipe) for recipe in played if recipe.evaluates == "fakes"]
    sizes = {data.size for data in faces if data is not None}
    for scalar in dict.fromkeys(numbers_of(prediction).values()):
        if sizes and scalar.quantity.name == "KID" and scalar.space == SPACE:
            yield (
                f"{scalar.name} in the space {SPACE} reacts most to faint noise (2 grey levels: "
                "0.46), and these faces have exact attributes; prefer "
                f"{mean_tv(min(sizes)).name} or another number of attributes"
            )


def _faces(recipe: Recipe) -> Faces | None:
    data = recipe.data
    while isinstance(data, ValidationSplit | SeededSplit):
        data = data.of
    return data if isinstance(data, Faces) else None


def _of_scalar(scalar: Measurement, measured: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The pilot numbers of ``scalar``, one array for each arm that has any."""
    start = called(scalar, "").removesuffix("”")
    return [each for name, each in measured.items() if name.startswith(start) and len(each)]


def _at_an_end(
    prediction: Prediction,
    measured: Mapping[str, np.ndarray],
    recipes: Mapping[str, Recipe],
    resolution: float,
) -> Iterator[str]:
    for scalar in dict.fromkeys(numbers_of(prediction).values()):
        if not (arms := _of_scalar(scalar, measured)):
            continue
        every = np.concatenate(arms)
        least, most = limits(scalar, recipes.values())
        for end, name in ((least, "lowest"), (most, "highest")):
            near = resolution + ROUNDING * max(1.0, abs(end))
            if isfinite(end) and (abs(every - end) <= near).all():
                yield (
                    f"{scalar.name} is at {number(end)}, the {name} possible value, in all pilot "
                    "runs, so it shows no difference; choose another measure or longer runs"
                )


def _inside_by_far(
    prediction: Within, measured: Mapping[str, np.ndarray], resolution: float
) -> Iterator[str]:
    """A region from an end of the range to an edge that no run of any arm is near."""
    (low, high), (least, most) = prediction.region(), prediction.limits()
    scalar = numbers_of(prediction)["scalar"]
    arms = _of_scalar(scalar, measured)
    if not arms or (low <= least) == (most <= high):  # it reaches both ends, or none
        return
    every = np.concatenate(arms)
    apart = float((high - every if low <= least else every - low).min())
    spread = max((float(each.std(ddof=1)) for each in arms if len(each) > 1), default=0.0)
    if spread > 0 and apart > max(FAR * spread, resolution):
        yield (
            f"the claimed region holds all pilot runs of all arms, at least {number(apart)} from "
            f"its edge ({apart / spread:.0f} deviations between seeds), so hardly any run could "
            "refute it; claim a narrower region or a difference between arms"
        )


def _out_of_reach(prediction: Lower, measured: Mapping[str, np.ndarray]) -> Iterator[str]:
    """A difference that is impossible from where the other arm stands."""
    scalar = numbers_of(prediction)["scalar"]
    other = measured.get(called(scalar, prediction.than), np.empty(0))
    least, most = limits(scalar)
    low, high = prediction.region()
    if not len(other):
        return
    from_here = least - other.max(), most - other.min()
    if high < from_here[0] or from_here[1] < low:
        room = from_here[1] if from_here[1] < low else -from_here[0]
        yield (
            f"“{prediction.than}” has {scalar.name} from {number(other.min())} to "
            f"{number(other.max())} in the pilot, so the difference can be at most {number(room)}, "
            f"and more than {number(prediction.by)} is claimed"
        )

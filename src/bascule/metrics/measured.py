"""Computes metrics with their floors: the same metric for held-out reals in place of fakes.

With some thousand images, most of a metric's value is its bias at that n. Therefore the fakes are
cut into disjoint sets of the size of the held-out reals. Each set is compared with the same
training reals, and so are the held-out reals.

Each metric has a least number of images for such a set (:func:`least`, for all kinds of images).
With fewer, its value would say little, or would be the same for any fakes.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import nan
from numbers import Real

import numpy as np

import bascule.metrics
from bascule.core.arrays import Rows
from bascule.core.errors import UserError, unknown
from bascule.metrics import mmd
from bascule.metrics.least import Sizes, too_few
from bascule.metrics.manifold import IN_BALLS, manifold
from bascule.metrics.metric import (
    FEW,
    SUBSETS,
    Estimate,
    Keep,
    Measured,
    Metric,
    Reference,
    Sample,
    anew,
)
from bascule.metrics.metric import order_of as _order
from bascule.metrics.neighbours import K, radii
from bascule.metrics.points import pair
from bascule.metrics.quantity import Better


def _found() -> dict[str, Metric]:
    """All metrics of the package: the subclasses of Metric in the modules of this folder."""
    found: list[Metric] = []
    for module in pkgutil.iter_modules(bascule.metrics.__path__, "bascule.metrics."):
        if module.name == __name__ or module.name.endswith((".measurement", ".metric")):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and value.__module__ == module.name:
                found += [value()] if issubclass(value, Metric) else []
    return {m.name: m for m in sorted(found, key=lambda m: (m.place, m.name))}


METRICS = _found()
ON_HELD_OUT: dict[str, Better] = {
    "KID on held-out": METRICS["KID"].better,
    "coverage of held-out": METRICS["coverage"].better,
}  # the numbers of against_held_out, and which direction is better
LEAST_ON_HELD_OUT = {
    "KID on held-out": FEW,
    "coverage of held-out": IN_BALLS,
}  # least images of each kind


def over_pictures(each: np.ndarray, floor: float) -> Measured:
    """The mean of ``each`` (n,), one number per image, with a ``floor`` that is known exactly.

    A single image has no standard error.
    """
    each = np.asarray(each, np.float64)
    n = len(each)
    se = float(each.std(ddof=1) / n**0.5) if n > 1 else nan
    return Measured(float(each.mean()), float(floor), se, nan, n, n, 1)


def least(of: str | Metric) -> Sizes:
    """The least number of images of each kind for a metric.

    ``of``: the metric, or a name in :data:`METRICS` or :data:`ON_HELD_OUT`.
    """
    if isinstance(of, str):
        if of in LEAST_ON_HELD_OUT:
            n = LEAST_ON_HELD_OUT[of]
            return Sizes(n, n, n)
        of = METRICS[of]
    n = of.at_least
    return Sizes(n, 2 * n if of.cut == "halves" else n, n)


def measure(
    names: str | Iterable[str],
    fake: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    seed: int = 0,
    keep: Keep = anew,
) -> dict[str, Measured]:
    """The metrics ``names`` (of :data:`METRICS`) for ``fake`` (n, d), in that order.

    train     (m, d), the reals that the generator was trained on
    held_out  (k, d), reals that it never saw, of the same distribution, without copies of ``train``
    seed      decides which image is in which set; nothing else is random
    keep      where floors, and what else depends on the reals alone, are kept for later evaluations
              with the same ``train`` and ``held_out``

    Raises UserError for an unknown name, for features that are not finite or differ in number, and
    if a set is too small for a metric (:func:`least`).
    """
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)
    return take([METRICS[name] for name in names], fake, train, held_out, seed, keep)


def take(
    metrics: Sequence[Metric],
    fake: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    seed: int = 0,
    keep: Keep = anew,
) -> dict[str, Measured]:
    """As :func:`measure`, for metric objects, which must all use features or all use pixels.

    Pixels are uint8 (n, 3, H, W). Also raises UserError if a user's metric fails or does not return
    a number. A number may be NaN if a metric is not defined for these images.
    """
    if all(metric.on == "features" for metric in metrics):
        fake, train = pair(fake, train, ("fake", "train"))
        held_out, train = pair(held_out, train, ("held_out", "train"))
    _enough({metric.name: least(metric) for metric in metrics}, fake, held_out, train)
    found: dict[str, Measured] = {}
    held_out = held_out[_order(held_out, "held out", seed)]
    fake = fake[_order(fake, "fake", seed)]
    half = len(held_out) // 2
    reference = Reference(train, held_out[half:], seed, keep)
    for cut, floor in (("sets", held_out), ("whole", held_out), ("halves", held_out[:half])):
        asked = [metric for metric in metrics if metric.cut == cut]
        if not asked:
            continue
        n = min(len(fake), len(floor), len(train))
        samples, floors = (
            [Sample(part, reference) for part in ([x] if cut == "whole" else _sets(x, n))]
            for x in (fake, floor)
        )
        for metric in asked:
            value, se = _over(metric, samples)
            at_floor, floor_se = _floor(metric, floors, seed, keep)
            size = len(samples[0].x)
            found[metric.name] = Measured(
                value, at_floor, se, floor_se, size, len(train), len(samples)
            )
    return {metric.name: found[metric.name] for metric in metrics}


def against_held_out(
    fake: np.ndarray,
    train: np.ndarray | Rows,
    held_out: np.ndarray,
    seed: int = 0,
    names: Iterable[str] = tuple(ON_HELD_OUT),
    keep: Keep = anew,
) -> dict[str, Measured]:
    """How close ``fake`` is to reals that were not trained on; training reals give the floor.

    Returns those in ``names``, in the order of :data:`ON_HELD_OUT`. "KID on held-out" compares all
    fakes with all held-out reals. "coverage of held-out" is the share of held-out reals that have a
    fake within the distance of their fifth neighbour, for sets of as many fakes. A G that copies
    its training images cannot be better here than these images. Raises as :func:`measure`. Where
    ``keep`` has the floors, ``train`` is only counted.
    """
    names = list(names)
    fake, held_out = pair(fake, held_out, ("fake", "held_out"))

    @cache
    def known() -> np.ndarray:
        return pair(train, held_out, ("train", "held_out"))[0]

    _enough({name: least(name) for name in names}, fake, held_out, train)
    found: dict[str, Measured] = {}
    m = len(held_out)
    if "KID on held-out" in names:
        unseen = keep("mean kernels within held-out reals", lambda: mmd.within(held_out))

        def of_train() -> np.ndarray:
            between = mmd.across(known(), held_out)
            return _pair(mmd.from_means(mmd.within_reals(known(), keep), unseen, between))

        kid = mmd.from_means(mmd.within(fake), unseen, mmd.across(fake, held_out))
        floor, floor_se = keep("KID on held-out of training reals", of_train)
        found["KID on held-out"] = Measured(
            kid.value, float(floor), kid.se, float(floor_se), len(fake), m, 1
        )
    if "coverage of held-out" in names:
        n = min(m, len(fake), len(train))
        reach = keep("radii of held-out reals", lambda: radii(held_out, K))

        def shares(x: np.ndarray, name: str) -> np.ndarray:
            sets = _sets(x[_order(x, name, seed)], n)
            return np.array(
                [manifold(held_out, part, K, real_radii=reach).coverage for part in sets]
            )

        of_fakes = shares(fake, "fake")
        name = f"coverage of held-out by sets of {n} training reals, seed {seed}"
        of_reals = keep(name, lambda: shares(known(), "train"))
        found["coverage of held-out"] = Measured(
            float(np.mean(of_fakes)),
            float(np.mean(of_reals)),
            _error(of_fakes),
            _error(of_reals),
            n,
            m,
            len(of_fakes),
        )
    return found


def _pair(estimate: Estimate) -> np.ndarray:
    return np.array([estimate.value, estimate.se])


def _floor(metric: Metric, floors: Sequence[Sample], seed: int, keep: Keep) -> tuple[float, float]:
    """The floor and its standard error; those of the package's own metrics are kept."""
    if METRICS.get(metric.name) is not metric:
        return _over(metric, floors)
    name = f"floor of {metric.name}, sets of {len(floors[0].x)}, seed {seed}"
    value, se = keep(name, lambda: np.array(_over(metric, floors)))
    return float(value), float(se)


def _sets(x: np.ndarray, n: int) -> list[np.ndarray]:
    """Disjoint sets of ``n`` consecutive rows, at most :data:`SUBSETS`."""
    return [x[start : start + n] for start in range(0, len(x) - n + 1, n)][:SUBSETS]


def _enough(
    least: Mapping[str, Sizes], fake: np.ndarray, held_out: np.ndarray, train: np.ndarray | Rows
) -> None:
    for name, why in too_few(least, Sizes(len(fake), len(held_out), len(train))).items():
        raise UserError(f"{name} {why}; give more images")


def _over(metric: Metric, samples: Sequence[Sample]) -> tuple[float, float]:
    """The mean over samples and its standard error."""
    values = []
    for sample in samples:
        value = _judged(metric, sample)
        if isinstance(value, Estimate):
            return value.value, value.se
        values.append(value)
    return float(np.mean(values)), _error(values)


def _judged(metric: Metric, sample: Sample) -> float | Estimate:
    """The metric of a sample. Raises UserError if a user's metric does not return a number."""
    try:
        value = metric.judge(sample)
    except UserError:
        raise
    except Exception as error:
        if METRICS.get(metric.name) is metric:
            raise
        told = " ".join(str(error).split())
        raise UserError(
            f"the metric {metric.name!r} failed: {type(error).__name__}: {told}"
        ) from error
    if isinstance(value, Estimate):
        return value
    if not isinstance(value, Real | np.generic):
        given = f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
        raise UserError(f"the metric {metric.name!r} gave {given[:60]}: expected one number")
    return float(value)


def _error(values: Sequence[float] | np.ndarray) -> float:
    """The standard error of a mean; NaN for a single value."""
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else nan

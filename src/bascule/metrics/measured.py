"""Every metric beside its floor: what held-out reals score in the place of fakes.

On some thousand images most of a metric's value is its bias at that n. So the fakes are cut into
disjoint sets of the size of the held-out reals, each is compared with the same training reals, and
so are the held-out reals themselves.

Each metric names the fewest images that it needs in such a set (:func:`least` of all kinds of
images): with fewer, it would say little, or the same of any fakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Literal

import numpy as np

from bascule.errors import Refusal, unknown
from bascule.metrics import mmd
from bascule.metrics.frechet import Normal
from bascule.metrics.least import Sizes, too_few
from bascule.metrics.manifold import Manifold, manifold
from bascule.metrics.memorisation import IN_CELL, Cells, authenticity, copying_in
from bascule.metrics.neighbours import nearest_others, radii
from bascule.metrics.points import pair
from bascule.metrics.sliced import sliced_wasserstein
from bascule.metrics.spread import mean_pairwise_distance, ratio
from bascule.metrics.two_sample import OneNN, one_nn
from bascule.metrics.vendi import effective_rank, vendi_score
from bascule.now import address

K = 5  # neighbours of precision, recall, density and coverage
# The fewest images in a sample. Tried with faces: held-out faces in the place of fakes, and blurred
# and grey ones (docs/measuring.md).
FEW = 5  # a standard error of fewer means little
IN_BALLS = K + 2  # a ball has K others in it
WITH_BALLS = 4 * K  # of fewer, a ball holds so much of the set that recall does not see blur
SUBSETS = 10  # sets of fakes, at most


class Reference:
    """The reals that samples are compared with, and what is computed from them once."""

    def __init__(self, train: np.ndarray, test: np.ndarray, seed: int):
        self.train, self.test, self.seed = train, test, seed
        self._order = _order(train, "train", seed)

    def alike(self, n: int) -> np.ndarray:
        """``n`` training reals, the same ones for every sample of that size."""
        return self.train[self._order[:n]]

    @cached_property
    def mean(self) -> np.ndarray:
        return self.train.mean(0)

    @cached_property
    def normal(self) -> Normal:
        return Normal.of(self.train)

    @cached_property
    def neighbours(self) -> np.ndarray:
        return nearest_others(self.train, min(K, len(self.train) - 1))[0]

    @cached_property
    def spread(self) -> float:
        return mean_pairwise_distance(self.train)

    @cached_property
    def cells(self) -> Cells:
        return Cells.of(self.train, seed=self.seed)

    @cached_property
    def kernels(self) -> np.ndarray:
        return mmd.within(self.train)


class Sample:
    """Images to judge, against a reference; what several metrics need is computed once."""

    def __init__(self, x: np.ndarray, reference: Reference):
        self.x, self.reference = x, reference

    @cached_property
    def balls(self) -> Manifold:
        reference = self.reference
        return manifold(reference.train, self.x, K, real_radii=reference.neighbours[:, -1])

    @cached_property
    def one_nn(self) -> OneNN:
        return one_nn(self.reference.alike(len(self.x)), self.x)

    def frechet(self) -> float:
        return Normal.of(self.x).distance(self.reference.normal)

    def kernel(self) -> mmd.Estimate:
        between = mmd.across(self.x, self.reference.train)
        return mmd.from_means(mmd.within(self.x), self.reference.kernels, between)

    def sliced(self) -> float:
        rng = np.random.default_rng(address("directions", self.reference.seed))
        return sliced_wasserstein(self.x, self.reference.alike(len(self.x)), rng).w1

    def authenticity(self) -> float:
        return authenticity(self.x, self.reference.train, self.reference.neighbours[:, 0])


@dataclass(frozen=True)
class Metric:
    """One number about a sample of images.

    ``better``: in which direction, or "floor" when it should come near ``ideal``, not pass it.
    ``cut``: "sets" of n = min(fakes, held-out); "whole", all at once, for a metric whose mean does
    not depend on n and that has its own standard error; "halves" for one that needs held-out reals
    beside the sample: these are then the second half of the held-out, the first half is the
    floor's sample, and n = min(fakes, that half).
    """

    value: Callable[[Sample], float | mmd.Estimate]
    ideal: float | Literal["the floor"]
    better: Literal["lower", "higher", "floor"]
    at_least: int  # images in a sample: the fewest that are worth telling of
    cut: Literal["sets", "whole", "halves"] = "sets"


FLOOR: Literal["the floor"] = "the floor"

# fmt: off
METRICS: dict[str, Metric] = {
    "FD":             Metric(Sample.frechet, 0.0, "lower", FEW),
    "KID":            Metric(Sample.kernel, 0.0, "lower", FEW, cut="whole"),
    "sliced W1":      Metric(Sample.sliced, 0.0, "lower", FEW),
    "precision":      Metric(lambda s: s.balls.precision, FLOOR, "higher", IN_BALLS),
    "recall":         Metric(lambda s: s.balls.recall, FLOOR, "higher", WITH_BALLS),
    "density":        Metric(lambda s: s.balls.density, 1.0, "floor", IN_BALLS),
    "coverage":       Metric(lambda s: s.balls.coverage, FLOOR, "higher", IN_BALLS),
    "Vendi":          Metric(lambda s: vendi_score(s.x, s.reference.mean), FLOOR, "floor", FEW),
    "effective rank": Metric(lambda s: effective_rank(s.x), FLOOR, "floor", FEW),
    "spread":         Metric(lambda s: ratio(s.x, s.reference.spread), 1.0, "floor", FEW),
    "1-NN accuracy":  Metric(lambda s: s.one_nn.accuracy, 0.5, "floor", FEW),
    "1-NN real half": Metric(lambda s: s.one_nn.real_half, 0.5, "floor", FEW),
    "1-NN fake half": Metric(lambda s: s.one_nn.fake_half, 0.5, "floor", FEW),
    "C_T":            Metric(lambda s: copying_in(s.reference.cells, s.x, s.reference.test),
                             0.0, "floor", IN_CELL, cut="halves"),
    "authenticity":   Metric(Sample.authenticity, FLOOR, "floor", FEW),
}
# fmt: on
ON_HELD_OUT: dict[str, Literal["lower", "higher"]] = {
    "KID on held-out": "lower",
    "coverage of held-out": "higher",
}  # of against_held_out; which is better
LEAST_ON_HELD_OUT = {
    "KID on held-out": FEW,
    "coverage of held-out": IN_BALLS,
}  # images of each kind


@dataclass(frozen=True)
class Measured:
    """A metric's value and its floor, at the same ``n`` images against the same ``m`` reals.

    ``value`` is the mean over ``repeats`` disjoint sets of fakes, at most 10, and ``se`` the
    standard error of that mean, nan for a single set. It is conditional on the reals: other
    training reals would move value and floor alike. ``floor`` and ``floor_se`` are the same for
    held-out reals, which are often one set. When fakes are as good as reals a one-set floor
    scatters as one set of fakes: by ``se * repeats**0.5``. Metrics that compare equal sizes (1-NN,
    sliced W1) take ``n`` of the ``m`` reals, the same ones for every set.

    KID takes all fakes and all held-out reals (``n`` is then the number of fakes), and its errors
    count the sampling of both sides.
    """

    value: float
    floor: float
    se: float
    floor_se: float
    n: int
    m: int
    repeats: int


def over_pictures(each: np.ndarray, floor: float) -> Measured:
    """The mean of one number a picture, ``each`` (n,), beside a floor that is known exactly.

    One picture has no standard error.
    """
    each = np.asarray(each, np.float64)
    n = len(each)
    se = float(each.std(ddof=1) / n**0.5) if n > 1 else nan
    return Measured(float(each.mean()), float(floor), se, nan, n, n, 1)


def least(name: str) -> Sizes:
    """The fewest images of each kind that a metric of :data:`METRICS` or :data:`ON_HELD_OUT`
    needs."""
    if name in LEAST_ON_HELD_OUT:
        n = LEAST_ON_HELD_OUT[name]
        return Sizes(n, n, n)
    metric = METRICS[name]
    n = metric.at_least
    return Sizes(n, 2 * n if metric.cut == "halves" else n, n)


def measure(
    names: str | Iterable[str],
    fake: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    seed: int = 0,
) -> dict[str, Measured]:
    """The metrics ``names`` (of :data:`METRICS`) of ``fake`` (n, d), in that order.

    ``train`` (m, d) are the reals that the generator learnt from, ``held_out`` reals that it never
    saw, of the same law and with no copies in ``train``. ``seed`` settles which image goes into
    which set; nothing else is random.

    Raises Refusal for an unknown name, for features that are not finite or differ in number, and
    when a set is too small for a metric (:func:`least`).
    """
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)
    fake, train = pair(fake, train, ("fake", "train"))
    held_out, train = pair(held_out, train, ("held_out", "train"))
    _enough(names, Sizes(len(fake), len(held_out), len(train)))
    found: dict[str, Measured] = {}
    held_out = held_out[_order(held_out, "held out", seed)]
    fake = fake[_order(fake, "fake", seed)]
    half = len(held_out) // 2
    reference = Reference(train, held_out[half:], seed)
    for cut, floor in (("sets", held_out), ("whole", held_out), ("halves", held_out[:half])):
        asked = [name for name in names if METRICS[name].cut == cut]
        if not asked:
            continue
        n = min(len(fake), len(floor), len(train))
        samples, floors = (
            [Sample(part, reference) for part in ([x] if cut == "whole" else _sets(x, n))]
            for x in (fake, floor)
        )
        for name in asked:
            value, se = _over(METRICS[name], samples)
            at_floor, floor_se = _over(METRICS[name], floors)
            size = len(samples[0].x)
            found[name] = Measured(value, at_floor, se, floor_se, size, len(train), len(samples))
    return {name: found[name] for name in names}


def against_held_out(
    fake: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    seed: int = 0,
    names: Iterable[str] = tuple(ON_HELD_OUT),
) -> dict[str, Measured]:
    """How near ``fake`` comes to reals that nothing was trained on; training reals are the floor.

    Those of ``names``, in the order of :data:`ON_HELD_OUT`. "KID on held-out": all fakes against
    all held-out reals. "coverage of held-out": the share of held-out reals within whose ball (to
    their fifth neighbour) lies a fake, of sets of as many fakes. A G that copies its training
    images cannot do well here beyond what they themselves do. Refuses as :func:`measure` does.
    """
    names = list(names)
    fake, held_out = pair(fake, held_out, ("fake", "held_out"))
    train, held_out = pair(train, held_out, ("train", "held_out"))
    _enough(names, Sizes(len(fake), len(held_out), len(train)))
    found: dict[str, Measured] = {}
    m = len(held_out)
    if "KID on held-out" in names:
        kid, floor = (mmd.polynomial_mmd(x, held_out) for x in (fake, train))
        found["KID on held-out"] = Measured(
            kid.value, floor.value, kid.se, floor.se, len(fake), m, 1
        )
    if "coverage of held-out" in names:
        n, reach = min(m, len(fake), len(train)), radii(held_out, K)
        sides = []
        for x, name in ((fake, "fake"), (train, "train")):
            sets = _sets(x[_order(x, name, seed)], n)
            shares = [manifold(held_out, part, K, real_radii=reach).coverage for part in sets]
            sides.append((float(np.mean(shares)), _error(shares), len(shares)))
        (covered, error, repeats), (at_floor, floor_error, _) = sides
        found["coverage of held-out"] = Measured(
            covered, at_floor, error, floor_error, n, m, repeats
        )
    return found


def _order(x: np.ndarray, name: str, seed: int) -> np.ndarray:
    return np.random.default_rng(address("sets", name, seed)).permutation(len(x))


def _sets(x: np.ndarray, n: int) -> list[np.ndarray]:
    """Disjoint runs of ``n`` rows, at most :data:`SUBSETS`."""
    return [x[start : start + n] for start in range(0, len(x) - n + 1, n)][:SUBSETS]


def _enough(names: Sequence[str], there: Sizes) -> None:
    for name, why in too_few({name: least(name) for name in names}, there).items():
        raise Refusal(f"{name} {why}; give more images")


def _over(metric: Metric, samples: Sequence[Sample]) -> tuple[float, float]:
    """The mean over samples and its standard error."""
    values = []
    for sample in samples:
        value = metric.value(sample)
        if isinstance(value, mmd.Estimate):
            return value.value, value.se
        values.append(value)
    return float(np.mean(values)), _error(values)


def _error(values: Sequence[float]) -> float:
    """The standard error of a mean; nan of a single value."""
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else nan

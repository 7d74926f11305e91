"""What a metric is, for the package's own and for a user's.

A metric compares a sample of images with real ones and gives one number. The package cuts the fakes
into samples, and takes the same number of held-out reals in their place: that is the floor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from bascule.core.context import address
from bascule.metrics.quantity import ANY, Better, Limits, Quantity

FLOOR: Literal["the floor"] = "the floor"
# The fewest images in a sample. Tried with faces: held-out faces in the place of fakes, and blurred
# and grey ones (docs/measuring.md).
FEW = 5  # a standard error of fewer means little
SUBSETS = 10  # sets of fakes, at most
Computed = TypeVar("Computed")


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    se: float


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


class Reference:
    """The training reals ``train`` (m, ...) that samples are compared with.

    ``test``: held-out reals beside a sample, for a metric that is ``cut`` into halves.
    """

    def __init__(self, train: np.ndarray, test: np.ndarray, seed: int) -> None:
        self.train, self.test, self.seed = train, test, seed
        self._order = order_of(train, "train", seed)
        self._kept: dict[Any, Any] = {}

    def alike(self, n: int) -> np.ndarray:
        """``n`` training reals, the same ones for every sample of that size."""
        reals: np.ndarray = self.train[self._order[:n]]
        return reals

    def once(self, compute: Callable[[Reference], Computed]) -> Computed:
        """``compute(reference)``, kept for all samples and metrics that ask for it."""
        return _once(self._kept, compute, self)


class Sample:
    """Images ``x`` (n, ...) to judge, against a reference."""

    def __init__(self, x: np.ndarray, reference: Reference) -> None:
        self.x, self.reference = x, reference
        self._kept: dict[Any, Any] = {}

    def once(self, compute: Callable[[Sample], Computed]) -> Computed:
        """``compute(sample)``, kept for all metrics that ask for it."""
        return _once(self._kept, compute, self)


def _once(kept: dict[Any, Any], compute: Callable[[Any], Computed], of: Any) -> Computed:
    if compute not in kept:
        kept[compute] = compute(of)
    found: Computed = kept[compute]
    return found


def order_of(x: np.ndarray, name: str, seed: int) -> np.ndarray:
    """The order, drawn from ``seed``, in which the images called ``name`` are put into sets."""
    return np.random.default_rng(address("sets", name, seed)).permutation(len(x))


class Metric:
    """One number about a sample of images. A metric of one's own is a subclass::

        class Eyes(Metric):
            name = "eyes"
            better = "higher"
            on = "pixels"

            def measure(self, fakes, reals):
                return float((fakes[:, :, 20:30].mean((1, 2, 3)) < 90).mean())

    A frozen dataclass may have parameters. It must depend on its arguments alone.

    name       what it is called in tables, notes and predictions.
    better     "lower", "higher", or "floor": the nearer to the floor. The floor is the same number
               of held-out reals.
    on         what it sees: "features", float64 (n, d), or "pixels", uint8 (n, 3, H, W).
    limits     between which numbers it always lies; an interval in a note is cut there.
    at_least   the fewest images in a sample of which it says anything.
    more, less what more of it and less of it mean, in a few words, for a note.
    explained  a line on what it is, for a note.

    The package's own have some more. ``ideal``: its best value. ``cut``: "sets" of
    n = min(fakes, held-out); "whole", all at once, for a metric whose mean does not depend on n and
    that has its own standard error; "halves" for one that needs held-out reals beside the sample:
    these are then the second half of the held-out, the first half is the floor's sample, and
    n = min(fakes, that half). ``by_default``: whether every evaluation measures it. ``place``: its
    place in tables, the lowest first. ``takes`` and ``of``: as in :class:`Quantity`.
    """

    name: ClassVar[str]
    better: ClassVar[Better] = "lower"
    on: ClassVar[Literal["features", "pixels"]] = "features"
    limits: ClassVar[Limits] = ANY
    at_least: ClassVar[int] = FEW
    more: ClassVar[str] = ""
    less: ClassVar[str] = ""
    explained: ClassVar[str] = ""

    ideal: ClassVar[float | Literal["the floor"]] = FLOOR
    cut: ClassVar[Literal["sets", "whole", "halves"]] = "sets"
    by_default: ClassVar[bool] = True
    place: ClassVar[int] = 1000
    takes: ClassVar[tuple[str, ...]] = ()
    of: ClassVar[tuple[str, ...]] = ()

    def measure(self, fakes: np.ndarray, reals: np.ndarray) -> float:
        """The number of a sample ``fakes`` (n, ...) against training reals ``reals`` (m, ...)."""
        raise NotImplementedError

    def judge(self, sample: Sample) -> float | Estimate:
        """The number of a sample; override it to share computations with other metrics."""
        return self.measure(sample.x, sample.reference.train)

    def quantity(self) -> Quantity:
        """What is known of its numbers."""
        return Quantity(
            self.name,
            self.better,
            self.limits,
            self.more,
            self.less,
            self.explained,
            self.takes,
            self.of,
        )

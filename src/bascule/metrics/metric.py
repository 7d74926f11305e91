"""The base class of metrics, of the package and of users.

A metric compares a sample of images with real ones and returns one number. The package cuts the
fakes into samples. It also measures the same number of held-out reals in place of fakes: this is
the floor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from bascule.core.context import address
from bascule.metrics.quantity import ANY, Better, Limits, Quantity

FLOOR: Literal["the floor"] = "the floor"
# The least images in a sample. Tested with faces: held-out faces in place of fakes, and blurred and
# grey ones (docs/measuring.md).
FEW = 5  # with fewer, a standard error means little
SUBSETS = 10  # largest number of sets of fakes
Computed = TypeVar("Computed")
# ``keep(what, compute)`` returns the array ``compute()``, which depends on the reals alone and not
# on fakes. It may keep it for later evaluations by the name ``what``.
Keep = Callable[[str, Callable[[], np.ndarray]], np.ndarray]


def anew(what: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """A :data:`Keep` that keeps nothing."""
    return compute()


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    se: float


@dataclass(frozen=True)
class Measured:
    """A metric's value and its floor, for the same number of images.

    value     mean over ``repeats`` disjoint sets of fakes, at most 10
    floor     the same for held-out reals, often a single set
    se        standard error of value; NaN for a single set. It is conditional on the training
              reals; others would change value and floor alike.
    floor_se  standard error of floor
    n         images in each set
    m         training reals that they are compared with
    repeats   sets of fakes

    If fakes are as good as reals, a floor of one set varies like one set of fakes: by
    ``se * repeats**0.5``. Metrics that need equal sizes (1-NN, sliced W1) use ``n`` of the ``m``
    reals, the same for every set. KID uses all fakes and all held-out reals; then ``n`` is the
    number of fakes, and its errors include the sampling of both sides.
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

    ``test``: more held-out reals, for a metric whose ``cut`` is "halves". ``keep``: where arrays
    that depend on ``train`` alone may be kept for later evaluations.
    """

    def __init__(self, train: np.ndarray, test: np.ndarray, seed: int, keep: Keep = anew) -> None:
        self.train, self.test, self.seed, self.keep = train, test, seed, keep
        self._order = order_of(train, "train", seed)
        self._kept: dict[Any, Any] = {}

    def alike(self, n: int) -> np.ndarray:
        """``n`` training reals, the same for every sample of that size."""
        reals: np.ndarray = self.train[self._order[:n]]
        return reals

    def once(self, compute: Callable[[Reference], Computed]) -> Computed:
        """``compute(reference)``, cached for all samples and metrics."""
        return _once(self._kept, compute, self)


class Sample:
    """Images ``x`` (n, ...) to measure, and the reference to compare them with."""

    def __init__(self, x: np.ndarray, reference: Reference) -> None:
        self.x, self.reference = x, reference
        self._kept: dict[Any, Any] = {}

    def once(self, compute: Callable[[Sample], Computed]) -> Computed:
        """``compute(sample)``, cached for all metrics."""
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
    """Base of metrics: one number for a sample of images. To write one, make a subclass::

        class Eyes(Metric):
            name = "eyes"
            better = "higher"
            on = "pixels"

            def measure(self, fakes, reals):
                return float((fakes[:, :, 20:30].mean((1, 2, 3)) < 90).mean())

    A frozen dataclass may have parameters. The result must depend only on the arguments.

    name       its name in tables, notes and predictions
    better     "lower", "higher", or "floor": the nearer to the floor. The floor is the same number
               for held-out reals.
    on         its input: "features", float64 (n, d), or "pixels", uint8 (n, 3, H, W)
    limits     (low, high) of all possible values; intervals in notes are cut there
    at_least   the least images in a sample for a meaningful number
    more, less what larger and smaller values mean, in a few words, for notes
    explained  one line that explains it, for notes

    The package's own metrics use some more fields:

    ideal      its best value
    cut        "sets": sets of n = min(fakes, held-out). "whole": all images at once, for a metric
               with a mean independent of n and a standard error of its own. "halves": for a metric
               that needs held-out reals beside the sample. These are the second half of the
               held-out; the first half gives the floor, and n = min(fakes, that half).
    by_default whether every evaluation measures it
    place      its place in tables, the lowest first
    takes, of  as in :class:`Quantity`
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
        """The number for a sample ``fakes`` (n, ...) against training ``reals`` (m, ...)."""
        raise NotImplementedError

    def judge(self, sample: Sample) -> float | Estimate:
        """The number for a sample; override it to share computations with other metrics."""
        return self.measure(sample.x, sample.reference.train)

    def quantity(self) -> Quantity:
        """The name, direction, limits and meaning of its numbers."""
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

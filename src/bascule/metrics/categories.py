"""What can be counted when every image has a category: exact, and told with its floor.

A label is the category of one image: text or a whole number, arrays (n,); a joint label is a row,
arrays (n, k). All measures are of the fakes' labels against the training reals'.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.metrics.metric import SUBSETS, Measured

LEAST_SHARE = 0.005  # of the reals: a rarer category is not called missing
RESAMPLES = 100


def total_variation(fake: np.ndarray, real: np.ndarray) -> float:
    """Half the sum of |p - q| over the categories of either set, in [0, 1].

    The share of the fakes that would have to change category for both sets to agree. Biased
    upwards by about sqrt(categories / n).
    """
    _, ours, theirs = _counted(fake, real)
    return float(np.abs(ours / len(fake) - theirs / len(real)).sum() / 2)


@dataclass(frozen=True)
class Missing:
    """Categories of the reals that no fake shows, the most frequent first.

    ``by_chance``: how many would be missing on average if the fakes were drawn from the reals'
    own shares: the sum of (1 - q)^n over the categories looked at.
    """

    categories: tuple[Hashable, ...]
    by_chance: float


def missing(fake: np.ndarray, real: np.ndarray, least_share: float = LEAST_SHARE) -> Missing:
    """Which categories that at least ``least_share`` of the reals have are absent from the fakes.

    A floor on the share is needed because labels may be misread: one real in a thousand may have
    a category that it only seems to have.
    """
    names, ours, theirs = _counted(fake, real)
    shares = theirs / len(real)
    looked_at = (shares >= least_share) & (theirs > 0)
    absent = np.flatnonzero(looked_at & (ours == 0))
    absent = absent[np.argsort(-shares[absent], kind="stable")]
    by_chance = ((1 - shares[looked_at]) ** len(fake)).sum()
    return Missing(tuple(names[absent].tolist()), float(by_chance))


@dataclass(frozen=True)
class Joint:
    """``coverage``: share of the reals (images, not combinations) whose combination some fake has.

    ``combinations``: different combinations among the fakes.
    """

    coverage: float
    combinations: int


def joint_coverage(fake: np.ndarray, real: np.ndarray) -> Joint:
    """Coverage of the reals' combinations: rows of ``fake`` (n, k) and ``real`` (m, k).

    Weighted by mass, so that combinations no larger fake set would be asked to show weigh little.
    It falls with n; choose few enough attributes that fresh reals come near 1.
    """
    fake, real = _pair(fake, real, 2)
    codes = np.zeros(len(fake) + len(real), np.int64)
    for column in np.concatenate([fake, real]).T:
        names, more = np.unique(column, return_inverse=True)
        codes = np.unique(codes * len(names) + more.reshape(-1), return_inverse=True)[1].reshape(-1)
    shown = np.zeros(codes.max() + 1, bool)
    shown[codes[: len(fake)]] = True
    return Joint(float(shown[codes[len(fake) :]].mean()), int(shown.sum()))


def out_of_vocabulary(flags: np.ndarray) -> float:
    """The share of images that are no category at all; ``flags`` bool (n,)."""
    if flags.dtype != np.bool_ or flags.ndim != 1 or not len(flags):
        raise UserError(
            f"out-of-vocabulary flags are {flags.dtype} {flags.shape}: expected bool (n,)"
        )
    return float(flags.mean())


def beside_floor(
    value: Callable[[np.ndarray], float],
    fake: np.ndarray,
    held_out: np.ndarray,
    m: int,
    seed: int = 0,
) -> Measured:
    """``value`` of the fakes' labels, and of held-out reals' labels in their place.

    Both are shuffled and cut into disjoint sets of n = min(fakes, held-out), of which at most
    ten count, and the mean over sets is told. Its standard error is the spread over 100 resamples
    of the first set, over the root of the number of sets: also one set has an error so. ``m`` is
    the number of training reals that ``value`` compares with.
    """
    _pair(fake, held_out, fake.ndim)
    n = min(len(fake), len(held_out))
    rng = np.random.default_rng(address("categories", seed))

    def mean_and_error(labels: np.ndarray) -> tuple[float, float, int]:
        labels = labels[rng.permutation(len(labels))]
        sets = [labels[i : i + n] for i in range(0, len(labels) - n + 1, n)][:SUBSETS]
        again = [value(sets[0][rng.integers(0, n, n)]) for _ in range(RESAMPLES)]
        return (
            float(np.mean([value(one) for one in sets])),
            float(np.std(again, ddof=1) / len(sets) ** 0.5),
            len(sets),
        )

    found, se, repeats = mean_and_error(fake)
    floor, floor_se, _ = mean_and_error(held_out)
    return Measured(found, floor, se, floor_se, n, m, repeats)


def _counted(fake: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The categories of either set, and how many fakes and reals each has."""
    fake, real = _pair(fake, real)
    both = np.concatenate([fake, real])
    if both.dtype.kind in "iu" and both.min() >= 0 and both.max() < len(both):
        names, ours, theirs = np.arange(both.max() + 1), fake, real  # are codes: nothing to sort
    else:
        names, codes = np.unique(both, return_inverse=True)
        ours, theirs = np.split(codes.reshape(-1), [len(fake)])
    return (
        names,
        np.bincount(ours, minlength=len(names)),
        np.bincount(theirs, minlength=len(names)),
    )


def _pair(fake: np.ndarray, real: np.ndarray, dims: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Both, once they are labels of one kind. Raises UserError where they are not."""
    for name, labels in (("fakes", fake), ("reals", real)):
        if labels.dtype.kind not in "iubU":
            raise UserError(
                f"labels of the {name} are {labels.dtype}: expected text or whole numbers"
            )
        if labels.ndim != dims or not labels.size:
            shape = "(n,)" if dims == 1 else "(n, attributes)"
            raise UserError(f"labels of the {name} have shape {labels.shape}: expected {shape}")
    if (fake.dtype.kind == "U") != (real.dtype.kind == "U") or fake.shape[1:] != real.shape[1:]:
        raise UserError(
            f"labels of the fakes are {fake.dtype} {fake.shape}, of the reals {real.dtype} "
            f"{real.shape}: expected the same attributes, read by the same classifier"
        )
    return fake, real

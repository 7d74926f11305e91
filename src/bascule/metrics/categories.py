"""Metrics of images that have categories, with floors.

A label is the category of one image: text or an integer, in arrays (n,). A joint label is a row, in
arrays (n, k). All metrics compare the labels of the fakes with those of the training reals.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.metrics.metric import SUBSETS, Measured

LEAST_SHARE = 0.005  # of the reals; a rarer category is not reported as missing
RESAMPLES = 100


def total_variation(fake: np.ndarray, real: np.ndarray) -> float:
    """Half the sum of |p - q| over the categories of both sets, in [0, 1].

    This is the share of the fakes whose category would have to change so that both sets agree.
    Biased upwards by about sqrt(categories / n).
    """
    _, ours, theirs = _counted(fake, real)
    return float(np.abs(ours / len(fake) - theirs / len(real)).sum() / 2)


@dataclass(frozen=True)
class Missing:
    """Categories of the reals that no fake has, the most frequent first.

    ``by_chance``: the expected number of missing categories if the fakes had the reals'
    distribution: the sum of (1 - q)^n over the categories considered.
    """

    categories: tuple[Hashable, ...]
    by_chance: float


def missing(fake: np.ndarray, real: np.ndarray, least_share: float = LEAST_SHARE) -> Missing:
    """Categories that at least ``least_share`` of the reals have, but no fake.

    The least share is needed because of classification errors: one real in a thousand may only
    seem to have a category.
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
    """Coverage of combinations of categories.

    coverage      share of the reals (images, not combinations) whose combination some fake has
    combinations  number of different combinations among the fakes
    """

    coverage: float
    combinations: int


def joint_coverage(fake: np.ndarray, real: np.ndarray) -> Joint:
    """Coverage of the reals' combinations by the fakes; rows of ``fake`` (n, k), ``real`` (m, k).

    It is weighted by frequency, so rare combinations, which no fake set of this size would have,
    count little. It decreases with smaller n: choose so few attributes that fresh reals are near 1.
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
    """The share of images that belong to no category; ``flags`` bool (n,)."""
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
    """``value`` for the fakes' labels, and for those of held-out reals in their place.

    Both are shuffled and cut into disjoint sets of n = min(fakes, held-out), at most ten. The
    result is the mean over sets. Its standard error is the standard deviation over 100 resamples
    of the first set, divided by the square root of the number of sets. So a single set has one
    too. ``m``: the number of training reals that ``value`` compares with.
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
    """The categories of both sets, and how many fakes and how many reals have each."""
    fake, real = _pair(fake, real)
    both = np.concatenate([fake, real])
    if both.dtype.kind in "iu" and both.min() >= 0 and both.max() < len(both):
        names, ours, theirs = np.arange(both.max() + 1), fake, real  # they are codes already
    else:
        names, codes = np.unique(both, return_inverse=True)
        ours, theirs = np.split(codes.reshape(-1), [len(fake)])
    return (
        names,
        np.bincount(ours, minlength=len(names)),
        np.bincount(theirs, minlength=len(names)),
    )


def _pair(fake: np.ndarray, real: np.ndarray, dims: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Both, if they are labels of the same form. Raises UserError otherwise."""
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

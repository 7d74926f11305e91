"""Sliced Wasserstein distance: sets are compared along random directions, by sorting.

Rabin et al. 2011; Karras et al. 2018 for image patches, where it is printed x 1000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.metrics.metric import Metric, Sample
from bascule.metrics.points import pair
from bascule.metrics.quantity import POSITIVE

BLOCK = 2**20  # projected values in memory at once: 8 MB


@dataclass(frozen=True)
class Sliced:
    """``w1``: mean of W1 over directions. ``w2``: root of the mean of W2^2 over directions."""

    w1: float
    w2: float


def sliced_wasserstein(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, directions: int = 512
) -> Sliced:
    """Both distances between ``x`` and ``y``, (n, d) each, along uniformly random directions.

    Biased upwards by about n^-1/2 (W1), so compare equal sizes. Equal seeds of ``rng`` give equal
    directions, so that their results are exactly comparable.
    """
    x, y = pair(x, y)
    if len(x) != len(y) or directions < 1:
        raise UserError(
            f"{len(x)} and {len(y)} rows, {directions} directions: expected equal numbers of rows "
            "and at least 1 direction; take a random part of the larger set"
        )
    axes = rng.standard_normal((directions, x.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    first, second = 0.0, 0.0
    at_once = max(1, BLOCK // len(x))
    for start in range(0, directions, at_once):
        part = axes[start : start + at_once]
        apart = np.sort(part @ x.T, axis=1)
        apart -= np.sort(part @ y.T, axis=1)
        first += np.abs(apart).sum()
        second += np.vdot(apart, apart)
    count = directions * len(x)
    return Sliced(float(first / count), float(np.sqrt(second / count)))


class SlicedW1(Metric):
    """W1 along random directions, between the fakes and as many training reals."""

    name = "sliced W1"
    limits = POSITIVE
    ideal = 0.0
    by_default = False
    place = 30

    def judge(self, sample: Sample) -> float:
        rng = np.random.default_rng(address("directions", sample.reference.seed))
        return sliced_wasserstein(sample.x, sample.reference.alike(len(sample.x)), rng).w1

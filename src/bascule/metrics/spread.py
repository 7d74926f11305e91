"""The spread of a set: the mean distance between its images.

The idea is that of Odena et al. 2017 (MS-SSIM of random pairs), here with distances of features.
"""

from __future__ import annotations

import numpy as np

from bascule.core.errors import UserError
from bascule.metrics.metric import Metric, Reference, Sample
from bascule.metrics.neighbours import squared_blocks
from bascule.metrics.numbers import BASELINES
from bascule.metrics.points import pair, points
from bascule.metrics.quantity import POSITIVE


def mean_pairwise_distance(x: np.ndarray) -> float:
    """The mean Euclidean distance over all pairs of different rows of ``x`` (n, d), n >= 2.

    Unbiased for any n.
    """
    x = points(x, at_least=2)
    total = 0.0
    for part, squared in squared_blocks(x, x):
        squared[np.arange(len(squared)), np.arange(part.start, part.stop)] = 0.0
        total += np.sqrt(squared, out=squared).sum()
    return float(total / (len(x) * (len(x) - 1)))


def pairwise_ratio(fake: np.ndarray, real: np.ndarray) -> float:
    """The fakes' mean pairwise distance divided by the reals': below 1, fakes are more alike.

    Raises UserError if all reals are equal.
    """
    fake, real = pair(fake, real, ("fake", "real"), at_least=2)
    return ratio(fake, mean_pairwise_distance(real))


def ratio(fake: np.ndarray, real_distance: float) -> float:
    """As :func:`pairwise_ratio`, if the reals' mean distance is known."""
    if not real_distance > 0:
        raise UserError(
            "all real images have the same features: there is no spread to compare with"
        )
    return mean_pairwise_distance(fake) / real_distance


def _of_reals(reference: Reference) -> float:
    return mean_pairwise_distance(reference.train)


class Spread(Metric):
    """The fakes' mean pairwise distance divided by that of the training reals."""

    name = "spread"
    better = "floor"
    limits = POSITIVE
    ideal = 1.0
    by_default = False
    place = 100
    takes = ("of",)
    of = BASELINES

    def judge(self, sample: Sample) -> float:
        return ratio(sample.x, sample.reference.once(_of_reals))

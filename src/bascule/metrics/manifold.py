"""Precision, recall, density and coverage.

Kynkäänniemi et al. 2019 (precision, recall), Naeem et al. 2020 (density, coverage). The ball of a
point has the radius of the distance to its k-th nearest neighbour in its own set, without itself.
A point is in a ball if its distance is less than the radius; a tie (:data:`neighbours.TIE`) is
outside. So fakes that all equal one real have balls of radius 0, and recall is 0. (The 2019 code
has "at most" instead of "less"; Naeem's is like this one.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bascule.core.errors import UserError
from bascule.metrics.metric import Metric, Sample
from bascule.metrics.neighbours import TIE, K, radii, squared_blocks, to_neighbours
from bascule.metrics.numbers import BASELINES
from bascule.metrics.points import pair
from bascule.metrics.quantity import POSITIVE, SHARE

IN_BALLS = K + 2  # images in a sample, since a ball contains K others
WITH_BALLS = 4 * K  # with fewer, a ball covers so much of the set that recall does not detect blur


@dataclass(frozen=True)
class Manifold:
    """Each in [0, 1], except density, whose mean is 1 if both sets have the same distribution."""

    precision: float  # share of fakes in some ball of a real
    recall: float  # share of reals in some ball of a fake
    density: float  # mean number of reals' balls that contain a fake, divided by k
    coverage: float  # share of reals with a fake in their ball


def manifold(
    real: np.ndarray, fake: np.ndarray, k: int = 5, real_radii: np.ndarray | None = None
) -> Manifold:
    """All four for ``real`` (n, d) and ``fake`` (m, d), each with more than ``k`` rows.

    ``real_radii``: ``radii(real, k)``, if known. All except density depend on n and m even if the
    distributions are equal: compare with held-out reals in place of the fakes.
    """
    real, fake = pair(real, fake, ("real", "fake"), at_least=k + 1)
    reach = (radii(real, k) if real_radii is None else real_radii) ** 2
    fake_reach = radii(fake, k) ** 2
    precise, covered = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    recalled, inside = np.zeros(len(real), bool), 0
    for part, squared in squared_blocks(real, fake, slack=TIE):
        within = squared < reach[part, None]
        precise |= within.any(0)
        covered[part] = within.any(1)
        inside += int(within.sum())
        recalled[part] = (squared < fake_reach).any(1)
    return Manifold(
        precision=float(precise.mean()),
        recall=float(recalled.mean()),
        density=inside / (k * len(fake)),
        coverage=float(covered.mean()),
    )


def expected_coverage(n_real: int, n_fake: int, k: int = 5) -> float:
    """Mean coverage if reals and fakes have the same distribution, for any one (own derivation).

    A real is not covered if its k nearest among the other n - 1 reals and m fakes are all reals.
    With fewer fakes than reals this is far below 1.
    """
    if not 1 <= k < n_real or n_fake < 1:
        raise UserError(
            f"coverage of {n_real} reals by {n_fake} fakes: expected more reals than {k}"
        )
    j = np.arange(k)
    return float(1 - np.prod((n_real - 1 - j) / (n_real - 1 + n_fake - j)))


def _balls(sample: Sample) -> Manifold:
    reach = sample.reference.once(to_neighbours)[:, -1]
    return manifold(sample.reference.train, sample.x, K, real_radii=reach)


class Precision(Metric):
    """The share of fakes in the ball of some training real."""

    name = "precision"
    better = "higher"
    limits = SHARE
    at_least = IN_BALLS
    place = 40

    def judge(self, sample: Sample) -> float:
        return sample.once(_balls).precision


class Recall(Metric):
    """The share of training reals in the ball of some fake."""

    name = "recall"
    better = "higher"
    limits = SHARE
    at_least = WITH_BALLS
    place = 50

    def judge(self, sample: Sample) -> float:
        return sample.once(_balls).recall


class Density(Metric):
    """The mean number of reals' balls that contain a fake, divided by k."""

    name = "density"
    better = "floor"
    limits = POSITIVE
    ideal = 1.0
    at_least = IN_BALLS
    place = 60

    def judge(self, sample: Sample) -> float:
        return sample.once(_balls).density


class Coverage(Metric):
    """The share of training reals with a fake in their ball."""

    name = "coverage"
    better = "higher"
    limits = SHARE
    more = "fakes cover more of the real pictures"
    less = "fakes cover less of the real pictures"
    explained = "the share of real pictures that have a fake nearby: 1, all of them"
    at_least = IN_BALLS
    place = 70
    takes = ("of", "split")
    of = BASELINES

    def judge(self, sample: Sample) -> float:
        return sample.once(_balls).coverage

"""Fréchet distance between normal distributions with the means and covariances of two sets.

Heusel et al. 2017 (as FID, on Inception features), equation 6; Dowson & Landau 1982:
|m_x - m_y|^2 + tr(S_x + S_y) - 2 tr (S_x^1/2 S_y S_x^1/2)^1/2, with S over n - 1.

With S_x = A'A and S_y = B'B, the last trace is the nuclear norm of A B'. A is the centred set
itself if n <= d, and its triangular factor if n > d. So no covariance matrix and no matrix root is
computed: identical sets give about 1e-13, whereas roots of eigenvalues of S_x S_y give about 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, svdvals

from bascule.core.errors import UserError
from bascule.metrics.metric import Metric, Reference, Sample
from bascule.metrics.points import pair, points
from bascule.metrics.quantity import POSITIVE


@dataclass(frozen=True)
class Normal:
    """A normal distribution: its mean (d,) and a factor A (at most d rows, d) of its covariance."""

    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Normal:
        """The normal distribution with the mean and covariance of ``x``, (n, d), n >= 2."""
        x = points(x, at_least=2)
        mean = x.mean(0)
        centred = (x - mean) / np.sqrt(len(x) - 1)
        if len(x) > x.shape[1]:
            centred = qr(centred, mode="r", overwrite_a=True)[0][: x.shape[1]]
        return cls(mean, centred)

    def distance(self, other: Normal) -> float:
        """The squared Fréchet (2-Wasserstein) distance, at least 0."""
        a, b = self.factor, other.factor
        apart = ((self.mean - other.mean) ** 2).sum()
        shapes = (a * a).sum() + (b * b).sum() - 2 * svdvals(a @ b.T, overwrite_a=True).sum()
        return float(max(apart + shapes, 0.0))


def _of_reals(reference: Reference) -> Normal:
    return Normal.of(reference.train)


class FD(Metric):
    """The squared Fréchet distance; it is FID if the features are those of Inception."""

    name = "FD"
    limits = POSITIVE
    ideal = 0.0
    place = 10

    def judge(self, sample: Sample) -> float:
        return Normal.of(sample.x).distance(sample.reference.once(_of_reals))


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The squared Fréchet distance between ``x`` (n, d) and ``y`` (m, d), each of 2 rows or more.

    Biased upwards by about 1/n and 1/m (:func:`expected_floor`): compare only equal sizes.
    """
    x, y = pair(x, y, at_least=2)
    return Normal.of(x).distance(Normal.of(y))


def expected_floor(eigenvalues: np.ndarray, n: int, m: int | None = None) -> float:
    """The mean distance of two samples, of ``n`` and ``m`` (default ``n``), of one distribution.

    ``eigenvalues`` (d,) are those of its covariance; the distribution is normal. Second-order
    expansion, own derivation: accurate to 1 % if n and m are well above d.
    """
    values = np.asarray(eigenvalues, np.float64)
    m = n if m is None else m
    if values.ndim != 1 or not (values >= 0).all() or min(n, m) < 2:
        raise UserError(
            "expected_floor: expected eigenvalues (d,), none negative, and sizes from 2"
        )
    values = values[values > 0]
    sums = (np.outer(values, values) / np.add.outer(values, values)).sum() + values.sum() / 2
    means = values.sum() * (1 / n + 1 / m)
    return float(means + (1 / (n - 1) + 1 / (m - 1)) / 2 * sums)

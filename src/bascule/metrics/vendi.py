"""Diversity of a set: Vendi score and effective rank.

Both are the exponential of the entropy of a spectrum. It is computed from the smaller of the two
Gram matrices.
"""

from __future__ import annotations

import numpy as np

from bascule.core.errors import UserError
from bascule.metrics.metric import Metric, Reference, Sample
from bascule.metrics.points import points
from bascule.metrics.quantity import POSITIVE


def vendi_score(x: np.ndarray, centre: np.ndarray | None = None) -> float:
    """The effective number of different directions in ``x`` (n, d), in [1, min(n, d + 1)].

    Friedman & Dieng 2022, equation 1, with the cosine kernel: exp(-sum l ln l), with l the
    eigenvalues of K / n. Features after a ReLU all have similar directions, so K and the score are
    near 1. Therefore subtract a ``centre`` (d,), the mean of the *reals*. The set's own mean is not
    suitable: around it, a generator with one image and a little noise has all directions. A row
    equal to the centre has no direction; all such rows count as one kind, different from all
    others. The score does not see distances from the centre (see ``spread``). It is bounded by n,
    so compare equal sizes.
    """
    x = points(x)
    if centre is not None:
        centre = np.asarray(centre, np.float64)
        if centre.shape != x.shape[1:] or not np.isfinite(centre).all():
            raise UserError(
                f"centre has shape {centre.shape}: expected {x.shape[1:]}, finite: the reals' mean"
            )
        x = x - centre
    lengths = np.linalg.norm(x, axis=1)
    moved = lengths > 0
    x = x[moved] / lengths[moved, None]
    at_centre = (~moved).mean()
    return float(np.exp(_entropy(np.append(_gram_eigenvalues(x) / len(moved), at_centre))))


def effective_rank(x: np.ndarray) -> float:
    """exp of the entropy of the singular values of ``x`` (n, d), in [1, min(n - 1, d)].

    Roy & Vetterli 2007, definition 2, after subtraction of the set's own mean: it counts directions
    of variation; 0 when all rows are equal. Compare equal sizes.
    """
    x = points(x, at_least=2)
    centred = x - x.mean(0)
    # For equal rows only rounding errors remain.
    if (centred**2).sum() <= (len(x) * np.finfo(float).eps) ** 2 * (x**2).sum():
        return 0.0
    values = np.sqrt(_gram_eigenvalues(centred))
    return float(np.exp(_entropy(values / values.sum())))


def _gram_eigenvalues(x: np.ndarray) -> np.ndarray:
    """Squared singular values; those that are 0 up to rounding are set to 0."""
    if not len(x):
        return np.zeros(0)
    values = np.linalg.eigvalsh(x @ x.T if len(x) <= x.shape[1] else x.T @ x)
    return np.where(values > max(x.shape) * np.finfo(float).eps * values[-1], values, 0.0)


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _mean(reference: Reference) -> np.ndarray:
    mean: np.ndarray = reference.train.mean(0)
    return mean


class Vendi(Metric):
    """The Vendi score, with the mean of the training reals as centre."""

    name = "Vendi"
    better = "floor"
    limits = POSITIVE
    place = 80

    def judge(self, sample: Sample) -> float:
        return vendi_score(sample.x, sample.reference.once(_mean))


class EffectiveRank(Metric):
    """The effective rank of the fakes (:func:`effective_rank`)."""

    name = "effective rank"
    better = "floor"
    limits = POSITIVE
    by_default = False
    place = 90

    def judge(self, sample: Sample) -> float:
        return effective_rank(sample.x)

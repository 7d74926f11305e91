"""Exact nearest neighbours in float64, in blocks.

Squared distances are |x|^2 + |y|^2 - 2 x.y, after subtraction of the mean of ``y``. Cancellation
costs about 1e-15 of |x|^2 + |y|^2, so an exact copy would have a distance of 3e-8. Therefore the
few distances that are returned are computed again from the difference; those of copies are 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bascule.core.errors import UserError
from bascule.metrics.metric import Reference
from bascule.metrics.points import pair, points

K = 5  # neighbours of precision, recall, density and coverage
BLOCK = 2**20  # distances in memory at once: 8 MB
# Squared distances that differ by less than this share of |x|^2 + |y|^2 count as equal. It is above
# the rounding error of the product at any usual d, and far below differences between images.
TIE = 1e-12


def squared_blocks(
    x: np.ndarray, y: np.ndarray, slack: float = 0.0
) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared distances from some rows of ``x`` to all of ``y``: (slice, (rows, len(y))), in order.

    With ``slack``, each is increased by that share of |x|^2 + |y|^2, so that ties count as outside.
    """
    centre = y.mean(0)
    x, y = x - centre, y - centre
    xx, yy = (1 + slack) * _squares(x), (1 + slack) * _squares(y)
    rows = max(1, BLOCK // len(y))
    for start in range(0, len(x), rows):
        part = slice(start, min(start + rows, len(x)))
        block = x[part] @ y.T
        block *= -2
        block += xx[part, None]
        block += yy
        yield part, np.maximum(block, 0, out=block)


def _squares(x: np.ndarray) -> np.ndarray:
    squares: np.ndarray = np.einsum("ij,ij->i", x, x)
    return squares


def nearest(x: np.ndarray, y: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices of the ``k`` nearest rows of ``y``, each (len(x), k), nearest first.

    Raises UserError if ``y`` has fewer than ``k`` rows, and as :func:`pair`.
    """
    x, y = pair(x, y)
    return _nearest(x, y, k, alone=False)


def nearest_others(x: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`nearest`, among the other rows of ``x``: a row is not its own neighbour.

    An equal row is, at distance 0.
    """
    x = points(x)
    return _nearest(x, x, k, alone=True)


def radii(x: np.ndarray, k: int) -> np.ndarray:
    """The distance from each row to its ``k``-th nearest other row, (n,)."""
    return nearest_others(x, k)[0][:, -1]


def to_neighbours(reference: Reference) -> np.ndarray:
    """Distances from each training real to its :data:`K` nearest others, (m, K), nearest first."""
    k = min(K, len(reference.train) - 1)
    return reference.keep(
        f"distances to {k} neighbours", lambda: nearest_others(reference.train, k)[0]
    )


def _nearest(x: np.ndarray, y: np.ndarray, k: int, alone: bool) -> tuple[np.ndarray, np.ndarray]:
    if not 1 <= k <= len(y) - alone:
        raise UserError(
            f"{k} nearest neighbours among {len(y) - alone} rows: expected between 1 and "
            f"{len(y) - alone}; give more images or a smaller k"
        )
    distances = np.empty((len(x), k))
    indices = np.empty((len(x), k), np.int64)
    for part, squared in squared_blocks(x, y):
        if alone:
            squared[np.arange(len(squared)), np.arange(part.start, part.stop)] = np.inf
        near = _smallest(squared, k)
        for j in range(k):  # one neighbour at a time, because k differences need much memory
            distances[part, j] = np.sqrt(_squares(x[part] - y[near[:, j]]))
        order = np.argsort(distances[part], axis=1, kind="stable")
        distances[part] = np.take_along_axis(distances[part], order, axis=1)
        indices[part] = np.take_along_axis(near, order, axis=1)
    return distances, indices


def _smallest(squared: np.ndarray, k: int) -> np.ndarray:
    if k == 1:
        nearest: np.ndarray = squared.argmin(1)
        return nearest[:, None]
    return np.argpartition(squared, k - 1, axis=1)[:, :k]

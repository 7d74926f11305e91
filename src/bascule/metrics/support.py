"""The number of different images that a generator makes: the birthday estimate.

Arora & Zhang 2017: if a batch of s images has two equal ones with probability 1/2, the support is
about s^2 / (2 ln 2), for equally likely images. They looked for equal images by eye. Here two
images count as equal if their features are closer than a threshold that is derived from the reals.
Show these pairs to the reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt

import numpy as np
from scipy.stats import chi2

from bascule.core.errors import UserError
from bascule.metrics.least import Sizes
from bascule.metrics.neighbours import radii, squared_blocks
from bascule.metrics.points import points

QUANTILE = 0.01
# With fewer than 100 reals, the threshold would be the smallest of all distances. 20 fakes can show
# a support of at most 63 images.
LEAST = Sizes(fakes=20, held_out=0, train=100)


@dataclass(frozen=True)
class Support:
    """The estimate: support = pairs / close pairs, the inverse probability of two equal images.

    size         the support; inf if no pair is close. If images are not equally likely, this is the
                 effective number of order 2, which is at most the support.
    at_least     its lower 95 % bound, if close pairs are independent (Poisson). It is a little too
                 high if one image is repeated often.
    batch        the number of images that have two equal ones with probability 1/2
    close_pairs  pairs below the threshold
    threshold    the distance below which images count as equal
    closest      (pairs, 2) indices i < j, closest first
    distances    (pairs,)
    """

    size: float
    at_least: float
    batch: float
    close_pairs: int
    threshold: float
    closest: np.ndarray
    distances: np.ndarray


def near_duplicate_threshold(real: np.ndarray, quantile: float = QUANTILE) -> float:
    """The distance below which two images count as equal.

    It is this quantile of the distances from a real to its nearest other real, without exact
    copies. It decreases with more reals, so report their number. By definition 1 % of the reals are
    then near another: ``birthday(real, threshold)`` gives the value for the reals themselves.
    """
    if not 0 < quantile < 1:
        raise UserError(f"quantile {quantile}: expected a number between 0 and 1")
    distances = radii(points(real, "real", at_least=2), 1)
    if not distances.any():
        raise UserError("every real image has an exact copy among the reals: remove copies first")
    return float(np.quantile(distances[distances > 0], quantile))


def birthday(x: np.ndarray, threshold: float, show: int = 20) -> Support:
    """The support, estimated from the close pairs of ``x`` (n, d), and the ``show`` closest."""
    x = points(x, at_least=2)
    if not threshold > 0 or show < 1:
        raise UserError(f"threshold {threshold}, {show} pairs to show: expected both above 0")
    close = 0
    i, j, found = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    for part, squared in squared_blocks(x, x):
        squared[np.arange(len(x)) <= np.arange(part.start, part.stop)[:, None]] = inf
        close += int((squared < threshold**2).sum())
        near = np.argpartition(squared, min(show, squared.size) - 1, axis=None)[:show]
        rows, columns = np.unravel_index(near, squared.shape)
        real_pairs = columns > rows + part.start
        rows, columns = rows[real_pairs] + part.start, columns[real_pairs]
        i, j = np.concatenate([i, rows]), np.concatenate([j, columns])
        found = np.concatenate([found, np.linalg.norm(x[rows] - x[columns], axis=1)])
        order = np.argsort(found, kind="stable")[:show]
        i, j, found = i[order], j[order], found[order]
    pairs = len(x) * (len(x) - 1) / 2
    size = pairs / close if close else inf
    return Support(
        size=size,
        at_least=float(pairs / (chi2.ppf(0.95, 2 * (close + 1)) / 2)),
        batch=sqrt(2 * log(2) * size),
        close_pairs=close,
        threshold=threshold,
        closest=np.stack([i, j], axis=1),
        distances=found,
    )

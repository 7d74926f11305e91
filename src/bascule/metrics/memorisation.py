"""Does a generator reproduce its training images? Two tests that use distances to them.

Neither is a proof: Stein et al. 2023 found that such tests miss memorisation that people see. Look
at nearest neighbours too.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.metrics.metric import Metric, Reference, Sample
from bascule.metrics.neighbours import nearest, radii, to_neighbours
from bascule.metrics.points import pair, points
from bascule.metrics.quantity import SHARE

COMPONENTS = 64
IN_CELL = 20  # least fakes, and least held-out, in a cell for the normal approximation


@dataclass(frozen=True)
class Cells:
    """Training images in their leading principal components, divided into k-means cells."""

    mean: np.ndarray
    axes: np.ndarray  # (d, components)
    centres: np.ndarray  # (cells, components)
    train: np.ndarray  # (n, components)
    cell: np.ndarray  # (n,)

    @classmethod
    def of(cls, train: np.ndarray, cells: int = 3, seed: int = 0) -> Cells:
        """With 64 components, or all if there are fewer; k-means++ with this ``seed``."""
        from scipy.cluster.vq import kmeans2

        train = points(train, "train", at_least=2)
        if not 1 <= cells <= len(train):
            raise UserError(
                f"{cells} cells for {len(train)} train images: expected at least 1 cell, and at "
                "least as many images as cells"
            )
        mean = train.mean(0)
        axes = _axes(train - mean)
        seen = (train - mean) @ axes
        rng = np.random.default_rng(address("cells", seed))
        start = _spread_out(seen, cells, rng)
        with warnings.catch_warnings():  # a cell may become empty; then no image belongs to it
            warnings.simplefilter("ignore")
            centres, cell = kmeans2(seen, start, iter=50, minit="matrix")
        return cls(mean, axes, centres, seen, cell)

    def place(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The components of ``x``, (n, components), and the cell of each row, (n,)."""
        seen = (x - self.mean) @ self.axes
        return seen, nearest(seen, self.centres)[1][:, 0]


def copying(
    fake: np.ndarray, train: np.ndarray, held_out: np.ndarray, cells: int = 3, seed: int = 0
) -> float:
    """C_T of Meehan, Chaudhuri & Dasgupta 2020: far below 0, copies; near 0, good; above, not.

    In each cell, distances from fakes to the nearest training image are ranked among those from
    held-out images (Mann-Whitney U as a z-score, corrected for ties). Cells are weighted by their
    share of the held-out images. A z-score grows with the number of images: compare equal sizes.

    Departures: cells with fewer than 20 fakes or held-out images are left out; if none remains, all
    images form one cell. Needs at least 20 of each.
    """
    train, fake = pair(train, fake, ("train", "fake"), at_least=2)
    return copying_in(Cells.of(train, cells, seed), fake, held_out)


def copying_in(cells: Cells, fake: np.ndarray, held_out: np.ndarray) -> float:
    """As :func:`copying`, with given cells."""
    fake, held_out = pair(fake, held_out, ("fake", "held_out"), at_least=IN_CELL)
    (fake, of_fake), (held_out, of_held_out) = cells.place(fake), cells.place(held_out)
    scores, weights = [], []
    for cell in range(len(cells.centres)):
        f, h, t = fake[of_fake == cell], held_out[of_held_out == cell], cells.cell == cell
        if min(len(f), len(h)) >= IN_CELL and t.any():
            scores.append(_farther(f, h, cells.train[t]))
            weights.append(len(h))
    if not scores:
        return _farther(fake, held_out, cells.train)
    return float(np.average(scores, weights=weights))


def _farther(fake: np.ndarray, held_out: np.ndarray, train: np.ndarray) -> float:
    """z-score of the Mann-Whitney U; positive if fakes are farther from train than held-out."""
    from scipy.stats import rankdata

    f, h = nearest(fake, train)[0][:, 0], nearest(held_out, train)[0][:, 0]
    n, m = len(f), len(h)
    ranks = rankdata(np.concatenate([f, h]))
    u = ranks[:n].sum() - n * (n + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    tied = (ties.astype(float) ** 3 - ties).sum() / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - tied)
    return float((u - n * m / 2) / np.sqrt(variance)) if variance > 0 else 0.0


def authenticity(
    fake: np.ndarray, train: np.ndarray, train_radii: np.ndarray | None = None
) -> float:
    """AuthPct of Alaa et al. 2022 as a share in [0, 1]: fakes that are not copies.

    A fake is authentic if it is farther from its nearest training image than that image is from its
    own nearest neighbour (strictly). For fresh reals this is not 50 %: for normal data it is 38 %
    in 2, 68 % in 16 and 79 % in 64 dimensions. So compare it with its floor. ``train_radii``:
    ``radii(train, 1)``, if known.
    """
    fake, train = pair(fake, train, ("fake", "train"))
    reach = radii(points(train, "train", 2), 1) if train_radii is None else train_radii
    distance, index = nearest(fake, train)
    return float((distance[:, 0] > reach[index[:, 0]]).mean())


def _axes(centred: np.ndarray) -> np.ndarray:
    """The leading principal directions, (d, at most 64), from the smaller Gram matrix."""
    from scipy.linalg import eigh

    n, d = centred.shape
    keep = min(COMPONENTS, d, n - 1)
    if d <= n:
        axes: np.ndarray = eigh(centred.T @ centred, subset_by_index=(d - keep, d - 1))[1]
        return axes
    values, left = eigh(centred @ centred.T, subset_by_index=(n - keep, n - 1))
    values = np.maximum(values, np.finfo(float).tiny)
    axes = centred.T @ (left / np.sqrt(values))
    return axes


def _spread_out(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ (Arthur & Vassilvitskii 2007): rows drawn by their squared distance to the others.

    Fewer than ``count`` if there are fewer different rows.
    """
    chosen = [int(rng.integers(len(x)))]
    while len(chosen) < count:
        weights = nearest(x, x[chosen])[0][:, 0] ** 2
        if not weights.any():
            break
        chosen.append(int(rng.choice(len(x), p=weights / weights.sum())))
    return x[chosen]


def _cells(reference: Reference) -> Cells:
    return Cells.of(reference.train, seed=reference.seed)


class Copying(Metric):
    """C_T: fakes and as many held-out reals, ranked by their distance to training reals."""

    name = "C_T"
    better = "floor"
    ideal = 0.0
    at_least = IN_CELL
    cut = "halves"
    place = 140
    explained = (
        "whether fakes are nearer to training pictures than new real pictures are: 0, alike; "
        "below −3, copies"
    )

    def judge(self, sample: Sample) -> float:
        reference = sample.reference
        return copying_in(reference.once(_cells), sample.x, reference.test)


class Authenticity(Metric):
    """The share of fakes that are not copies of training reals (:func:`authenticity`)."""

    name = "authenticity"
    better = "floor"
    limits = SHARE
    place = 150

    def judge(self, sample: Sample) -> float:
        reference = sample.reference
        return authenticity(sample.x, reference.train, reference.once(to_neighbours)[:, 0])

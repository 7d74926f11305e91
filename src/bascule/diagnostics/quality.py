"""Quality, diversity and copying of a few images of G, with floors from reals."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from bascule.core.errors import UserError
from bascule.features.random_conv import RandomConv
from bascule.metrics.manifold import manifold
from bascule.metrics.memorisation import Cells, copying_in
from bascule.metrics.mmd import polynomial_mmd
from bascule.metrics.neighbours import nearest, radii
from bascule.metrics.spread import mean_pairwise_distance
from bascule.metrics.two_sample import one_nn
from bascule.metrics.vendi import effective_rank, vendi_score
from bascule.training.loop import Row

FEWEST = 50  # images of each set; with fewer, neighbours and cells mean little
OF_HELD_OUT = (  # the values that need so many
    *("coverage", "vendi_ratio", "distance_ratio", "rank_ratio", "one_nn_fake", "C_T"),
    *("nearest_10", "nearest_50"),
)
K = 5  # the k-th neighbour gives the radius of a ball (Naeem et al. 2020)


class Quality:
    """Computes everything about the reals once, so that :meth:`row` is fast.

    ``held_out`` (n, 3, H, W) and ``train`` (N, 3, H, W), N >= n, are uint8 images. Fakes are
    compared with the first n of train, and with all of train to find copies. Features are random
    convolutions: they need no download, are fast, and depend on no data set. But they recognise
    faces poorly, so compare with the floors, and evaluate finished runs with other extractors too.
    Raises UserError for fewer than ``FEWEST`` held-out images, or fewer training images.
    """

    def __init__(self, train: Tensor, held_out: Tensor) -> None:
        n = len(held_out)
        if not FEWEST <= n <= len(train):
            raise UserError(
                f"quality against {n} held-out and {len(train)} training images: expected at "
                f"least {FEWEST} held-out images, and as many training images; use a larger set"
            )
        self.features = RandomConv()
        self.train, self.held_out = self._of(train), self._of(held_out)
        self.some, self.centre = self.train[:n], self.train.mean(0)
        self.radii = radii(self.some, K)
        self.cells = Cells.of(self.train)
        self.near = np.quantile(nearest(self.held_out, self.train)[0], (0.1, 0.5))
        self.spread = (
            vendi_score(self.held_out, self.centre),
            mean_pairwise_distance(self.held_out),
            effective_rank(self.held_out),
        )
        self.floor: Row = {
            "mmd_floor": polynomial_mmd(self.some, self.held_out).value,
            "coverage_floor": manifold(self.some, self.held_out, K, self.radii).coverage,
        }

    def row(self, fakes: Tensor) -> Row:
        """The measurements of n fakes; a floor is the value for held-out reals in their place.

        - ``mmd``, ``mmd_se``, ``mmd_floor``: squared MMD with the cubic kernel, and its standard
          error;
        - ``coverage``, ``coverage_floor``;
        - ``vendi_ratio``, ``distance_ratio``, ``rank_ratio``: Vendi score, mean pairwise distance
          and effective rank, divided by those of held-out reals;
        - ``one_nn_fake``: share of fakes whose nearest neighbour among fakes and held-out reals is
          a fake;
        - ``C_T``: Meehan et al. 2020; far below 0 if fakes are too near to training images;
        - ``nearest_10``, ``nearest_50``: quantiles of the distance to the nearest training image,
          divided by those of held-out reals: 1 for new images, near 0 for copies.
        """
        fake = self._of(fakes)
        mmd = polynomial_mmd(self.some, fake)
        near = np.quantile(nearest(fake, self.train)[0], (0.1, 0.5))
        vendi, distance, rank = self.spread
        # If all reals are equal, this avoids a division by 0; the ratio is then large, as expected.
        tiny = np.finfo(float).tiny
        return {
            "mmd": mmd.value,
            "mmd_se": mmd.se,
            "coverage": manifold(self.some, fake, K, self.radii).coverage,
            "vendi_ratio": vendi_score(fake, self.centre) / vendi,
            "distance_ratio": mean_pairwise_distance(fake) / max(distance, tiny),
            "rank_ratio": effective_rank(fake) / max(rank, tiny),
            "one_nn_fake": one_nn(self.held_out, fake).fake_half,
            "C_T": copying_in(self.cells, fake, self.held_out),
            "nearest_10": near[0] / max(self.near[0], tiny),
            "nearest_50": near[1] / max(self.near[1], tiny),
        } | self.floor

    def _of(self, pictures: Tensor) -> np.ndarray:
        return self.features(pictures.numpy()).astype(np.float64)


class Likeness:
    """Compares fakes with training images, for runs with few held-out images.

    ``train``: uint8 (m, 3, H, W), compared with as many fakes. A G that copies its training images
    looks perfect here. So these values can show failures, but not quality.
    """

    def __init__(self, train: Tensor) -> None:
        self.features = RandomConv()
        self.train = self._of(train)
        self.centre = self.train.mean(0)
        self.kinds = vendi_score(self.train, self.centre)
        self.directions = effective_rank(self.train)
        self.distance = mean_pairwise_distance(self.train)
        self.contrast = _contrast(train)

    def row(self, fakes: Tensor) -> Row:
        """The measurements of m fakes.

        - ``mmd``, ``mmd_se``: as in :meth:`Quality.row`, which also compares with training images;
        - ``vendi_train``, ``rank_train``, ``distance_train``: Vendi score, effective rank and mean
          pairwise distance, divided by those of the training images;
        - ``contrast_train``: standard deviation of an image's pixels, averaged over images, divided
          by that of training images: near 0 for grey fakes.
        """
        fake = self._of(fakes)
        mmd = polynomial_mmd(self.train, fake)
        tiny = np.finfo(float).tiny
        return {
            "mmd": mmd.value,
            "mmd_se": mmd.se,
            "vendi_train": vendi_score(fake, self.centre) / self.kinds,
            "rank_train": effective_rank(fake) / max(self.directions, tiny),
            "distance_train": mean_pairwise_distance(fake) / max(self.distance, tiny),
            "contrast_train": _contrast(fakes) / max(self.contrast, tiny),
        }

    def _of(self, pictures: Tensor) -> np.ndarray:
        return self.features(pictures.numpy()).astype(np.float64)


def _contrast(pictures: Tensor) -> float:
    return float(pictures.double().flatten(1).std(1, correction=0).mean())

"""How good, how varied and how much copied a few pictures of G are, beside the floor of reals."""

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

FEWEST = 50  # pictures of each set: below, neighbours and cells of them mean little
OF_HELD_OUT = (  # what needs so many
    *("coverage", "vendi_ratio", "distance_ratio", "rank_ratio", "one_nn_fake", "C_T"),
    *("nearest_10", "nearest_50"),
)
K = 5  # neighbours within whose ball a picture counts as near (Naeem et al. 2020)


class Quality:
    """What is known of the reals once, so that :meth:`row` is quick.

    ``held_out`` (n, 3, H, W) and ``train`` (N, 3, H, W), N >= n, are uint8 pictures; fakes are
    compared with the first n of train, and searched for copies of all of them. Features are random
    convolutions: offline, quick, and shaped by no data set. Their sense of a face is weak; so mind
    the floors, and measure finished runs with other extractors too.
    """

    def __init__(self, train: Tensor, held_out: Tensor) -> None:
        n = len(held_out)
        if not FEWEST <= n <= len(train):
            raise UserError(
                f"quality against {n} held-out and {len(train)} training images: expected at "
                f"least {FEWEST} held out, and as many to train on"
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
        """The measurements of n pictures; a floor is the value of held-out reals in their place.

        - ``mmd``, ``mmd_se``, ``mmd_floor``: squared MMD with the cubic kernel;
        - ``coverage``, ``coverage_floor``; ``vendi_ratio``, ``distance_ratio``, ``rank_ratio``:
          Vendi score, mean pairwise distance and effective rank over those of held-out reals;
        - ``one_nn_fake``: share of fakes whose nearest is a fake, among fakes and held-out reals;
        - ``C_T``: Meehan et al. 2020; far below 0 where fakes hug training images;
        - ``nearest_10``, ``nearest_50``: quantiles of the distance to the nearest training image,
          over those of held-out reals: 1 for new pictures, near 0 for copies.
        """
        fake = self._of(fakes)
        mmd = polynomial_mmd(self.some, fake)
        near = np.quantile(nearest(fake, self.train)[0], (0.1, 0.5))
        vendi, distance, rank = self.spread
        # Reals that are all alike would divide by 0; the ratio is then large, as it should be.
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
    """How far G's pictures are from those it learns from: what is left where few are held out.

    ``train`` (m, 3, H, W), uint8, are compared with as many fakes. A G that copies its training
    images looks perfect here, so this says what is bad, and never what is good.
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
        """The measurements of m pictures.

        - ``mmd``, ``mmd_se``: as :meth:`Quality.row` has them, which compares with training images
          too;
        - ``vendi_train``, ``rank_train``, ``distance_train``: Vendi score, effective rank and mean
          pairwise distance over those of the training images;
        - ``contrast_train``: mean deviation of the pixels of a picture, over that of a training
          image: near 0 for grey ones.
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

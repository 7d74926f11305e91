"""The sliced Wasserstein distance between patches, at each scale, with its floor."""

from __future__ import annotations

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.data.images import ImageSet
from bascule.features.pyramid import COARSEST, Descriptors, descriptors, normalised
from bascule.metrics.least import Sizes
from bascule.metrics.metric import FEW, Measured
from bascule.metrics.sliced import sliced_wasserstein

PATCHES = 64  # per image
DIRECTIONS = 128
AT_MOST = 500  # images in a set; they have 32,000 patches, which is enough
SETS = 3
LEAST = Sizes(FEW, FEW, FEW)
SPEC = f"laplacian pyramid, 7x7 patches, {PATCHES} an image, {DIRECTIONS} directions;v1"
TIMES = 1000  # papers print the distance x 1000


def has_patches(images: ImageSet) -> bool:
    """Whether a pyramid can be built for images of this shape: squares of 16, 32, 64, ... px."""
    size = images.size
    return size >= COARSEST and size & (size - 1) == 0 and images.shape.sides is None


def patch_distances(fakes: np.ndarray, images: ImageSet, seed: int = 0) -> dict[str, Measured]:
    """Distances to training images (W1 x 1000) by label, such as "SWD[laplacian,64px]".

    Sets of n = min(fakes, training, held-out, 500) images are compared with the same n training
    images; the floor is that of n held-out images. Raises :class:`UserError` for fewer than
    :data:`LEAST`.
    """
    train, held_out = images.indices("train"), images.indices("held_out")
    if why := LEAST.lacks(Sizes(len(fakes), len(held_out), len(train))):
        raise UserError(f"SWD {why}; give more images")
    n = min(len(fakes), len(train), len(held_out), AT_MOST)
    reals = _described(images.pixels[_some(train, n, "train", seed)], seed)
    beside = normalised(reals, reals)

    def distances(pictures: np.ndarray) -> dict[int, float]:
        ours = normalised(_described(pictures, seed), reals)
        found = {}
        for level, x in ours.items():
            rng = np.random.default_rng(address("patch directions", seed, level))
            w1 = sliced_wasserstein(x, beside[level], rng, DIRECTIONS).w1
            found[level] = TIMES * w1
        return found

    floor = distances(images.pixels[_some(held_out, n, "held out", seed)])
    order = _some(np.arange(len(fakes)), len(fakes), "fakes", seed)
    sets = [order[start : start + n] for start in range(0, len(fakes) - n + 1, n)][:SETS]
    values = [distances(fakes[one]) for one in sets]
    return {
        f"SWD[laplacian,{level}px]": _measured([v[level] for v in values], floor[level], n)
        for level in floor
    }


def _measured(values: list[float], floor: float, n: int) -> Measured:
    se = float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else np.nan
    return Measured(float(np.mean(values)), floor, se, np.nan, n, n, len(values))


def _described(pictures: np.ndarray, seed: int) -> Descriptors:
    return descriptors(pictures, seed, PATCHES)


def _some(indices: np.ndarray, n: int, name: str, seed: int) -> np.ndarray:
    return np.random.default_rng(address("patches", name, seed)).permutation(indices)[:n]

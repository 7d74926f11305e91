"""Pixels at 16 px as features: images that look alike are close to each other.

For nearest neighbours and near duplicates. As a measure of quality they show little but brightness.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from bascule.data.images import Progress
from bascule.features.extractor import in_batches

VERSION = 1
SIDE = 16


class Pixels:
    """(N, 3, H, H) uint8 -> (N, 768) float32 in [0, 1]: area means of each channel.

    They equal the thumbnails of ``data.near_duplicates``. Its threshold applies to the root mean
    square distance over these 768 numbers.
    """

    name = f"pixels,{SIDE}px"
    spec = f"{name};v{VERSION};weights none;resize area means"

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        return in_batches(self, images, self._of_batch, 1024, progress)

    @staticmethod
    def _of_batch(images: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(images.float(), SIDE).flatten(1) / 255

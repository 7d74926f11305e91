"""A picture of fakes beside their nearest training images, which no number can replace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from bascule.core.context import address
from bascule.data.decoding import as_picture
from bascule.metrics.neighbours import nearest

ROWS = 12
BESIDE = 4  # neighbours of each fake
GAP = 10  # pixels between a fake and its neighbours
BETWEEN = 24  # pixels between blocks


def neighbour_grid(
    fakes: np.ndarray,
    pixels: np.ndarray,
    train: np.ndarray,
    fake_features: np.ndarray,
    train_features: np.ndarray,
    twins: np.ndarray,
) -> Image.Image:
    """Three blocks of rows: random fakes, possible copies, and fakes that are alike.

    Rows of the left and middle blocks are a fake and its 4 nearest training images. Left: 12 random
    fakes. Middle: the 12 fakes nearest to a training image, which are most likely copies. Right:
    pairs of fakes. Fewer fakes give fewer rows.

    fakes, pixels  uint8 (N, 3, H, W); ``pixels``: of the set
    train          (n,), the indices of the training images in it
    fake_features, train_features   (N, d), the features in which distances are measured
    twins          (pairs, 2), indices of the fakes that are nearest to each other
    """
    distances, indices = nearest(fake_features, train_features, min(BESIDE, len(train)))
    rng = np.random.default_rng(address("neighbour grid", len(fakes)))
    random = np.sort(rng.permutation(len(fakes))[:ROWS])
    closest = np.argsort(distances[:, 0], kind="stable")[:ROWS]
    blocks = [
        _block([[fakes[k], *pixels[train[indices[k]]]] for k in random], GAP),
        _block([[fakes[k], *pixels[train[indices[k]]]] for k in closest], GAP),
        *([_block([[fakes[i], fakes[j]] for i, j in twins[:ROWS]], 2)] if len(twins) else []),
    ]
    height = max(block.shape[1] for block in blocks)
    width = sum(block.shape[2] for block in blocks) + 2 * BETWEEN
    sheet = np.full((fakes.shape[1], height, width), 255, np.uint8)
    left = 0
    for block in blocks:
        sheet[:, : block.shape[1], left : left + block.shape[2]] = block
        left += block.shape[2] + BETWEEN
    return as_picture(sheet)


def _block(rows: Sequence[Sequence[np.ndarray]], gap: int) -> np.ndarray:
    """Rows of images (C, H, W), two white pixels apart, and ``gap`` after the first of each row."""
    channels, high, wide = rows[0][0].shape
    down, right = high + 2, wide + 2
    width = right * len(rows[0]) - 4 + gap
    sheet = np.full((channels, len(rows) * down - 2, width), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            left = column * right + (gap - 2 if column else 0)
            sheet[:, row * down : row * down + high, left : left + wide] = picture
    return sheet

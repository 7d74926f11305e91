"""Grids of images."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch import Tensor

from bascule.data.decoding import as_picture

GAP = 2  # pixels between images


def grid(images: Tensor, columns: int) -> Image.Image:
    """A grid of images uint8 (B, C, H, W), row by row, ``GAP`` white pixels apart."""
    b, c, h, w = images.shape
    rows = -(-b // columns)
    sheet = np.full((c, rows * (h + GAP) - GAP, columns * (w + GAP) - GAP), 255, np.uint8)
    for k, picture in enumerate(images.numpy()):
        top, left = (k // columns) * (h + GAP), (k % columns) * (w + GAP)
        sheet[:, top : top + h, left : left + w] = picture
    return as_picture(sheet)


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures of equal height side by side, ``8 * GAP`` white pixels apart."""
    sheet = Image.new(left.mode, (left.width + 8 * GAP + right.width, left.height), "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + 8 * GAP, 0))
    return sheet

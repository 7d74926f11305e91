"""Patches of Laplacian pyramids, which the sliced Wasserstein distance compares at each scale.

Karras et al. 2018 (progressive growing of GANs), section 5, with the pyramid of Burt & Adelson
1983: 7x7 patches of all three channels at 64, 32 and 16 px. Two departures. The original normalises
each set by its own channel statistics, so it cannot detect a shift of colour or contrast; here the
statistics of the reals normalise both sets. And patches are at the same pseudo-random positions in
both sets, so that the distance of a set to itself is 0.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.data.batches import as_float
from bascule.features.extractor import as_rgb, check_images

PATCH = 7
COARSEST = 16  # px
BATCH = 256
Descriptors = dict[int, np.ndarray]


def descriptors(images: np.ndarray, seed: int, patches: int = 128) -> Descriptors:
    """Patches by level: {side: float32 (N * patches, 147)}, for uint8 images (N, C, H, H).

    Levels are H, H / 2, ... 16; H must be 16 times a power of two. Rows are in the order of the
    images; a row is a flattened patch (3, 7, 7). For a given seed, image i has the same positions
    in every set. Each level needs 75 kB per image at 128 patches: 376 MB for 5,000 images.
    """
    check_images(images)
    high, side = images.shape[-2:]
    if side < COARSEST or side & (side - 1) or high != side:
        raise UserError(
            f"a pyramid of images of {side} x {high} px: expected squares of 16, 32, 64, 128 ... px"
        )
    levels = [side >> step for step in range((side // COARSEST).bit_length())]
    found = {
        level: np.empty((len(images), patches, 3, PATCH, PATCH), np.float32) for level in levels
    }
    corners = {level: _corners(len(images), patches, level, seed) for level in levels}
    for start in range(0, len(images), BATCH):
        part = slice(start, start + BATCH)
        x = as_float(as_rgb(torch.from_numpy(np.array(images[part]))))
        for level, band in zip(levels, pyramid(x, len(levels)), strict=True):
            found[level][part] = _cut(band.numpy(), corners[level][part])
    return {level: x.reshape(-1, 3 * PATCH * PATCH) for level, x in found.items()}


def normalised(given: Descriptors, reals: Descriptors) -> Descriptors:
    """``given``, with each channel of each level normalised by mean and deviation of the reals.

    Call it for the reals too: ``normalised(reals, reals)``.
    """
    found = {}
    for level, x in given.items():
        real = reals[level].reshape(-1, 3, PATCH * PATCH)
        mean = real.mean((0, 2), np.float64, keepdims=True)[0]  # (3, 1)
        std = real.std((0, 2), np.float64, keepdims=True)[0]
        std[std == 0] = 1  # a channel that is constant in the reals
        by_channel = x.reshape(-1, 3, PATCH * PATCH) - mean.astype(np.float32)
        found[level] = (by_channel / std.astype(np.float32)).reshape(x.shape)
    return found


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """Float images (B, C, H, H) -> ``levels`` bands, finest first; the last is the lowpass image.

    To restore ``x``, start with the last band, and repeatedly expand and add the next finer one.
    """
    bands = []
    for _ in range(levels - 1):
        smaller = reduce(x)
        bands.append(x - expand(smaller))
        x = smaller
    return [*bands, x]


def reduce(x: Tensor) -> Tensor:
    """Half the side: smooth with the binomial kernel 1 4 6 4 1, then take every second pixel."""
    return F.conv2d(_mirrored(x), _kernel(x.shape[1]), stride=2, groups=x.shape[1])


def expand(x: Tensor) -> Tensor:
    """Twice the side: insert zeros between pixels, then smooth with four times the same kernel."""
    b, c, h, w = x.shape
    spread = x.new_zeros(b, c, 2 * h, 2 * w)
    spread[:, :, ::2, ::2] = x
    return F.conv2d(_mirrored(spread), 4 * _kernel(c), groups=c)


def _mirrored(x: Tensor) -> Tensor:
    return F.pad(x, (2, 2, 2, 2), mode="reflect")


def _kernel(channels: int) -> Tensor:
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    return torch.outer(row, row).expand(channels, 1, 5, 5)


def _corners(n: int, patches: int, level: int, seed: int) -> np.ndarray:
    """Upper left corners (n, patches, 2); a smaller n gives the first rows of a larger one."""
    draw = np.random.default_rng(address("pyramid patches", seed, level))
    return draw.integers(0, level - PATCH + 1, (n, patches, 2))


def _cut(band: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Patches (B, patches, C, 7, 7) of ``band`` (B, C, H, H)."""
    windows = np.lib.stride_tricks.sliding_window_view(band, (PATCH, PATCH), axis=(2, 3))
    which = np.arange(len(band))[:, None]
    return windows[which, :, corners[..., 0], corners[..., 1]]

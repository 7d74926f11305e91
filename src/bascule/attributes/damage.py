"""Damaged images: slight damage as in a generator's faces, and impostors that are no faces.

x: float (B, 3, H, W) in [-1, 1] throughout. ``imperfect`` keeps every attribute readable; the
classifier must tolerate it. An impostor is an image that no renderer would draw; the classifier
must reject it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 3  # least radius of a blur kernel in pixels


def imperfect(x: Tensor, rng: torch.Generator) -> Tensor:
    """Each image with slight random damage of its own; all amounts are uniformly distributed.

    Mirrored with probability 1/2 (recipes mirror reals, so generators learn it). Moved by whole
    pixels, up to 1/32 of the side. Blurred, standard deviation up to 0.8 pixels at 64 px. Contrast
    0.9 to 1.1, colours shifted by up to 0.04. Quantised to 16 to 64 levels. White noise, standard
    deviation up to 0.06. Blur, quantisation and noise each affect only half of the images.
    """
    size = x.shape[-1]
    x = torch.where(_uniform(x, rng) < 0.5, x.flip(-1), x)
    x = _moved(x, size // 32, rng)
    x = blurred(x, (0.8 * size / 64 * _spared(x, rng)).flatten())
    x = x * (0.9 + 0.2 * _uniform(x, rng)) + 0.08 * (_uniform(x, rng, 3) - 0.5)
    levels = (16 + 48 * _uniform(x, rng)).round()
    x = torch.where(_uniform(x, rng) < 0.5, (x * levels / 2).round() * 2 / levels, x)
    noise = torch.randn(x.shape, generator=rng)
    return (x + 0.06 * _spared(x, rng) * noise).clamp(-1, 1)


def blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, ``sigma`` (B,) in pixels for each image; the border is repeated."""
    reach = max(REACH, math.ceil(3 * float(sigma.max())))
    reach = min(reach, x.shape[-1] - 1)
    at = torch.arange(-reach, reach + 1, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (at / sigma.clamp(min=1e-2)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(x.shape[1], 0)
    flat = x.reshape(1, -1, *x.shape[-2:])
    padded = F.pad(flat, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel[:, None, None, :], groups=len(kernel))
    return F.conv2d(across, kernel[:, None, :, None], groups=len(kernel)).reshape(x.shape)


def noise(x: Tensor, rng: torch.Generator) -> Tensor:
    """Uniform noise instead of x."""
    return 2 * torch.rand(x.shape, generator=rng) - 1


def average(x: Tensor, rng: torch.Generator) -> Tensor:
    """The mean of each image and the previous one in the batch."""
    return (x + x.roll(1, 0)) / 2


def halves(x: Tensor, rng: torch.Generator) -> Tensor:
    """The left half of each image and the right half of the previous one in the batch."""
    half = x.shape[-1] // 2
    return torch.cat((x[..., :half], x.roll(1, 0)[..., half:]), -1)


def heavy_blur(x: Tensor, rng: torch.Generator) -> Tensor:
    """Gaussian blur with a standard deviation of 1/16 of the side."""
    return blurred(x, torch.full((len(x),), x.shape[-1] / 16))


def shuffled(x: Tensor, rng: torch.Generator) -> Tensor:
    """The sixteen tiles of each image in a random order."""
    tile = x.shape[-1] // 4
    order = torch.randperm(16, generator=rng)
    rows = [
        torch.cat([_tile(x, int(k), tile) for k in order[r : r + 4]], -1) for r in (0, 4, 8, 12)
    ]
    return F.interpolate(torch.cat(rows, -2), x.shape[-2:], mode="nearest")


IMPOSTORS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "noise": noise,
    "average of two faces": average,
    "halves of two faces": halves,
    "heavy blur": heavy_blur,
    "shuffled tiles": shuffled,
}


def _tile(x: Tensor, k: int, tile: int) -> Tensor:
    top, left = k // 4 * tile, k % 4 * tile
    return x[..., top : top + tile, left : left + tile]


def _moved(x: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """Each image moved by whole pixels; the border is repeated."""
    if most == 0:
        return x
    side = x.shape[-1]
    shift = torch.randint(-most, most + 1, (2, len(x), 1), generator=rng)
    rows, columns = (torch.arange(side) + shift).clamp(0, side - 1)
    each = torch.arange(len(x))[:, None, None]
    moved = x.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _uniform(x: Tensor, rng: torch.Generator, channels: int = 1) -> Tensor:
    return torch.rand((len(x), channels, 1, 1), generator=rng)


def _spared(x: Tensor, rng: torch.Generator) -> Tensor:
    """0 for half of the images, uniform on [0, 1] for the others."""
    return (2 * _uniform(x, rng) - 1).clamp(min=0)

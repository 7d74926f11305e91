"""Structural similarity of two images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.errors import UserError

SIGMA = 1.5  # pixels
RADIUS = 5  # the window is 11 x 11
K1, K2 = 0.01, 0.03


def ssim(a: Tensor, b: Tensor, data_range: Tensor | float) -> Tensor:
    """SSIM of images a and b, (B, C, H, W) each -> (B,): 1 for equal images.

    Wang, Bovik, Sheikh, Simoncelli 2004, equation 13, with an 11 x 11 Gaussian window of 1.5 px.
    It is the mean over channels and over pixels whose window is completely inside. ``data_range``:
    the difference of the largest and the smallest possible value, a number or (B,). Raises
    UserError for unequal shapes, and for images smaller than the window.
    """
    if a.shape != b.shape or a.ndim != 4:
        raise UserError(
            f"images are {tuple(a.shape)} and {tuple(b.shape)}: expected the same (B, C, H, W)"
        )
    if min(a.shape[2:]) < 2 * RADIUS + 1:
        raise UserError(
            f"images of {a.shape[2]} x {a.shape[3]} px are smaller than the window of SSIM: "
            f"expected at least {2 * RADIUS + 1} px a side"
        )
    at = torch.arange(-RADIUS, RADIUS + 1, dtype=a.dtype, device=a.device)
    line = torch.exp(-0.5 * (at / SIGMA) ** 2)
    window = torch.outer(line, line) / line.sum() ** 2
    channels = a.shape[1]
    kernel = window.expand(channels, 1, -1, -1)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(x, kernel, groups=channels)

    span = torch.as_tensor(data_range, dtype=a.dtype, device=a.device).reshape(-1, 1, 1, 1)
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    both = mean(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    apart = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return (alike / apart).mean((1, 2, 3))

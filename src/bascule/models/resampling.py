"""Padding and resampling whose gradients are deterministic on CUDA, so that runs resume exactly.

On a CPU these are PyTorch's own operations. On CUDA, PyTorch's versions sum gradients in a random
order; here other operations compute the same values (see ``training.hardware.deterministic``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Mirrored(nn.Module):
    """:func:`mirrored` as a layer."""

    def __init__(self, margin: int) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, x: Tensor) -> Tensor:
        return mirrored(x, self.margin)


class MirroredConv2d(nn.Conv2d):
    """A convolution on x (B, C, H, W) with reflection padding by half of the kernel."""

    def forward(self, x: Tensor) -> Tensor:
        x = mirrored(x, self.kernel_size[0] // 2)
        return F.conv2d(x, self.weight, self.bias, self.stride)


def mirrored(x: Tensor, margin: int) -> Tensor:
    """Reflection padding: (B, C, H, W) -> (B, C, H + 2 margin, W + 2 margin)."""
    return _mirrored(x, margin) if x.is_cuda else F.pad(x, (margin,) * 4, "reflect")


def doubled(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling by 2: (B, C, H, W) -> (B, C, 2H, 2W)."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Up(nn.Module):
    """Bilinear upsampling: (B, C, H, W) -> (B, C, 2H, 2W), [1, 3, 3, 1] / 4 along each axis."""

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda:
            return _raised(x)
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Down(nn.Module):
    """(B, C, H, W) -> (B, C, H/2, W/2): [1, 3, 3, 1] / 8 along each axis, the transpose of Up / 4.

    On a CPU it is computed as the gradient of Up. A strided depthwise convolution is many times
    slower there, in a double backward pass and in bf16.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda:
            return _lowered(x)
        batch, channels, high, wide = x.shape
        small = [batch, channels, high // 2, wide // 2]
        halved: Tensor = (
            torch.ops.aten.upsample_bilinear2d_backward(x, [high, wide], small, False) / 4
        )
        return halved


def smoothed(x: Tensor, margin: int) -> Tensor:
    """The filter [1, 3, 3, 1] / 8 along each axis, on x with ``margin`` zeros on every side.

    (B, C, H, W) -> (B, C, H + 2 margin - 3, W + 2 margin - 3). Sums of slices, because a depthwise
    convolution is many times slower on a CPU.
    """
    x = F.pad(x, (margin,) * 4)
    x = x[:, :, :-3] + 3 * (x[:, :, 1:-2] + x[:, :, 2:-1]) + x[:, :, 3:]
    return (x[..., :-3] + 3 * (x[..., 1:-2] + x[..., 2:-1]) + x[..., 3:]) / 64


def _mirrored(x: Tensor, margin: int) -> Tensor:
    for axis in (2, 3):
        near = x.narrow(axis, 1, margin).flip(axis)
        far = x.narrow(axis, x.shape[axis] - 1 - margin, margin).flip(axis)
        x = torch.cat([near, x, far], axis)
    return x


def _raised(x: Tensor) -> Tensor:
    return _smooth(doubled(x))


def _lowered(x: Tensor) -> Tensor:
    return F.avg_pool2d(_smooth(x), 2)


def _smooth(x: Tensor) -> Tensor:
    """[1, 2, 1] / 4 along each axis: the mean of two neighbours, twice."""
    x = F.pad(x, (1, 1, 1, 1), "replicate")
    return F.avg_pool2d(F.avg_pool2d(x, 2, stride=1), 2, stride=1)

"""The common resize rule of the extractors, except Inception and pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

RULE = "bicubic, antialias, clipped, not requantised"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for RGB in [0, 1]


def resized(images: Tensor, side: int) -> Tensor:
    """uint8 (B, 3, H, W) -> float32 (B, 3, side, side) in [0, 1].

    Bicubic with antialiasing, as in Pillow, but from floats to floats: overshoots are clipped, and
    nothing is rounded. Images that already have this side are not changed; others that are not
    square change their proportions.
    """
    unit = images.float() / 255
    if images.shape[-2:] == (side, side):
        return unit
    return F.interpolate(unit, (side, side), mode="bicubic", antialias=True).clamp(0, 1)


def imagenet(images: Tensor, side: int) -> Tensor:
    """As :func:`resized`, then each channel normalised by ImageNet's mean and deviation."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    return (resized(images, side) - mean) / std

"""Augmentations of real images: flips and affine motions, batched, one draw per image.

x: (B, C, H, W) in [-1, 1], on any device; the result has the same shape, range and device. Each
is equal in law to torchvision's transform of one image after another, at a batch's speed. All
draws come from the generator given and from nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.errors import UserError, unknown
from bascule.core.fields import Open, check_fields


class Augmentation(Open):
    """What is done at random to every image of a batch, as a frozen dataclass."""

    needs: ClassVar[tuple[str, ...]] = ("__call__",)

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> another batch of that shape and range."""
        raise NotImplementedError


@dataclass(frozen=True)
class Flip(Augmentation):
    """Mirrors each image left to right with probability ``p``, as RandomHorizontalFlip."""

    p: float = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.p <= 1:
            raise UserError(f"Flip(p={self.p}): expected a probability in [0, 1]")

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        flipped = _uniform((len(x), 1, 1, 1), rng).to(x.device) < self.p
        return torch.where(flipped, x.flip(-1), x)


@dataclass(frozen=True)
class Motions:
    """One affine motion per image, each field (B,): shear, then scale, rotate, translate.

    ``angle`` and ``shear`` are in degrees, about the image's centre, ``angle`` clockwise; ``dx``
    and ``dy`` in pixels, right and down.
    """

    angle: Tensor
    dx: Tensor
    dy: Tensor
    scale: Tensor
    shear: Tensor


@dataclass(frozen=True)
class Affine(Augmentation):
    """Turns, moves, zooms and slants each image, as torchvision's RandomAffine, bilinearly.

    Uniform laws: the angle on [-degrees, degrees]; each shift on [-translate, translate] times
    the side, rounded to whole pixels; the zoom on ``scale``; the slant along x on
    [-shear, shear] degrees. ``fill`` says what comes in from outside the image: its "reflection",
    its "border" pixel drawn out, or "black" (-1, not the mid-grey 0). RandomAffine knows "black"
    only; the other two spare D an edge that G never makes.
    """

    degrees: float = 0.0
    translate: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    fill: str = "reflection"

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.degrees <= 180:
            raise UserError(f"Affine(degrees={self.degrees}): expected a largest angle in [0, 180]")
        if not 0 <= self.translate <= 1:
            raise UserError(
                f"Affine(translate={self.translate}): expected a fraction of the side, in [0, 1]"
            )
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise UserError(
                f"Affine(scale={self.scale}): expected (low, high) with 0 < low <= high"
            )
        if not 0 <= self.shear < 90:
            raise UserError(f"Affine(shear={self.shear}): expected a largest angle in [0, 90)")
        _check_fill(self.fill)

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        if self == Affine(fill=self.fill):
            return x
        return warp(x, self.draw(len(x), x.shape[-2], x.shape[-1], rng), self.fill)

    def draw(self, n: int, height: int, width: int, rng: torch.Generator) -> Motions:
        """The motions of ``n`` images of ``height`` x ``width`` pixels, where ``rng`` lives."""
        u = _uniform((5, n), rng)
        either_way = 2 * u - 1
        low, high = self.scale
        return Motions(
            angle=self.degrees * either_way[0],
            dx=(self.translate * width * either_way[1]).round(),
            dy=(self.translate * height * either_way[2]).round(),
            scale=low + (high - low) * u[3],
            shear=self.shear * either_way[4],
        )


def warp(x: Tensor, motions: Motions, fill: str = "reflection") -> Tensor:
    """Each image of x: (B, C, H, W) in [-1, 1] moved by its own motion, bilinearly; see Affine."""
    _check_fill(fill)
    height, width = x.shape[-2:]
    angle, shear = torch.deg2rad(motions.angle), torch.deg2rad(motions.shear)
    cos, sin, slant = angle.cos(), angle.sin(), shear.tan()
    # The sampling grid asks where each output pixel comes from, so every move is undone:
    # p -> shear^-1 rotate^-1 (p - shift) / scale, in pixels from the centre.
    xx, xy = (cos - slant * sin) / motions.scale, (sin + slant * cos) / motions.scale
    yx, yy = -sin / motions.scale, cos / motions.scale
    x0 = -xx * motions.dx - xy * motions.dy
    y0 = -yx * motions.dx - yy * motions.dy
    # affine_grid counts in half sides.
    theta = torch.stack(
        (
            torch.stack((xx, xy * height / width, x0 * 2 / width), dim=1),
            torch.stack((yx * width / height, yy, y0 * 2 / height), dim=1),
        ),
        dim=1,
    )
    theta = theta.to(device=x.device, dtype=x.dtype)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    if fill == "black":  # grid_sample pads with 0, which is black one unit up
        return F.grid_sample(x + 1, grid, padding_mode="zeros", align_corners=False) - 1
    return F.grid_sample(x, grid, padding_mode=fill, align_corners=False)


_FILLS = ("reflection", "border", "black")


def _check_fill(fill: str) -> None:
    if fill not in _FILLS:
        raise unknown("fill", fill, _FILLS)


def _uniform(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=rng, device=rng.device)

"""Augmentation of real images: flips, crops and affine transforms, with one draw per image.

x: (B, C, H, W) in [-1, 1], on any device; the result has the same shape, range and device. The
distribution is that of torchvision's transforms of single images, but a batch is faster. All draws
come from the given generator.
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
    """Base of augmentations: a random transform of every image in a batch, a frozen dataclass."""

    needs: ClassVar[tuple[str, ...]] = ("__call__",)

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> a batch of the same shape and range."""
        raise NotImplementedError


@dataclass(frozen=True)
class Flip(Augmentation):
    """Mirrors each image left to right with probability ``p``, like RandomHorizontalFlip."""

    p: float = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.p <= 1:
            raise UserError(f"Flip(p={self.p}): expected a probability in [0, 1]")

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        flipped = _uniform((len(x), 1, 1, 1), rng).to(x.device) < self.p
        return torch.where(flipped, x.flip(-1), x)


@dataclass(frozen=True)
class Jitter(Augmentation):
    """Enlarges each image, and cuts out a window of the old size at a random place.

    The "random jitter" of pix2pix, CycleGAN and CUT, from 256 to 286 pixels and back (Isola et al.
    2017, section 3.3). Bicubic, as Pillow resizes, but not rounded to 8 bits. The places are
    uniform.

    enlarge  factor of both sides, >= 1; the enlarged sides are rounded to whole pixels
    """

    enlarge: float = 286 / 256

    def __post_init__(self) -> None:
        check_fields(self)
        if self.enlarge < 1:
            raise UserError(f"Jitter(enlarge={self.enlarge}): expected a factor >= 1")

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        sides = x.shape[-2:]
        larger = [round(self.enlarge * side) for side in sides]
        y = F.interpolate(x, larger, mode="bicubic", antialias=True).clamp(-1, 1)
        tops, lefts = (
            torch.randint(many - side + 1, (len(x),), generator=rng, device=rng.device).tolist()
            for many, side in zip(larger, sides, strict=True)
        )
        height, width = sides
        return torch.stack(
            [
                image[:, top : top + height, left : left + width]
                for image, top, left in zip(y, tops, lefts, strict=True)
            ]
        )


@dataclass(frozen=True)
class Motions:
    """One affine transform per image, each field (B,): shear, then scale, rotate, translate.

    angle   degrees about the centre, clockwise
    dx, dy  pixels to the right, and down
    scale   factor
    shear   degrees, along x
    """

    angle: Tensor
    dx: Tensor
    dy: Tensor
    scale: Tensor
    shear: Tensor


@dataclass(frozen=True)
class Affine(Augmentation):
    """Random rotation, translation, scaling and shear, like torchvision's RandomAffine, bilinear.

    All distributions are uniform.

    degrees    the largest angle, 0 to 180; the angle is in [-degrees, degrees]
    translate  the largest shift as a share of the side, 0 to 1, either way; rounded to whole pixels
    scale      (low, high) of the factor
    shear      the largest shear along x in degrees, in [0, 90), either way
    fill       the pixels outside the image: its "reflection", its repeated "border", or "black"
               (-1). RandomAffine has "black" only; the others avoid an edge that D could detect.
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
        """Random transforms for ``n`` images of ``height`` x ``width``, where ``rng`` is."""
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
    """Transform each image of x (B, C, H, W) in [-1, 1] by its own motion, bilinear; see Affine."""
    _check_fill(fill)
    height, width = x.shape[-2:]
    angle, shear = torch.deg2rad(motions.angle), torch.deg2rad(motions.shear)
    cos, sin, slant = angle.cos(), angle.sin(), shear.tan()
    # The sampling grid says where each output pixel comes from, so it needs the inverse transform:
    xx, xy = (cos - slant * sin) / motions.scale, (sin + slant * cos) / motions.scale
    yx, yy = -sin / motions.scale, cos / motions.scale
    x0 = -xx * motions.dx - xy * motions.dy
    y0 = -yx * motions.dx - yy * motions.dy
    # affine_grid measures in half sides.
    theta = torch.stack(
        (
            torch.stack((xx, xy * height / width, x0 * 2 / width), dim=1),
            torch.stack((yx * width / height, yy, y0 * 2 / height), dim=1),
        ),
        dim=1,
    )
    theta = theta.to(device=x.device, dtype=x.dtype)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    if fill == "black":  # grid_sample pads with 0, which is black after adding 1
        return F.grid_sample(x + 1, grid, padding_mode="zeros", align_corners=False) - 1
    return F.grid_sample(x, grid, padding_mode=fill, align_corners=False)


_FILLS = ("reflection", "border", "black")


def _check_fill(fill: str) -> None:
    if fill not in _FILLS:
        raise unknown("fill", fill, _FILLS)


def _uniform(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=rng, device=rng.device)

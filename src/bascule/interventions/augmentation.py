"""Differentiable augmentation of everything that D sees; G's gradients pass through it.

Augmentation of the reals alone (``GANRecipe.augment``) can leak into G's images. This one cannot,
as long as D can still recognise natural images (Karras et al. 2020, section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data.augment import Motions, warp
from bascule.interventions.adaptive import adapted, check_adaptive
from bascule.interventions.hooks import Intervention, check_epoch

Kind = Literal["colour", "translation", "cutout"]


@dataclass(frozen=True)
class DiffAugment(Intervention):
    """Differentiable augmentation (Zhao et al. 2020) of every image that D sees.

    Each image has draws of its own. ``kinds``, in this order:

    - ``colour``: brightness plus U(-0.5, 0.5), saturation times U(0, 2), contrast times
      U(0.5, 1.5);
    - ``translation``: by up to an eighth of the side, filled with mid-grey;
    - ``cutout``: a square of half the side, centred anywhere, becomes mid-grey.
    """

    kinds: tuple[Kind, ...] = ("colour", "translation", "cutout")
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise UserError(
                f"DiffAugment(kinds={self.kinds}): expected different kinds, at least one"
            )
        check_epoch("DiffAugment", "from_epoch", self.from_epoch)

    def first_epoch(self) -> int:
        return self.from_epoch

    def augment(self, x: Tensor, context: StepContext) -> Tensor:
        if context.epoch < self.from_epoch:
            return x
        for kind in self.kinds:
            x = KINDS[kind](x, context)
        return x


def _uniform(
    context: StepContext, name: str, n: int, low: float, high: float, device: torch.device
) -> Tensor:
    """(n, 1, 1, 1) draws from U(low, high)."""
    u = torch.rand((n, 1, 1, 1), generator=context.rng(name))
    return (low + (high - low) * u).to(device)


def colour(x: Tensor, context: StepContext) -> Tensor:
    """Change brightness, saturation and contrast of each image; values may leave [-1, 1].

    The alpha of RGBA stays as it is.
    """
    if x.shape[1] == 4:
        return torch.cat([colour(x[:, :3], context), x[:, 3:]], 1)
    n = len(x)
    x = x + _uniform(context, "brightness", n, -0.5, 0.5, x.device)
    x = _stretched(x, x.mean(1, keepdim=True), _uniform(context, "saturation", n, 0, 2, x.device))
    return _stretched(
        x, x.mean((1, 2, 3), keepdim=True), _uniform(context, "contrast", n, 0.5, 1.5, x.device)
    )


def _stretched(x: Tensor, centre: Tensor, factor: Tensor) -> Tensor:
    return centre + (x - centre) * factor


def translation(x: Tensor, context: StepContext, share: float = 1 / 8) -> Tensor:
    """Move each image by whole pixels, up to ``share`` of the side; fill with 0."""
    b, _, h, w = x.shape
    most = round(h * share)
    moves = torch.randint(-most, most + 1, (2, b), generator=context.rng("translation")).to(
        x.device
    )
    padded = F.pad(x, (most, most, most, most))
    rows = torch.arange(h, device=x.device)[None] + most - moves[0][:, None]
    columns = torch.arange(w, device=x.device)[None] + most - moves[1][:, None]
    images = torch.arange(b, device=x.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[images, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def cutout(x: Tensor, context: StepContext, share: float = 1 / 2) -> Tensor:
    """Set a square in each image to 0: ``share`` of the side, centred anywhere."""
    b, _, h, w = x.shape
    half = round(h * share) / 2
    centre = torch.rand((2, b), generator=context.rng("cutout")).to(x.device)
    rows = torch.arange(h, device=x.device) + 0.5
    columns = torch.arange(w, device=x.device) + 0.5
    tall = (rows[None] - (centre[0] * h)[:, None]).abs() < half
    wide = (columns[None] - (centre[1] * w)[:, None]).abs() < half
    hole = tall[:, None, :, None] & wide[:, None, None, :]
    return torch.where(hole, torch.zeros((), dtype=x.dtype, device=x.device), x)


KINDS = {"colour": colour, "translation": translation, "cutout": cutout}


@dataclass(frozen=True)
class AdaptiveAugment(Intervention):
    """Adaptive discriminator augmentation (ADA, Karras et al. 2020) of every image that D sees.

    Each transform is applied to an image with probability p. p rises while D overfits: while r_t,
    the mean sign of its logits of training images, exceeds ``target``. It needs ``speed_images``
    images to go from 0 to 1 (:func:`bascule.interventions.adaptive.adapted`).

    The transforms, with the paper's strengths (appendix B): mirroring; translation by up to an
    eighth of the side; zoom by 2^N(0, 0.2²); rotation by any angle; brightness plus N(0, 0.2²);
    contrast times 2^N(0, 0.5²); saturation times 2^N(0, 1). The paper's "bgc" also has rotation by
    90 degrees, anisotropic scaling, luma flips and hue. Borders are filled by reflection.
    """

    target: float = 0.6
    speed_images: int = 500_000
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_adaptive("AdaptiveAugment", self.target, self.speed_images)
        check_epoch("AdaptiveAugment", "from_epoch", self.from_epoch)

    def first_epoch(self) -> int:
        return self.from_epoch

    def discriminator_batch(
        self, real: Tensor, fake: Tensor, context: StepContext
    ) -> tuple[Tensor, Tensor]:
        if context.epoch >= self.from_epoch:
            adapted(context, self.target, len(real) / self.speed_images)
        return real, fake

    def augment(self, x: Tensor, context: StepContext) -> Tensor:
        p = context.recall("p").item() if context.epoch >= self.from_epoch else 0.0
        return augmented(x, p, context) if p > 0 else x


def augmented(x: Tensor, p: float, context: StepContext) -> Tensor:
    """``x`` (B, 3, H, W) with each of ADA's transforms on each image with probability ``p``."""
    n, _, h, w = x.shape

    def often(name: str, chance: float = p) -> Tensor:
        return torch.rand(n, generator=context.rng(f"{name}?")) < chance

    def drawn(name: str, std: float) -> Tensor:
        return torch.randn(n, generator=context.rng(name)) * std * often(name)

    mirror = (often("mirror") & (torch.rand(n, generator=context.rng("mirror")) < 0.5)).to(x.device)
    x = torch.where(mirror[:, None, None, None], x.flip(-1), x)
    shift = (2 * torch.rand((2, n), generator=context.rng("move")) - 1) / 8 * often("move")
    turn = 180 * (2 * torch.rand(n, generator=context.rng("turn")) - 1)
    motions = Motions(
        angle=turn * often("turn"),
        dx=(shift[0] * w).round(),
        dy=(shift[1] * h).round(),
        scale=torch.exp2(drawn("zoom", 0.2)),
        shear=torch.zeros(n),
    )
    x = warp(x, motions)

    def per_image(values: Tensor) -> Tensor:
        return values.to(x.device)[:, None, None, None]

    x, alpha = x[:, :3], x[:, 3:]
    x = x + per_image(drawn("brightness", 0.2))
    # The centre of ADA's contrast is mid-grey, that of its saturation each pixel's grey.
    x = x * per_image(torch.exp2(drawn("contrast", 0.5)))
    x = _stretched(x, x.mean(1, keepdim=True), per_image(torch.exp2(drawn("saturation", 1.0))))
    return torch.cat([x, alpha], 1) if alpha.shape[1] else x

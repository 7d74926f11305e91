"""R3GAN: residual networks without normalisation, styles or noise (Huang et al. 2025).

G maps z: (B, z_dim) to x: (B, 3, H, W). Reals are in [-1, 1]; G has no tanh, so its images may
leave this range. D maps such an x to (B,) logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.models.layers import check_classes, check_counts, check_size, drawn
from bascule.models.model import Shaped
from bascule.models.resampling import Down, Up

_SLOPE = 0.2  # of every LeakyReLU
_EXPANSION = 2  # channels within a block over channels outside it


@dataclass(frozen=True)
class R3GAN(Shaped):
    """The networks of Huang, Gokaslan, Kuleshov and Tompkin, 2025 (arXiv 2501.05441, config E).

    G: a learned 4x4 grid, whose channels are scaled by a linear map of z; then ``blocks`` residual
    blocks on each grid, each grid with twice the side of the previous one; then a 1x1 convolution
    to RGB. D is the mirror image: a depthwise 4x4 convolution and a linear layer make one logit
    from its last 4x4 grid. Where the width changes, a 1x1 convolution on the smaller of the two
    grids adapts it. Only convolutions that are followed by LeakyReLU(0.2) have a bias.

    widths   channels of every grid, from the 4x4 grid to the image: five widths make 64 px
    blocks   residual blocks on each grid
    z_dim    dimension of the latents; 64 in the paper
    group    channels per group of the 3x3 convolutions
    classes  number of labels; 0: unconditional

    The defaults are small, for a CPU. The paper's model for 64 px is
    ``R3GAN((768, 768, 768, 768, 384), blocks=2)``.

    With ``classes``, G(z, y) and D(x, y) need labels y: (B,) int64 in [0, classes); otherwise they
    ignore them. G gets z and an embedding of y, concatenated. D's linear layer makes features
    instead of a logit; the logit is their product with D's own embedding of y. Embeddings have
    ``z_dim`` dimensions.

    Initial weights ~ N(0, 1 / fan_in), the learned grid ~ N(0, 1), biases 0. In a block, the first
    two convolutions have gain sqrt(2 / (1 + 0.2²)) * L^(-1/4), where L is the number of blocks in
    the network. The last one is 0, so every block starts as the identity. An embedding is a linear
    map of a one-hot y (fan_in = classes), and D's has gain 1 / sqrt(z_dim).

    Two departures from the authors' program. Resampling filters repeat the border instead of
    padding with zeros, so that a uniform image stays uniform. And the recipe's precision holds
    everywhere, whereas they keep the 4x4 grid in fp32.
    """

    widths: tuple[int, ...] = (128, 128, 128, 128, 64)
    blocks: int = 1
    z_dim: int = 64
    group: int = 16
    classes: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("R3GAN", blocks=self.blocks, z_dim=self.z_dim, group=self.group)
        check_classes("R3GAN", self.classes)
        if len(self.widths) < 2:
            raise UserError(
                f"R3GAN(widths={self.widths!r}): expected two or more, that of the 4x4 grid first"
            )
        for width in self.widths:
            check_counts("R3GAN", widths=width)
            inner = _EXPANSION * width
            if inner % self.group:
                raise UserError(f"R3GAN(group={self.group!r}): expected a divisor of {inner}")
        self.check_shape(self.size)

    @property
    def size(self) -> int:
        """The side of the images in pixels: 4 on the first grid, doubled for each further one."""
        size: int = 4 * 2 ** (len(self.widths) - 1)
        return size

    def resized(self, size: int) -> R3GAN:
        """This model with fewer grids, or with more: each further width is half of the last one."""
        check_size("R3GAN", size, 8, 16, 32, 64, 128, 256)
        widths = self.widths[: int(math.log2(size)) - 1]
        while 4 * 2 ** (len(widths) - 1) < size:
            widths = (*widths, max(1, widths[-1] // 2))
        return replace(self, widths=widths, sides=None)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):  # allocates nothing, and leaves the global generator alone
            G, D = Generator(self), Discriminator(self)
        for net, gain in ((G, 1.0), (D, self.z_dim**-0.5)):
            drawn(net, _fan_in_std, 0.0, rng)
            _settle([layer for layer in net.modules() if isinstance(layer, Block)])
            if net.embedding is not None:
                nn.init.normal_(net.embedding.weight, std=gain * self.classes**-0.5, generator=rng)
        nn.init.normal_(G.grid, generator=rng)
        return G, D


class Generator(nn.Module):
    """z: (B, z_dim) [, labels y: (B,)] -> x: (B, 3, H, W), unbounded."""

    def __init__(self, model: R3GAN) -> None:
        super().__init__()
        first, last = model.widths[0], model.widths[-1]
        self.embedding = nn.Embedding(model.classes, model.z_dim) if model.classes else None
        self.grid = nn.Parameter(torch.empty(1, first, *model.first_grid))
        self.scale = nn.Linear(model.z_dim * (2 if model.classes else 1), first, bias=False)
        layers = _blocks(first, model)
        for before, after in pairwise(model.widths):
            layers += [*_matched(before, after), Up(), *_blocks(after, model)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(last, model.channels, 1, bias=False))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(y)], dim=1)
        image: Tensor = self.layers(self.grid * self.scale(z)[:, :, None, None])
        return image


class Discriminator(nn.Module):
    """x: (B, 3, H, W) [, labels y: (B,)] -> logits (B,), high for real images."""

    def __init__(self, model: R3GAN) -> None:
        super().__init__()
        first, last = model.widths[-1], model.widths[0]
        self.embedding = nn.Embedding(model.classes, model.z_dim) if model.classes else None
        layers: list[nn.Module] = [
            nn.Conv2d(model.channels, first, 1, bias=False),
            *_blocks(first, model),
        ]
        for before, after in pairwise(model.widths[::-1]):
            layers += [Down(), *_matched(before, after), *_blocks(after, model)]
        features = model.z_dim if model.classes else 1
        self.layers = nn.Sequential(
            *layers,
            nn.Conv2d(last, last, model.first_grid, groups=last, bias=False),
            nn.Flatten(),
            nn.Linear(last, features, bias=False),
        )

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        features: Tensor = self.layers(x)
        if self.embedding is not None:
            features = (features * self.embedding(y)).sum(dim=1)
        return features.reshape(x.shape[0])


class Block(nn.Module):
    """x + f(x); f widens the channels, convolves them in groups, and narrows them again."""

    def __init__(self, width: int, group: int) -> None:
        super().__init__()
        inner = _EXPANSION * width
        self.widen = nn.Conv2d(width, inner, 1)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group)
        self.narrow = nn.Conv2d(inner, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.narrow(_leaky(self.mix(_leaky(self.widen(x)))))
        return x + changed


def _blocks(width: int, model: R3GAN) -> list[nn.Module]:
    return [Block(width, model.group) for _ in range(model.blocks)]


def _matched(before: int, after: int) -> list[nn.Module]:
    return [] if before == after else [nn.Conv2d(before, after, 1, bias=False)]


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE, inplace=True)


def _fan_in_std(weight: Tensor) -> float:
    return 1 / math.sqrt(weight[0].numel())


def _settle(blocks: list[Block]) -> None:
    """Scale the initial ``blocks`` of one network, so that updates stay bounded at any depth."""
    gain = math.sqrt(2 / (1 + _SLOPE**2)) * len(blocks) ** -0.25
    with torch.no_grad():
        for block in blocks:
            block.widen.weight.mul_(gain)
            block.mix.weight.mul_(gain)
            block.narrow.weight.zero_()

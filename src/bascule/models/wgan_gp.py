"""WGAN-GP: residual networks; the critic has no BatchNorm, as the gradient penalty requires."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from bascule.core.fields import check_fields
from bascule.models.layers import (
    Discriminator,
    DownBlock,
    ResNetG,
    check_counts,
    glorot,
    up_blocks,
)
from bascule.models.model import Shaped


@dataclass(frozen=True)
class WGANGP(Shaped):
    """The networks of Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, 2017 (arXiv 1704.00028).

    The critic has no BatchNorm: with it, the gradient for one image would depend on the whole batch
    (section 4). It has no spectral normalisation either. The gradient penalty itself is set in the
    recipe.

    Size 32 (the paper's table for CIFAR-10): 2 * ``width`` channels in all blocks. The critic has
    no norm; it ends in the mean over positions and one linear logit. Size 64 (the authors'
    program): G goes from 8 * ``width`` to ``width`` channels. The critic goes from ``width``, after
    a 3x3 convolution, to 8 * ``width``. It has LayerNorm over each image (a gain and a bias per
    channel) before every ReLU, and ends in a linear logit of the whole 4x4 grid. Size 128 has one
    block more in each, of 8 * ``width`` channels on the smallest grids; this is our choice.

    width  64 as published
    z_dim  dimension of the latents
    size   32, 64, 128 or 256 px

    Initial weights are Glorot's, times sqrt(2) in the 3x3 convolutions of residual blocks. Unlike
    in the authors' program, convolutions before a norm have biases; the norm cancels them.
    """

    width: int = 16
    z_dim: int = 128
    size: int = 64

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("WGANGP", width=self.width, z_dim=self.z_dim)
        self.check_shape(32, 64, 128, 256)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        w = self.width
        channels = [2 * w] * 4 if self.size == 32 else _channels(w, self.size)[::-1]
        with torch.device("meta"):
            blocks = up_blocks(channels, nn.BatchNorm2d)
            G = ResNetG(self.z_dim, channels, blocks, self.first_grid, self.channels)
            D = Discriminator(_d32(self, 2 * w) if self.size == 32 else _d(self))
        return glorot(G, rng, gain=math.sqrt(2)), glorot(D, rng, gain=math.sqrt(2))


def _d32(model: WGANGP, channels: int) -> list[nn.Module]:
    return [
        DownBlock(model.channels, channels, first=True),
        DownBlock(channels, channels),
        DownBlock(channels, channels, down=False),
        DownBlock(channels, channels, down=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, 1),
    ]


def _channels(width: int, size: int) -> list[int]:
    """Channels of every grid, from the image to 4x4."""
    return [width * min(8, 2**i) for i in range(int(math.log2(size)) - 1)]


def _d(model: WGANGP) -> list[nn.Module]:
    """The second convolution of a block changes the channels, as in the authors' program."""
    channels, (height, width) = _channels(model.width, model.size), model.first_grid
    layer_norm = partial(nn.GroupNorm, 1)  # one group: LayerNorm over channels and grid
    blocks = [
        DownBlock(before, after, hidden=before, norm=layer_norm)
        for before, after in pairwise(channels)
    ]
    head = [nn.Flatten(), nn.Linear(channels[-1] * height * width, 1)]
    return [nn.Conv2d(model.channels, channels[0], 3, padding=1), *blocks, *head]

"""SNGAN: residual networks, with spectral normalisation in D."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from bascule.core.fields import check_fields
from bascule.models.layers import (
    DownBlock,
    ResNetD,
    ResNetG,
    check_classes,
    check_counts,
    glorot,
    norm_of_labels,
    resnet_channels_D,
    resnet_channels_G,
    spectrally_normed,
    up_blocks,
)
from bascule.models.model import Shaped


@dataclass(frozen=True)
class SNGAN(Shaped):
    """The residual networks of Miyato, Kataoka, Koyama and Yoshida, 2018 (arXiv 1802.05957).

    Size 32 (appendix B): G has 4 * ``width`` channels in three blocks from a 4x4 grid. D has
    2 * ``width`` in two blocks that halve the side and two that keep it. ``width=64`` is as
    published. Size 64 is between the paper's tables for 48 and 128: channels halve in each of G's
    four blocks, from 16 * ``width`` on the 4x4 grid to ``width``, and double in each of D's five,
    down to 2x2. ``width=64`` is sngan_64 of mimicry (Lee and Town 2020). Size 128 (appendix B, for
    ImageNet): G's first block keeps 16 * ``width`` channels, its other four halve them; D's five
    blocks double them down to 4x4, and a sixth keeps the grid. ``width=64`` is as published.

    width    channels of the layer next to the image, for sizes 64 and 128
    z_dim    dimension of the latents
    size     32, 64 or 128 px
    classes  number of labels; 0: unconditional

    D's convolutions, its linear layer and its embedding have spectral normalisation; G has
    BatchNorm. Initial weights are Glorot's, times sqrt(2) in the 3x3 convolutions of residual
    blocks. With ``classes``, G(z, y) and D(x, y) take labels: G's norms have a gain and a bias for
    each label, and D a projection (Miyato and Koyama 2018).
    """

    width: int = 16
    z_dim: int = 128
    size: int = 64
    classes: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("SNGAN", width=self.width, z_dim=self.z_dim)
        check_classes("SNGAN", self.classes)
        self.check_shape(32, 64, 128)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        w = self.width
        channels = resnet_channels_G(w, self.size)
        with torch.device("meta"):
            blocks = up_blocks(channels, norm_of_labels(self.classes))
            G = ResNetG(self.z_dim, channels, blocks, self.first_grid, self.channels)
            D = _d32(self, 2 * w) if self.size == 32 else _d(self)
        glorot(G, rng, gain=math.sqrt(2))
        glorot(D, rng, gain=math.sqrt(2))
        return G, spectrally_normed(D, rng, embeddings=True)


def _d32(model: SNGAN, channels: int) -> ResNetD:
    blocks = [
        DownBlock(model.channels, channels, first=True),
        DownBlock(channels, channels),
        DownBlock(channels, channels, down=False),
        DownBlock(channels, channels, down=False),
    ]
    return ResNetD([*blocks], channels, model.classes)


def _d(model: SNGAN) -> ResNetD:
    """The second convolution of a block changes the channels, as in the authors' program."""
    channels = resnet_channels_D(model.width, model.size)
    blocks = [DownBlock(model.channels, model.width, first=True)]
    blocks += [
        DownBlock(before, after, hidden=before, down=after > before)
        for before, after in pairwise(channels)
    ]
    return ResNetD([*blocks], channels[-1], model.classes)

"""SAGAN: residual networks with self-attention in both G and D."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from bascule.core.fields import check_fields
from bascule.models.layers import (
    DownBlock,
    ResNetD,
    ResNetG,
    SelfAttention,
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
class SAGAN(Shaped):
    """The networks of Zhang, Goodfellow, Metaxas and Odena, 2019 (arXiv 1805.08318).

    The residual networks of SNGAN, with spectral normalisation in both (section 4.1) and with
    self-attention. The paper has images of 128 px and attention at 32x32. Here attention is there
    for sizes 64 and 128, and at 16x16 for size 32; for the smaller sizes these are our choices.

    Size 64: channels go from 16 * ``width`` to ``width`` over G's four blocks, halved by each, and
    double in each of D's five. Size 128 is the authors' program: one block of G more, which keeps
    16 * ``width``, and one of D, which keeps the 4x4 grid. Size 32: 4 * ``width`` channels in all
    of G, 2 * ``width`` in all of D.

    width    64 in the authors' program; as there, the first convolution of D's blocks changes the
             number of channels
    z_dim    dimension of the latents
    size     32, 64 or 128 px
    classes  number of labels; 0: unconditional

    Initial weights are Glorot's. With ``classes``, G(z, y) and D(x, y) take labels: G's norms have
    a gain and a bias for each label, and D a projection. Spectral normalisation applies to D's
    embedding, but not to these gains and biases.
    """

    width: int = 16
    z_dim: int = 128
    size: int = 64
    classes: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("SAGAN", width=self.width, z_dim=self.z_dim)
        check_classes("SAGAN", self.classes)
        self.check_shape(32, 64, 128)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):
            G, D = self._generator(), self._discriminator()
        glorot(G, rng)
        glorot(D, rng)
        return spectrally_normed(G, rng), spectrally_normed(D, rng, embeddings=True)

    def _generator(self) -> ResNetG:
        channels = resnet_channels_G(self.width, self.size)
        blocks = up_blocks(channels, norm_of_labels(self.classes))
        place = 2 if self.size == 32 else 3  # after the blocks that lead to the grid of attention
        blocks.insert(place, SelfAttention(channels[place]))
        return ResNetG(self.z_dim, channels, blocks, self.first_grid, self.channels)

    def _discriminator(self) -> ResNetD:
        w = self.width
        channels = [2 * w] * 4 if self.size == 32 else resnet_channels_D(w, self.size)
        downs = 2 if self.size == 32 else 5
        blocks: list[nn.Module] = [DownBlock(self.channels, channels[0], first=True)]
        for place, (before, after) in enumerate(pairwise(channels), start=2):
            blocks.append(DownBlock(before, after, down=place <= downs))
        place = 2 if self.size == 128 else 1
        blocks.insert(place, SelfAttention(channels[place - 1]))
        return ResNetD(blocks, channels[-1], self.classes)

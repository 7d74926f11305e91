"""pix2pix: a generator, and a patch discriminator that also sees the input image."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Literal

import torch
from torch import nn

from bascule.core.fields import check_fields
from bascule.models.layers import check_counts, drawn
from bascule.translation.networks import PatchD, ResNetTranslator, UNetTranslator, check_translation


@dataclass(frozen=True)
class Pix2Pix:
    """The networks of Isola et al. 2017 (arXiv 1611.07004, appendix).

    ``net``: "unet", which halves the side down to 1, at most 8 times, with batch normalisation; or
    "resnet" with ``blocks`` residual blocks, to compare with CycleGAN. ``halvings``: the number of
    downsamplings in D, which decides the size of its patches. Weights ~ N(0, 0.02²), biases 0.

    Departure: the U-Net has no dropout. In the paper it has dropout in its inner layers, and draws
    with it too.
    """

    width: int = 64
    blocks: int = 9
    size: int = 256
    net: Literal["unet", "resnet"] = "unet"
    up: Literal["transposed", "nearest"] = "transposed"
    width_D: int = 64
    halvings: int = 3

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(
            "Pix2Pix",
            width=self.width,
            blocks=self.blocks,
            width_D=self.width_D,
            halvings=self.halvings,
        )
        check_translation("Pix2Pix", self.size, self.halvings, self.net == "unet")

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``, with all weights drawn from it."""
        with torch.device("meta"):
            G: nn.Module
            if self.net == "resnet":
                G = ResNetTranslator(self.width, self.blocks, self.up)
            else:
                G = UNetTranslator(self.width, min(8, int(log2(self.size))), "batch")
            D = PatchD(self.width_D, self.halvings, channels=6)
        drawn(G, lambda weight: 0.02, 0.02 if self.net == "unet" else 0.0, rng)
        drawn(D, lambda weight: 0.02, 0.0, rng)
        return G, D

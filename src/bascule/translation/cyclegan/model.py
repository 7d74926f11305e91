"""CycleGAN: two generators, one for each direction, and a patch discriminator per domain."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Literal

import torch
from torch import nn

from bascule.core.fields import check_fields
from bascule.models.layers import check_counts, drawn
from bascule.translation.networks import (
    PatchD,
    ResNetTranslator,
    UNetTranslator,
    check_translation,
    receptive_field,
)


@dataclass(frozen=True)
class CycleGAN:
    """The four networks of Zhu et al. 2017 (arXiv 1703.10593, appendix).

    ``net``: "resnet" with ``blocks`` residual blocks (in the paper 6 at 128 pixels and 9 from 256
    pixels on), or "unet", which halves the side down to 1, at most 8 times. ``up``: the upsampling
    of the ResNet; "nearest" causes no checkerboard artefacts. ``halvings``: the number of
    downsamplings in D, which decides the size of its patches, :attr:`patch`. Weights ~ N(0, 0.02²),
    biases 0.
    """

    width: int = 64
    blocks: int = 9
    size: int = 256
    net: Literal["resnet", "unet"] = "resnet"
    up: Literal["transposed", "nearest"] = "transposed"
    width_D: int = 64
    halvings: int = 3

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(
            "CycleGAN",
            width=self.width,
            blocks=self.blocks,
            width_D=self.width_D,
            halvings=self.halvings,
        )
        check_translation("CycleGAN", self.size, self.halvings, self.net == "unet")

    @property
    def patch(self) -> int:
        """The side in pixels of D's receptive field."""
        return receptive_field(self.halvings)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
        """(G_AB, G_BA, D_A, D_B) on the device of ``rng``, with all weights drawn from it."""
        with torch.device("meta"):
            nets = [self._translator(), self._translator()]
            nets += [PatchD(self.width_D, self.halvings), PatchD(self.width_D, self.halvings)]
        G_AB, G_BA, D_A, D_B = (drawn(net, lambda weight: 0.02, 0.0, rng) for net in nets)
        return G_AB, G_BA, D_A, D_B

    def _translator(self) -> nn.Module:
        if self.net == "resnet":
            return ResNetTranslator(self.width, self.blocks, self.up)
        return UNetTranslator(self.width, min(8, int(log2(self.size))), "instance")

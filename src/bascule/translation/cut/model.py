"""CUT: a generator, a patch discriminator, and projection heads for the contrastive loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.core.fields import added_field, check_fields
from bascule.models.layers import check_counts, drawn, xavier_normal
from bascule.translation.networks import PatchD, ResNetTranslator, Up, check_translation


@dataclass(frozen=True)
class CUT:
    """The networks of CUT and FastCUT (Park et al. 2020, arXiv 2007.15651).

    The generator is that of CycleGAN with anti-aliased down- and upsampling. ``taps``: the names of
    the layers whose features are compared (:class:`bascule.translation.networks.ResNetTranslator`).
    The paper uses the padded input, both downsamplings, and the first and fifth residual block.
    Each tap has a head with two layers and ``features`` outputs.

    ``init``: the initial weights of all three networks, with biases 0. "xavier" is that of the
    authors' code: N(0, s²) with s = 0.02 sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010, with
    gain 0.02). "normal" is that of CycleGAN, N(0, 0.02²), which is 48 times wider in the residual
    blocks at width 64 and 34 times at width 32. ``blurred_D``: D is anti-aliased too, as in the
    authors' code (:class:`bascule.translation.networks.PatchD`).
    """

    width: int = 64
    blocks: int = 9
    size: int = 256
    up: Up = "blurred"
    width_D: int = 64
    halvings: int = 3
    taps: tuple[str, ...] = ("rgb", "down1", "down2", "res0", "res4")
    features: int = 256
    init: Literal["normal", "xavier"] = added_field("normal")
    blurred_D: bool = added_field(False)

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(
            "CUT",
            width=self.width,
            blocks=self.blocks,
            width_D=self.width_D,
            halvings=self.halvings,
            features=self.features,
        )
        known = ("rgb", "down1", "down2", *(f"res{place}" for place in range(self.blocks)))
        if not self.taps or [tap for tap in known if tap in self.taps] != list(self.taps):
            raise UserError(f"CUT(taps={self.taps}): expected some of {', '.join(known)}, in order")
        check_translation("CUT", self.size, self.halvings, False, self.blurred_D)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module, nn.Module]:
        """(G, D, heads) on the device of ``rng``, with all weights drawn from it."""
        with torch.device("meta"):
            G = ResNetTranslator(self.width, self.blocks, self.up)
            D = PatchD(self.width_D, self.halvings, blurred=self.blurred_D)
            wide = {"rgb": 3, "down1": 2 * self.width}
            heads = Heads([wide.get(tap, 4 * self.width) for tap in self.taps], self.features)
        for net in (G, D, heads):
            if self.init == "xavier":
                xavier_normal(net, rng, gain=0.02)
            else:
                drawn(net, lambda weight: 0.02, 0.0, rng)
        return G, D, heads


class Heads(nn.Module):
    """Maps features at some positions to vectors of length 1 (Park et al. 2020, section 3).

    For each tap: maps (B, C, H, W) and indices (P,) of the flattened grid -> (B, P, features).
    """

    def __init__(self, channels: Sequence[int], features: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(c, features), nn.ReLU(), nn.Linear(features, features))
            for c in channels
        )

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        return [
            F.normalize(head(h.flatten(2)[:, :, at].mT), dim=2)
            for head, h, at in zip(self.heads, maps, places, strict=True)
        ]

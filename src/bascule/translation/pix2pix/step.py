"""One step of pix2pix (Isola et al. 2017): translation where each picture's counterpart is known.

What it reaches bounds what translation without pairs can reach with the same nets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from bascule.core.optimizers import descend
from bascule.translation.step import PatchObjective, Translators


@dataclass(frozen=True)
class PairedRules(PatchObjective):
    """``pixels``: weight of the mean absolute difference of pixels beside fooling the judge, 1."""

    pixels: float = 100.0


@dataclass
class Pairs(Translators):
    """A translator, and a judge that sees a picture and its translation together."""

    NETS = ("G", "D")

    G: nn.Module
    D: nn.Module
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    device: torch.device
    pools: dict[str, Tensor] = field(default_factory=dict)
    shown: Tensor | None = None


def paired_step(game: Pairs, a: Tensor, b: Tensor, rules: PairedRules) -> dict[str, Tensor]:
    """One step on pictures a (B, 3, H, W) in [-1, 1] and their counterparts b; first the judge.

    Returns detached scalars: loss_D, loss_G (fooling the judge) and pixels (mean absolute
    difference, without its weight).
    """
    n = len(a)
    made = game.G(a).float()
    game.D.requires_grad_(True)
    true, false = torch.cat([a, b], 1), torch.cat([a, made.detach()], 1)
    judged = game.D(torch.cat([true, false])).float()
    loss_D = rules.judged(judged[:n], judged[n:])
    descend(game.opt_D, loss_D)

    game.D.requires_grad_(False)
    loss_G = rules.real(game.D(torch.cat([a, made], 1)).float())
    pixels = l1_loss(made, b)
    descend(game.opt_G, loss_G + rules.pixels * pixels)
    return {"loss_D": loss_D.detach(), "loss_G": loss_G.detach(), "pixels": pixels.detach()}

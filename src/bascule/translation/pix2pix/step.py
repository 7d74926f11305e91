"""One step of pix2pix (Isola et al. 2017): translation learnt from pairs of images.

Its results are an upper bound for translation without pairs by the same networks.
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
    """``pixels``: weight of the L1 loss; the adversarial loss has weight 1."""

    pixels: float = 100.0


@dataclass
class Pairs(Translators):
    """A generator, and a discriminator that sees an image together with its translation."""

    NETS = ("G", "D")

    G: nn.Module
    D: nn.Module
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    device: torch.device
    pools: dict[str, Tensor] = field(default_factory=dict)
    shown: Tensor | None = None


def paired_step(game: Pairs, a: Tensor, b: Tensor, rules: PairedRules) -> dict[str, Tensor]:
    """One step on images a (B, 3, H, W) in [-1, 1] and their counterparts b; first D, then G.

    Returns detached scalars: loss_D, loss_G (the adversarial loss) and pixels (mean absolute
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

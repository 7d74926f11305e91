"""One step of CycleGAN (Zhu et al. 2017): first both generators, then both discriminators.

A generator must fool the discriminator of its target domain. Both generators in sequence must
restore the input. A generator must not change images of its target domain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from bascule.core.context import StepContext
from bascule.core.optimizers import descend
from bascule.translation.step import PatchObjective, Translators


@dataclass(frozen=True)
class CycleRules(PatchObjective):
    """The objectives of generators and discriminators.

    ``cycle``: weight of the cycle loss. ``identity``: weight of the identity loss, in units of
    ``cycle``; 0: not computed, which saves a third of G's work. ``pool``: the size of the image
    pool, the history of translations shown to D; 0: only those of the current step.
    """

    cycle: float = 10.0
    identity: float = 0.5
    pool: int = 50


@dataclass
class Translation(Translators):
    """Two generators and two discriminators, with one optimiser for each pair.

    ``pools``: earlier translations, (n, 3, H, W), by their target domain.
    """

    NETS = ("G_AB", "G_BA", "D_A", "D_B")

    G_AB: nn.Module
    G_BA: nn.Module
    D_A: nn.Module
    D_B: nn.Module
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    device: torch.device
    pools: dict[str, Tensor] = field(default_factory=dict)
    shown: Tensor | None = None


def cycle_step(
    game: Translation, a: Tensor, b: Tensor, context: StepContext, rules: CycleRules
) -> dict[str, Tensor]:
    """One step on images a and b of the two domains, (B, 3, H, W) each, in [-1, 1].

    InstanceNorm treats every image separately, so independent images share a forward pass: three
    generator calls instead of the six in the equations, and one call of each discriminator. Returns
    detached scalars: loss_G_AB and loss_G_BA (the adversarial losses); cycle_A, cycle_B and, if its
    weight is not 0, identity_A and identity_B (mean absolute differences of pixels, without their
    weights); loss_D_A and loss_D_B (the mean of the losses on reals and fakes).
    """
    n = len(a)
    same = rules.identity > 0
    there = game.G_AB(torch.cat([a, b]) if same else a).float()
    fake_b = there[:n]
    back = game.G_BA(torch.cat([b, fake_b, *([a] if same else [])])).float()
    fake_a, again_a = back[:n], back[n : 2 * n]
    again_b = game.G_AB(fake_a).float()
    scalars = {}
    for D in (game.D_A, game.D_B):
        D.requires_grad_(False)
    scalars["loss_G_AB"] = rules.real(game.D_B(fake_b).float())
    scalars["loss_G_BA"] = rules.real(game.D_A(fake_a).float())
    scalars["cycle_A"], scalars["cycle_B"] = l1_loss(again_a, a), l1_loss(again_b, b)
    weights = {"cycle_A": rules.cycle, "cycle_B": rules.cycle}
    if same:
        scalars["identity_A"] = l1_loss(back[2 * n :], a)
        scalars["identity_B"] = l1_loss(there[n:], b)
        weights |= dict.fromkeys(("identity_A", "identity_B"), rules.identity * rules.cycle)
    total = sum(weights.get(name, 1.0) * value for name, value in scalars.items())
    assert isinstance(total, Tensor)
    descend(game.opt_G, total)

    for D in (game.D_A, game.D_B):
        D.requires_grad_(True)
    losses = []
    for kind, D, real, fake in (("A", game.D_A, a, fake_a), ("B", game.D_B, b, fake_b)):
        shown = _pooled(game, kind, fake.detach(), rules.pool, context.within(f"pool {kind}"))
        logits = D(torch.cat([real, shown])).float()
        loss = rules.judged(logits[:n], logits[n:])
        scalars[f"loss_D_{kind}"] = loss
        losses.append(loss)
    descend(game.opt_D, losses[0] + losses[1])
    return {name: value.detach() for name, value in scalars.items()}


def _pooled(game: Translation, kind: str, fakes: Tensor, size: int, context: StepContext) -> Tensor:
    """The fakes shown to D, from a pool of ``size`` earlier translations.

    Until the pool is full, D sees the fakes of the step, and they are added to the pool. After
    that, each fake is shown itself with probability 1/2. Otherwise it replaces a random image of
    the pool, and D sees that image (Shrivastava et al. 2017, as in Zhu et al. 2017).
    """
    if not size:
        return fakes
    pool = game.pools.get(kind, fakes[:0])
    shown = []
    for k, fake in enumerate(fakes):
        if len(pool) < size:
            pool = torch.cat([pool, fake[None]])
            shown.append(fake)
            continue
        swap, place = torch.rand(
            2, generator=context.rng(f"image {k}"), dtype=torch.float64
        ).tolist()
        if swap < 0.5:
            shown.append(fake)
        else:
            at = int(place * size)
            shown.append(pool[at].clone())
            pool[at] = fake
    game.pools[kind] = pool
    return torch.stack(shown)

"""One step of CycleGAN (Zhu et al. 2017): both translators learn, then both judges.

A translator must fool the judge of the other kind, lead back to where a picture came from, and
leave alone what is of the other kind already.
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
    """What the players play for.

    ``cycle``: weight of the way there and back; ``identity``: of pictures that are of the other
    kind already, in units of ``cycle``; 0: not asked, which saves a third of G's work. ``pool``:
    how many earlier translations D is shown some of; 0: those of the step.
    """

    cycle: float = 10.0
    identity: float = 0.5
    pool: int = 50


@dataclass
class Translation(Translators):
    """Two translators and two judges, with an optimiser for either pair.

    ``pools``: earlier translations by the kind that they pretend to be, (n, 3, H, W).
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
    """One step on as many pictures of either kind, a and b: (B, 3, H, W) in [-1, 1].

    InstanceNorm looks at one picture at a time, so pictures that do not wait for each other go
    through a net together: three calls of translators where the equations have six, and one of each
    judge. Returns detached scalars: loss_G_AB and loss_G_BA (fooling the judge), cycle_A, cycle_B
    and, where asked, identity_A and identity_B (mean absolute differences of pixels, without their
    weights), loss_D_A and loss_D_B (the mean of reals' and fakes' parts).
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
    """What D is shown as fake: until the pool is full those of the step, which go into it.

    Then each with chance 1/2 itself, or one of the pool at random, whose place it takes
    (Shrivastava et al. 2017, as Zhu et al. 2017 use it).
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

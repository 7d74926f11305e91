"""The game of Goodfellow et al. 2014, algorithm 1 with k = 1 and the non-saturating loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm

from bascule.game import Game
from bascule.interventions import Intervention
from bascule.now import Now
from bascule.objectives import TopK, loss_D, loss_G


def gan_step(
    game: Game,
    real: Tensor,
    now: Now,
    change: Intervention,
    concat: bool = False,
    top_k: TopK | None = None,
) -> dict[str, Tensor]:
    """One step of D, then one of G, on one batch of reals (B, 3, H, W) in [-1, 1].

    D sees reals and fakes in two forward passes, because its BatchNorm takes its statistics from
    each batch; ``concat`` shows them in one pass instead, which is another game. G's turn reuses
    the fakes of D's turn; with ``top_k`` G learns from the best of them alone. A player that may
    not learn is left as it is, its BatchNorm statistics too, and its loss is still reported.
    Returns detached scalars; D_x and D_Gz are means of sigmoid(logit) over the batch in D's turn,
    r_t is the mean sign of the reals' logits (Karras et al. 2020, equation 1).
    """
    now = replace(now, lent=replace(now.lent, judge=lambda x: _judged(game, change, x, now)))
    change.prepare(game, now.within("prepare"))
    turns = now.within("may_learn")
    d_learns, g_learns = change.may_learn("D", turns), change.may_learn("G", turns)

    z = torch.randn(len(real), game.z_dim, generator=now.rng("z")).to(game.device)
    with game.autocast(), torch.set_grad_enabled(g_learns), norms(game.G, learn=g_learns):
        fake = game.G(z).float()
    shown_real, shown_fake = change.batches(real, fake, now.within("batches"))

    with game.autocast(), torch.set_grad_enabled(d_learns), norms(game.D, learn=d_learns):
        seen_real = change.view(shown_real, now.within("view/D/real"))
        seen_fake = change.view(shown_fake.detach(), now.within("view/D/fake"))
        logit_real, logit_fake = judge(game.D, seen_real, seen_fake, concat)
        d = loss_D(logit_real, logit_fake)
    if d_learns:
        game.opt_D.zero_grad()
        d.backward()
        game.opt_D.step()

    game.D.requires_grad_(False)  # G's turn needs no gradient of D's weights
    heard = d_learns and g_learns
    with game.autocast(), torch.set_grad_enabled(g_learns), norms(game.D, learn=heard):
        judged = change.turn_of_G(fake, shown_fake, now.within("turn_of_G"))
        logit = game.D(change.view(judged, now.within("view/G/fake"))).float()
        g = loss_G(top_k.best(logit, now.epoch) if top_k else logit)
    if g_learns:
        game.opt_G.zero_grad()
        g.backward()
        game.opt_G.step()
    game.D.requires_grad_(True)

    return {
        "loss_D": d.detach(),
        "loss_G": g.detach(),
        "D_x": logit_real.detach().sigmoid().mean(),
        "D_Gz": logit_fake.detach().sigmoid().mean(),
        "r_t": logit_real.detach().sign().mean(),
    }


def _judged(game: Game, change: Intervention, x: Tensor, now: Now) -> Tensor:
    """D's logits of ``x``, (B,), as it sees it at this moment, without a trace in D."""
    with torch.no_grad(), game.autocast(), norms(game.D, learn=False):
        return game.D(change.view(x.detach(), now.within("judge"))).float()


def judge(D: nn.Module, real: Tensor, fake: Tensor, concat: bool) -> tuple[Tensor, Tensor]:
    """D's logits of reals and fakes, (B,) each, in fp32."""
    if concat:
        both = D(torch.cat([real, fake])).float()
        return both[: len(real)], both[len(real) :]
    return D(real).float(), D(fake).float()


@contextmanager
def norms(player: nn.Module, learn: bool) -> Iterator[None]:
    """Compute as in training, but what normalisations remember moves only if ``learn``.

    BatchNorm remembers running statistics and uses those of the batch; spectral normalisation
    remembers and uses its power iteration.
    """
    modules = [] if learn else list(player.modules())
    batch = [m for m in modules if isinstance(m, _BatchNorm) and m.track_running_stats]
    spectral = [m for m in modules if isinstance(m, _SpectralNorm) and m.training]
    try:
        for bn in batch:
            bn.track_running_stats = False
        for sn in spectral:
            sn.training = False
        yield
    finally:
        for bn in batch:
            bn.track_running_stats = True
        for sn in spectral:
            sn.training = True

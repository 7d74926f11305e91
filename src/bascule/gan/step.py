"""One training step of a GAN: D, then G (Goodfellow et al. 2014, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm

from bascule.core.context import StepContext
from bascule.gan.game import Game
from bascule.gan.objectives import GANLoss, Objective, TopK, per_image
from bascule.gan.penalties import GeneratorPenalty, Penalty, Turn, TurnOfG
from bascule.interventions import Intervention
from bascule.models.layers import Labelled


@dataclass(frozen=True)
class Rules:
    """The rules of a training step.

    objective     the losses of D and G
    penalties     added to D's loss
    top_k         G learns only from its best fakes; None: from all
    concat        D sees reals and fakes in one forward pass
    critic_steps  steps of D for one step of G: G trains in every n-th step
    generator_penalties   added to G's loss
    """

    objective: Objective = GANLoss()
    penalties: tuple[Penalty, ...] = ()
    top_k: TopK | None = None
    concat: bool = False
    critic_steps: int = 1
    generator_penalties: tuple[GeneratorPenalty, ...] = ()


PLAIN = Rules()
Judge = Callable[..., Tensor]  # images (B, 3, H, W) and, for some D, labels (B,) -> logits


def gan_step(
    game: Game,
    real: Tensor,
    context: StepContext,
    change: Intervention,
    rules: Rules = PLAIN,
    labels: Tensor | None = None,
) -> dict[str, Tensor]:
    """One step of D, then one of G if it is due, on reals (B, 3, H, W) in [-1, 1].

    By default D sees reals and fakes in two forward passes, so its BatchNorm has statistics of each
    batch; with ``rules.concat``, in one pass, these are other statistics. G's step reuses the fakes
    of D's step. A network that must not learn (``should_update``) is left unchanged, with its
    BatchNorm statistics. Its loss is still reported, without penalties.

    labels  (B,) classes of the reals, for conditional networks; the classes of fakes are part of
            their latents (:class:`bascule.models.layers.Labelled`)

    Returns detached scalars:

    loss_D      without penalties
    R1, ...     each penalty that was due, of D or of G, by its class name
    loss_G      without penalties, if G's step was due
    D_x, D_Gz   means of sigmoid(logit) over the reals, and over the fakes, in D's step
    r_t         the mean sign of the reals' logits (Karras et al. 2020, equation 1)
    """
    context = replace(
        context,
        services=replace(
            context.services, discriminate=lambda x: _detached_logits(game, change, x, context)
        ),
    )
    # Scopes are part of every draw's address, so they keep their first names.
    change.on_step_start(game, context.within("prepare"))
    turns = context.within("may_learn")
    g_plays = (context.step + 1) % rules.critic_steps == 0
    d_learns, g_learns = (
        change.should_update("D", turns),
        g_plays and change.should_update("G", turns),
    )

    z = torch.randn(len(real), game.z_dim, generator=context.rng("z")).to(game.device)
    with game.autocast(), torch.set_grad_enabled(g_learns), norms(game.G, learn=g_learns):
        fake = game.generate(z)
    of_side = {"real": labels, "fake": None if labels is None else cast(Labelled, game.G).labels(z)}
    shown_real, shown_fake = change.discriminator_batch(real, fake, context.within("batches"))

    due = [p for p in rules.penalties if d_learns and p.due(context)]
    sloped = {side for p in due for side in p.differentiates}
    with game.autocast(), torch.set_grad_enabled(d_learns), norms(game.D, learn=d_learns):
        of_real = shown_real.detach().requires_grad_("real" in sloped)
        of_fake = shown_fake.detach().requires_grad_("fake" in sloped)
        seen_real = change.augment(of_real, context.within("view/D/real"))
        seen_fake = change.augment(of_fake, context.within("view/D/fake"))
        game.last_judged = seen_real.detach(), seen_fake.detach()
        logit_real, logit_fake = judge(
            game.discriminate, seen_real, seen_fake, rules.concat, of_side["real"], of_side["fake"]
        )
        d = rules.objective.D(logit_real, logit_fake)
        turn = Turn(
            images={"real": of_real, "fake": of_fake},
            logits={"real": logit_real, "fake": logit_fake},
            discriminate=lambda x, name, side: _logits(
                game, change, x, context.within(f"view/D/{name}"), _first(of_side[side], len(x))
            ),
            context=context.within("penalties"),
            rebuild=lambda quarter: _rebuilt(game, seen_real.detach(), quarter),
        )
        paid = {
            type(p).__name__: p(replace(turn, context=turn.context.owned_by(type(p).__name__)))
            for p in due
        }
    if d_learns:
        game.optimizer_step(game.D, game.opt_D, sum(paid.values(), d))

    scalars = {
        "loss_D": d,
        **paid,
        "D_x": logit_real.sigmoid().mean(),
        "D_Gz": logit_fake.sigmoid().mean(),
        "r_t": logit_real.sign().mean(),
    }
    if g_plays:
        game.D.requires_grad_(False)  # G's step needs no gradients of D's weights
        updates_norms = d_learns and g_learns
        with game.autocast(), torch.set_grad_enabled(g_learns), norms(game.D, learn=updates_norms):
            judged = change.generator_batch(fake, shown_fake, context.within("turn_of_G"))
            logit = game.discriminate(
                change.augment(judged, context.within("view/G/fake")), of_side["fake"]
            )
            logit = rules.top_k.best(logit, context.epoch) if rules.top_k else logit
            beside = None
            if rules.objective.paired:
                seen = change.augment(shown_real, context.within("view/G/real"))
                beside = game.discriminate(seen, of_side["real"])
            scalars["loss_G"] = rules.objective.G(logit, beside)
            turn_of_G = TurnOfG(z, fake, context.within("penalties of G"))
            paid = {}
            for penalty in rules.generator_penalties if g_learns else ():
                name = type(penalty).__name__
                mine = turn_of_G.context.owned_by(name)
                paid[name] = penalty(replace(turn_of_G, context=mine))
        if g_learns:
            game.optimizer_step(game.G, game.opt_G, sum(paid.values(), scalars["loss_G"]))
            scalars |= paid
        game.D.requires_grad_(True)
    return {name: value.detach() for name, value in scalars.items()}


def _first(labels: Tensor | None, n: int) -> Tensor | None:
    return None if labels is None else labels[:n]


def _detached_logits(game: Game, change: Intervention, x: Tensor, context: StepContext) -> Tensor:
    """D's logits (B,) for ``x`` with its present weights; changes nothing in D."""
    with torch.no_grad(), game.autocast():
        return per_image(_logits(game, change, x.detach(), context.within("judge")))


def _logits(
    game: Game, change: Intervention, x: Tensor, context: StepContext, y: Tensor | None = None
) -> Tensor:
    """D's logits for ``x`` with their graph; D's normalisation statistics stay as they are."""
    with norms(game.D, learn=False):
        return game.discriminate(change.augment(x, context), y)


def _rebuilt(game: Game, x: Tensor, quarter: int) -> tuple[Tensor, Tensor]:
    """What D's decoders make of x (B, 3, H, W), and what they should make."""
    with norms(game.D, learn=False):
        return game.rebuilt(x, quarter), cast(Any, game.D).targets(x, quarter)


def judge(
    D: Judge,
    real: Tensor,
    fake: Tensor,
    concat: bool,
    y_real: Tensor | None = None,
    y_fake: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """D's logits of reals and fakes in fp32, given their labels (B,) for a conditional D."""
    told_real = () if y_real is None else (y_real,)
    told_fake = () if y_fake is None else (y_fake,)
    if concat:
        told = map(torch.cat, zip(told_real, told_fake, strict=True))
        both = D(torch.cat([real, fake]), *told).float()
        return both[: len(real)], both[len(real) :]
    return D(real, *told_real).float(), D(fake, *told_fake).float()


@contextmanager
def norms(player: nn.Module, learn: bool) -> Iterator[None]:
    """Compute as in training, but update the state of normalisations only if ``learn``.

    BatchNorm normalises with the statistics of the batch; its state is the running statistics. The
    state of spectral normalisation is its power iteration.
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

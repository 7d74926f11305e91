"""The adversarial game as a recipe tells it: its players, one step of it, what G draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bascule.data.augment import Affine, Flip
from bascule.data.batches import as_float, as_uint8
from bascule.data.color import from_space, to_space
from bascule.errors import Refusal
from bascule.game import Game
from bascule.interventions import Together
from bascule.now import Lent, Now, address, generator
from bascule.steps.gan import gan_step
from bascule.training.state import State

if TYPE_CHECKING:
    from bascule.training.recipe import Recipe


def players(recipe: Recipe) -> Game:
    """G and D before the first step, drawn from the seed alone. The recipe must be settled."""
    device = torch.device(recipe.device)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    G, D = recipe.model.players(generator(recipe.seed, "players"))
    for player in (G, D):
        player.to(memory_format=layout).to(device).train()

    def adam(player: nn.Module, lr: float) -> torch.optim.Adam:
        betas = (recipe.beta1, recipe.beta2)
        return torch.optim.Adam(player.parameters(), lr, betas, fused=recipe.fused_adam)

    opt_G, opt_D = adam(G, recipe.lr_G), adam(D, recipe.lr_D)
    if recipe.compile:
        G.compile()
        D.compile()
    return Game(
        *(G, D, opt_G, opt_D),
        z_dim=recipe.model.z_dim,
        device=device,
        precision=recipe.precision,
        fresh=recipe.model.players,
    )


def play(
    recipe: Recipe,
    state: State,
    images: Tensor,
    indices: Tensor,
    held_out: Tensor | None,
) -> dict[str, Tensor]:
    """One step of the game on the training images at ``indices``; returns its scalars."""
    game: Game = state.game
    change = Together(recipe.change)

    def shown(pixels: Tensor, at: Now) -> Tensor:
        x = prepare(pixels.to(game.device), recipe.augment, recipe.space, at)
        return x.contiguous(memory_format=torch.channels_last) if recipe.channels_last else x

    def more(split: str, n: int, at: Now) -> Tensor:
        pool = images if split == "other" else held_out
        others = _others(split, 0 if pool is None else len(pool), indices, n, at)
        assert pool is not None  # _others refuses it
        return shown(pool[others.to(pool.device)], at)

    lent = Lent(game.memory, game.seen, pictures=more)
    now = Now(recipe.seed, state.epoch, state.step, device=game.device, lent=lent)
    torch.manual_seed(address(recipe.seed, "global", now.step))  # for dropout and the like
    real = shown(images[indices.to(images.device)], now)
    scalars = gan_step(game, real, now, change, recipe.concat, recipe.top_k)
    game.seen = dict(scalars)
    # Rules' averages, counts and probabilities stand in the rows too.
    return scalars | {name: v for name, v in game.memory.items() if v.ndim == 0}


def _others(split: str, size: int, indices: Tensor, n: int, now: Now) -> Tensor:
    """``n`` places at random in a set of ``size``; of "other" training images none of ``indices``.

    Each image once, unless there are fewer than ``n``: then each as often as the next.
    """
    places = torch.arange(size)
    if split == "other":
        places = places[~torch.isin(places, indices)]
    if not len(places):
        raise Refusal(f"a rule asks for {split.replace('_', '-')} images, and there are none")
    rounds = -(-n // len(places))
    draws = [
        places[torch.randperm(len(places), generator=now.rng(f"pictures.{k}"))]
        for k in range(rounds)
    ]
    return torch.cat(draws)[:n]


def prepare(batch: Tensor, augment: Sequence[Flip | Affine], space: str, now: Now) -> Tensor:
    """From uint8 RGB to what the players see: augmented, in the colour space, in [-1, 1]."""
    x = as_float(batch)
    for place, transform in enumerate(augment):
        x = transform(x, now.rng(f"augment.{place}"))
    return to_space(x, space)


def fixed_z(recipe: Recipe, n: int) -> Tensor:
    """The latents (n, z_dim) that every sample grid of a run shows."""
    rng = generator(recipe.seed, "fixed z")
    return torch.randn(n, recipe.model.z_dim, generator=rng)


def sample(game: Game, z: Tensor, space: str) -> Tensor:
    """Images of G for z, uint8 RGB (B, 3, H, W), with its running BatchNorm statistics."""
    game.G.eval()
    try:
        with torch.no_grad(), game.autocast():
            x = game.G(z.to(game.device)).float()
    finally:
        game.G.train()
    return as_uint8(from_space(x, space)).cpu()

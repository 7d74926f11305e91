"""The adversarial game as a recipe tells it: its players, one step of it, what G draws."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from bascule.data.augment import Augmentation
from bascule.data.batches import as_float, as_uint8
from bascule.data.color import from_space, to_space
from bascule.data.images import ImageSet
from bascule.errors import Refusal, unknown
from bascule.game import Game
from bascule.interventions import Together
from bascule.laws import Rate, draw
from bascule.models.layers import Labelled
from bascule.models.shipped import load_into
from bascule.now import Lent, Now, address, generator
from bascule.steps.gan import gan_step
from bascule.training.state import State

if TYPE_CHECKING:
    from bascule.training.recipe import AnyRecipe, Recipe


def players(
    recipe: Recipe, make: Callable[[torch.Generator], tuple[nn.Module, nn.Module]] | None = None
) -> Game:
    """G and D before the first step, drawn from the seed alone, or the recipe's ``start``.

    The recipe must be settled. ``make(rng)`` draws them; None: the model of the recipe does.
    """
    make = make or recipe.model.players
    device = torch.device(recipe.device)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    with torch.random.fork_rng(devices=[]):  # nets of the user's may draw from the global one
        torch.manual_seed(address(recipe.seed, "players"))
        G, D = make(generator(recipe.seed, "players"))
    if recipe.start is not None:
        load_into(recipe.start, G, D)
    if recipe.labels is not None:
        G = Labelled(G, recipe.classes)
    for player in (G, D):
        player.to(memory_format=layout).to(device).train()

    opt_G, opt_D = (
        adam(recipe, G.parameters(), recipe.lr_G),
        adam(recipe, D.parameters(), recipe.lr_D),
    )
    averaged = None if recipe.ema_half_life is None else copy.deepcopy(G).requires_grad_(False)
    if recipe.compile:
        G.compile()
        D.compile()
    return Game(
        *(G, D, opt_G, opt_D),
        z_dim=recipe.z_dim,
        device=device,
        precision=recipe.precision,
        average=averaged,
        price=_activity(G, recipe.sparsity) if recipe.sparsity else None,
        fresh=make,
    )


def adam(recipe: Recipe, params: Iterable[Any], lr: Rate) -> torch.optim.Adam:
    """Adam on weights, or on groups of them that each tell their "share" of the rate."""
    first = Now(recipe.seed, epoch=0, step=0)
    betas = (recipe.beta1, draw(recipe.beta2, first))
    adam = torch.optim.Adam(params, draw(lr, first), betas, fused=recipe.fused_adam)
    for group in adam.param_groups:
        group["lr"] *= group.get("share", 1.0)
    return adam


def _activity(G: nn.Module, weight: float) -> Callable[[], Tensor]:
    """``weight`` times the mean absolute activation of G's hidden layers, summed over the layers,
    for the pictures that it drew last (Ganz and Elad 2021, section 4)."""
    last: dict[int, Tensor] = {}
    for place, layer in enumerate(m for m in G.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU)):

        def keep(module: nn.Module, given: Any, made: Tensor, place: int = place) -> None:
            last[place] = made.float().abs().mean()

        layer.register_forward_hook(keep)
    return lambda: weight * torch.stack(list(last.values())).sum()


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
    set_rates(recipe, game, now)
    told = None
    if recipe.labels is not None:
        assert state.labels is not None, "labels of the training images"
        told = state.labels[indices].to(game.device)
        for G in {game.G, game.drawing()}:
            cast(Labelled, G).see(told)
    scalars = gan_step(game, real, now, change, recipe.rules, told)
    game.seen = dict(scalars)
    average(recipe, game, len(real), now)
    # Rules' averages, counts and probabilities stand in the rows too.
    return scalars | {name: v for name, v in game.memory.items() if v.ndim == 0}


def set_rates(recipe: Recipe, game: Game, now: Now) -> None:
    """Learning rates and beta2 as they are at this moment."""
    warmth = recipe.warmth(now.epoch)
    for optimizer, lr in ((game.opt_G, recipe.lr_G), (game.opt_D, recipe.lr_D)):
        for group in optimizer.param_groups:
            group["lr"] = draw(lr, now) * warmth * group.get("share", 1.0)
            group["betas"] = (recipe.beta1, draw(recipe.beta2, now))


def average(recipe: Recipe, game: Game, images: int, now: Now) -> None:
    """Move the averaged G, where there is one, after a step on so many images."""
    if recipe.ema_half_life is not None:
        half_life = draw(recipe.ema_half_life, now)
        game.follow(0.5 ** (images / half_life) if half_life else 0.0)


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


def prepare(batch: Tensor, augment: Sequence[Augmentation], space: str, now: Now) -> Tensor:
    """From uint8 RGB to what the players see: augmented, in the colour space, in [-1, 1]."""
    x = as_float(batch)
    for place, transform in enumerate(augment):
        x = transform(x, now.rng(f"augment.{place}"))
    return to_space(x, space)


def label_codes(recipe: Recipe, images: ImageSet) -> Tensor | None:
    """What the players are told of each training image, (N,) from 0; None where nothing is.

    Codes follow the order of a label's values in the whole set. Raises :class:`Refusal` where the
    set has no such label, it is a number, or the model has another number of classes.
    """
    if recipe.labels is None:
        return None
    if recipe.labels not in images.labels:
        raise unknown(f"label of {images.name}", recipe.labels, images.labels)
    told = images.labels[recipe.labels]
    if told.dtype.kind == "f":
        raise Refusal(f"labels={recipe.labels}: of {images.name} it is a number, not a category")
    values, codes = np.unique(told, return_inverse=True)
    if len(values) != recipe.classes:
        raise Refusal(
            f"labels={recipe.labels} has {len(values)} values in {images.name} and the model "
            f"{recipe.classes} classes: set model.classes={len(values)}"
        )
    return torch.from_numpy(codes[images.indices("train")])


def fixed_z(recipe: AnyRecipe, n: int) -> Tensor:
    """The latents (n, z_dim) that every sample grid of a run shows."""
    rng = generator(recipe.seed, "fixed z")
    return torch.randn(n, recipe.z_dim or 0, generator=rng)


def sample(game: Game, z: Tensor, space: str) -> Tensor:
    """Images of G for z, uint8 RGB (B, 3, H, W), with its running BatchNorm statistics.

    Of the averaged G, where the game has one.
    """
    G = game.drawing()
    with evaluating(G), game.autocast():
        x = G(z.to(game.device)).float()
    return as_uint8(from_space(x, space)).cpu()


@contextmanager
def evaluating(G: nn.Module) -> Iterator[None]:
    """G draws with its running BatchNorm statistics and without gradients; then it is put back."""
    G.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        G.train()

"""The loop: epochs of steps, watched by probes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.data.augment import Affine, Flip
from bascule.data.batches import as_float, epoch_order
from bascule.data.color import to_space
from bascule.errors import Refusal
from bascule.game import Game
from bascule.interventions import Intervention, Together
from bascule.now import Lent, Now, address
from bascule.steps.gan import gan_step
from bascule.training.recipe import Recipe
from bascule.training.state import State

Row = dict[str, float]


@dataclass(frozen=True)
class Record:
    """What a probe may read after an epoch. ``row`` holds the epoch's scalars."""

    epochs_done: int
    row: Row
    game: Game


class Probe:
    """Watches and changes nothing: a run with and without probes is bit-identical."""

    def step_done(self, state: State, seconds: float) -> None:
        """After every step. ``seconds``: since this process began to train."""

    def epoch_done(self, record: Record) -> None:
        """After every epoch."""


class Stopped(Exception):
    """The run was asked to stop; it stands between two steps."""


def train(
    recipe: Recipe,
    state: State,
    images: Tensor,
    probes: Sequence[Probe] = (),
    until_epoch: int | None = None,
    save: Callable[[State], None] = lambda state: None,
    held_out: Tensor | None = None,
    must_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Play from where ``state`` stands to the end of epoch ``until_epoch`` (default: the last).

    ``images``: uint8 (N, 3, H, W), the training images; ``held_out`` likewise, for rules that show
    D some of those. ``save(state)`` is called after every epoch, after the probes. When
    ``must_stop()`` says so, raises :class:`Stopped` between two steps, where ``state`` may be saved
    too. Raises :class:`Refusal` when a loss is not finite, at such a stop or at the end of the
    epoch; that state must not be saved.
    """
    game = state.game
    images = images.to(game.device)
    change = Together(recipe.change)
    steps = len(images) // recipe.batch
    began = time.perf_counter()
    until = recipe.epochs if until_epoch is None else until_epoch
    while state.epoch < until:
        order = epoch_order(len(images), recipe.batch, recipe.seed, state.epoch)
        epoch_began, first = time.perf_counter(), state.step - state.epoch * steps
        for indices in order[first:]:
            scalars = _one_step(recipe, state, images, indices, held_out, change)
            for name, value in scalars.items():
                state.partial.setdefault(name, []).append(value)
            state.step += 1
            for probe in probes:
                probe.step_done(state, time.perf_counter() - began)
            if must_stop():
                summary(state.partial, state)
                raise Stopped
        row = summary(state.partial, state)
        done = (steps - first) * recipe.batch
        row["seconds"] = time.perf_counter() - epoch_began
        row["images_per_s"] = done / row["seconds"]
        state.partial = {}
        state.epoch += 1
        record = Record(state.epoch, row, game)
        for probe in probes:
            probe.epoch_done(record)
        save(state)


def _one_step(
    recipe: Recipe,
    state: State,
    images: Tensor,
    indices: Tensor,
    held_out: Tensor | None,
    change: Intervention,
) -> dict[str, Tensor]:
    game = state.game

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


def summary(partial: dict[str, list[Tensor]], state: State) -> Row:
    """Mean, std, min and max over the steps so far, of every scalar.

    Raises :class:`Refusal` when one is not finite.
    """
    row: Row = {"epoch": state.epoch, "step": state.step}
    for name, values in partial.items():
        stacked = torch.stack(values).double().cpu()
        if not stacked.isfinite().all():
            raise Refusal(
                f"{name} is not finite in epoch {state.epoch} (losses diverged): the last good "
                "checkpoint is kept; try a lower lr_D or lr_G, or precision=fp32"
            )
        row[name] = stacked.mean().item()
        row[f"{name}_std"] = stacked.std(correction=0).item()
        row[f"{name}_min"] = stacked.min().item()
        row[f"{name}_max"] = stacked.max().item()
    return row

"""The training loop: epochs of steps, with callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import torch
from torch import Tensor

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.data.batches import epoch_order
from bascule.data.images import ImageSubset
from bascule.training.recipe import Recipe
from bascule.training.state import State
from bascule.training.trainer import Batch, Trainer

Row = dict[str, float]


@dataclass(frozen=True)
class Record:
    """What callbacks get after an epoch.

    epochs_done  complete epochs of the run, from 1
    row          the scalars of this epoch, by name
    trainer      with the networks; do not change it
    """

    epochs_done: int
    row: Row
    trainer: Trainer[Any]

    def add(self, name: str, value: float) -> None:
        """Add a scalar to the epoch's row. It is kept, drawn in notes, and predictions may use it.

        Raises :class:`UserError` for a name that exists already, and for a value that is not a
        finite number.
        """
        if name in self.row:
            raise UserError(f"a callback adds {name!r}, but the epoch has it already: rename it")
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError):
            number = nan
        if not isfinite(number):
            told = " ".join(str(value).split())[:60]
            raise UserError(f"a callback adds {name!r} = {told}: expected one finite number")
        self.row[name] = number


class Callback:
    """Watches the training and changes nothing: a run is bit-identical with and without it.

    To write one, make a subclass::

        class Norm(Callback):
            adds = ("norm of D",)

            def on_epoch_end(self, record):
                parameters = record.trainer.game.D.parameters()
                record.add("norm of D", sum(p.norm() for p in parameters))

    adds  the names of the scalars that it adds to the record of an epoch.
    """

    adds: tuple[str, ...] = ()

    def on_step_end(self, state: State, seconds: float) -> None:
        """Called after every step. ``seconds``: since training began in this process."""

    def on_progress(self, what: str, done: int, of: int) -> None:
        """Called during long preparations of a step: ``done`` of ``of`` images are ready."""

    def on_epoch_end(self, record: Record) -> None:
        """Called after every epoch."""


class Stopped(Exception):
    """The run was asked to stop, and stopped between two steps."""


def train(
    state: State,
    images: Tensor | ImageSubset,
    callbacks: Sequence[Callback] = (),
    until_epoch: int | None = None,
    save: Callable[[State], None] = lambda state: None,
    held_out: Tensor | ImageSubset | None = None,
    must_stop: Callable[[], bool] = lambda: False,
    labels: Tensor | None = None,
) -> None:
    """Train from the present ``state`` to the end of epoch ``until_epoch`` (default: the last).

    images     the training images, uint8 RGB (N, 3, H, W)
    callbacks  called in this order
    save       ``save(state)`` is called after every epoch, after the callbacks
    held_out   held-out images like ``images``, for interventions that show some to D
    must_stop  asked after every step; if true, raises :class:`Stopped`, and ``state`` may be saved
    labels     (N,), the class of each training image

    Raises :class:`UserError` if a scalar is not finite, at the end of the epoch or at a stop. That
    state must not be saved.
    """
    recipe: Recipe = state.trainer.recipe
    images = images.to(state.trainer.device)
    steps = len(images) // recipe.batch
    began = time.perf_counter()
    until = recipe.epochs if until_epoch is None else until_epoch

    def stop_if_asked() -> None:
        if must_stop():
            summary(state.partial, state)
            raise Stopped

    def working(what: str, done: int, of: int) -> None:
        for callback in callbacks:
            callback.on_progress(what, done, of)
        stop_if_asked()

    while state.epoch < until:
        order = epoch_order(len(images), recipe.batch, recipe.seed, state.epoch)
        epoch_began, first = time.perf_counter(), state.step - state.epoch * steps
        for indices in order[first:]:
            at = (state.epoch, state.step)
            batch = Batch(images, indices, *at, held_out, labels, working)
            # For layers that draw from the global generator, such as dropout.
            torch.manual_seed(address(recipe.seed, "global", state.step))
            scalars = state.trainer.step(batch)
            for name, value in scalars.items():
                state.partial.setdefault(name, []).append(value)
            state.step += 1
            for callback in callbacks:
                callback.on_step_end(state, time.perf_counter() - began)
            stop_if_asked()
        row = summary(state.partial, state)
        done = (steps - first) * recipe.batch
        row["seconds"] = time.perf_counter() - epoch_began
        row["images_per_s"] = done / row["seconds"]
        state.partial = {}
        state.epoch += 1
        record = Record(state.epoch, row, state.trainer)
        for callback in callbacks:
            callback.on_epoch_end(record)
        save(state)


def summary(partial: dict[str, list[Tensor]], state: State) -> Row:
    """Mean, standard deviation, minimum and maximum of every scalar over the steps so far.

    Raises :class:`UserError` if a value is not finite.
    """
    row: Row = {"epoch": state.epoch, "step": state.step}
    for name, values in partial.items():
        stacked = torch.stack(values).double().cpu()
        if not stacked.isfinite().all():
            raise UserError(
                f"{name} is not finite in epoch {state.epoch} (losses diverged): the last good "
                "checkpoint is kept; try a lower lr_D or lr_G, or precision=fp32"
            )
        row[name] = stacked.mean().item()
        row[f"{name}_std"] = stacked.std(correction=0).item()
        row[f"{name}_min"] = stacked.min().item()
        row[f"{name}_max"] = stacked.max().item()
    return row

"""Reports how fast a run trains, about twice a second."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from bascule.training.loop import Callback, Record
from bascule.training.recipe import Recipe
from bascule.training.state import State

AVERAGED_STEPS = 50


class Pace(Callback):
    """Measures images/s, the epoch and the recipe's scalars every ``every_s`` seconds.

    The scalars are means over the last complete epoch. In the first epoch, they are means over its
    last ``AVERAGED_STEPS`` steps.
    """

    def __init__(self, recipe: Recipe, steps_per_epoch: int, every_s: float = 0.5) -> None:
        self.recipe, self.steps_per_epoch, self.every_s = recipe, steps_per_epoch, every_s
        self.told_at, self.step_at = 0.0, -1
        self.scalars: dict[str, float] = {}

    def on_step_end(self, state: State, seconds: float) -> None:
        if self.step_at < 0:
            self.told_at, self.step_at = seconds, state.step
        elif seconds - self.told_at > self.every_s:
            steps = state.step - self.step_at
            rate = steps * self.recipe.batch / (seconds - self.told_at)
            self.told_at, self.step_at = seconds, state.step
            self.tell(state.step / self.steps_per_epoch, rate, self.scalars or self._so_far(state))

    def _so_far(self, state: State) -> dict[str, float]:
        last = {n: state.partial.get(n, [])[-AVERAGED_STEPS:] for n in self.recipe.scalars}
        return {name: float(sum(values) / len(values)) for name, values in last.items() if values}

    def on_progress(self, what: str, done: int, of: int) -> None:
        self.step_at = -1  # restart the clock: only steps count

    def on_epoch_end(self, record: Record) -> None:
        self.scalars = {n: record.row[n] for n in self.recipe.scalars if n in record.row}

    def tell(self, epoch: float, images_per_s: float, scalars: Mapping[str, float]) -> None:
        raise NotImplementedError


class Lines(Pace):
    """Prints one JSON line per report on standard output, for the parent process."""

    def tell(self, epoch: float, images_per_s: float, scalars: Mapping[str, float]) -> None:
        told = {"epoch": epoch, "images_per_s": images_per_s, "scalars": dict(scalars)}
        with suppress(BrokenPipeError):  # the parent has gone
            print(json.dumps(told), flush=True)

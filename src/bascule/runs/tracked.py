"""Trackers are told what a run does, and never stop it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from bascule.runs import codec
from bascule.runs.store import Run
from bascule.tracking.tracker import RunFacts, Tracker
from bascule.training.loop import Callback, Record

WARNING = "warning: the tracker"  # how the line begins; a scheduler looks for it


def facts_of(run: Run, epochs_done: int) -> RunFacts:
    """What a tracker is told of ``run``."""
    recipe = flat(codec.encode(run.recipe))
    return RunFacts(run.id, run.name, run.folder.resolve(), recipe, epochs_done)


def flat(value: Any, path: str = "") -> dict[str, str | float | None]:
    """Nested plain values by dotted names, such as "model.width" and "interventions.0.at_epoch"."""
    if not isinstance(value, dict | list):
        return {path: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, str | float | None] = {}
    for name, part in parts:
        found |= flat(part, f"{path}.{name}" if path else str(name))
    return found


class Tracked(Callback):
    """Tells a tracker of a run. If it fails, it is left out from then on, and one line says so."""

    def __init__(self, tracker: Tracker, run: Run, epochs_done: int) -> None:
        self.tracker: Tracker | None = tracker
        self.run = run
        self._tell("start", facts_of(run, epochs_done))

    def on_epoch_end(self, record: Record) -> None:
        done = record.epochs_done
        values = {name: v for name, v in record.row.items() if name not in ("epoch", "step")}
        self._tell("log", done, values)
        files = {"samples": self.run.sample(done), "shown": self.run.shown(done)}
        if written := {name: path for name, path in files.items() if path.exists()}:
            self._tell("pictures", done, written)

    def end(self, state: str) -> None:
        """The run is "finished", "interrupted" or "failed"."""
        self._tell("end", state)

    def _tell(self, what: str, *given: Any) -> None:
        if self.tracker is None:
            return
        method: Callable[..., None] = getattr(self.tracker, what)
        try:
            method(*given)
        except Exception as error:
            told = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
            name, self.tracker = type(self.tracker).__name__, None
            print(
                f"{WARNING} {name} failed, so {self.run.id} goes on without it: {told}",
                file=sys.stderr,
            )

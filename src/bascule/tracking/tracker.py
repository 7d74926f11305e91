"""A tracker is told what one run does, epoch by epoch, and passes it on to another program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFacts:
    """What a tracker is told of a run.

    id           the name of its folder, which no other run has
    name         the name that was given to it
    folder       where all its files are
    recipe       the recipe as plain values by dotted names: ``{"model.width": 32}``
    epochs_done  complete epochs so far; above 0 where a stopped run goes on
    """

    id: str
    name: str
    folder: Path
    recipe: Mapping[str, str | float | None]
    epochs_done: int


class Tracker:
    """Is told of one run and changes nothing in it. To write one, override what you need::

        class Print(Tracker):
            def log(self, epoch, values):
                print(epoch, values["loss_D"])

    and name it on the command line: ``--track my_tracker.py:Print``. Every run has a tracker of its
    own. An exception in a method is told in one line; the run goes on without the tracker.
    """

    def start(self, run: RunFacts) -> None:
        """Called once, before the first epoch."""

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        """Called after every epoch. ``epoch``: complete ones, from 1; ``values``: its scalars."""

    def pictures(self, epoch: int, files: Mapping[str, Path]) -> None:
        """Called where the run has written sample grids. ``files``: PNG files by name.

        "samples": G on the same latents; "shown": what D judged last, reals to the left.
        """

    def end(self, state: str) -> None:
        """Called once. ``state``: "finished", "interrupted" or "failed"."""


class Service(Tracker):
    """A tracker that comes with the package.

    package  what must be installed for it

    ``place``: where it writes, as ``--track`` says after a colon; "" is its own default.
    """

    package: str

    def __init__(self, place: str = "") -> None:
        self.place = self.whole(place) if place else ""

    @staticmethod
    def whole(place: str) -> str:
        """``place`` so that it is the same in any folder."""
        return place

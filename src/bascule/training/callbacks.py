"""The callback that writes sample grids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bascule.core import atomic
from bascule.training.loop import Callback, Record
from bascule.training.recipe import Recipe


class SampleGrids(Callback):
    """Writes the recipe's preview every few epochs and at the end: G on the same 64 latents.

    path   where to write the preview, from the number of complete epochs
    shown  where to write the last images that D judged, if there is a D
    """

    def __init__(
        self, recipe: Recipe, path: Callable[[int], Path], shown: Callable[[int], Path]
    ) -> None:
        self.recipe, self.path, self.shown = recipe, path, shown

    def on_epoch_end(self, record: Record) -> None:
        done = record.epochs_done
        if done % self.recipe.sample_every_epochs == 0 or done in (1, self.recipe.epochs):
            atomic.write_png(self.path(done), record.trainer.preview())
            if judged := record.trainer.preview_judged():
                atomic.write_png(self.shown(done), judged)

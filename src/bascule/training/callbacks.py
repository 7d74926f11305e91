"""Callbacks that write sample grids and TensorBoard events."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bascule.core import atomic
from bascule.core.errors import UserError
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


class TensorBoard(Callback):
    """Writes the scalars as TensorBoard events into ``folder``."""

    def __init__(self, folder: Path, epochs_done: int) -> None:
        self.folder, self.epochs_done = folder, epochs_done

    @cached_property
    def writer(self) -> Any:
        """Made at the first write, because TensorBoard takes a second to import."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder), purge_step=self.epochs_done)

    def on_epoch_end(self, record: Record) -> None:
        for name, value in record.row.items():
            if name not in ("epoch", "step"):
                self.writer.add_scalar(name, value, record.epochs_done)
        self.writer.flush()


def check_tensorboard() -> None:
    """Raise :class:`UserError` if TensorBoard is not installed."""
    if not tensorboard_is_installed():
        raise UserError(
            '--tensorboard: TensorBoard is not installed: pip install "bascule[tensorboard]"'
        )


def tensorboard_is_installed() -> bool:
    """Whether TensorBoard can be imported; does not import it."""
    return find_spec("tensorboard") is not None

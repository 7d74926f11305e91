"""Probes that draw and write: sample grids and TensorBoard events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bascule import atomic
from bascule.data.batches import as_uint8
from bascule.data.color import from_space
from bascule.game import Game
from bascule.now import generator
from bascule.training.loop import Probe, Record
from bascule.training.recipe import Recipe


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


def grid(images: Tensor, columns: int) -> Image.Image:
    """Pictures uint8 (B, 3, H, W) side by side, two white pixels apart."""
    b, _, h, w = images.shape
    rows = -(-b // columns)
    sheet = np.full((rows * (h + 2) - 2, columns * (w + 2) - 2, 3), 255, np.uint8)
    for k, picture in enumerate(images.permute(0, 2, 3, 1).numpy()):
        top, left = (k // columns) * (h + 2), (k % columns) * (w + 2)
        sheet[top : top + h, left : left + w] = picture
    return Image.fromarray(sheet)


class SampleGrids(Probe):
    """Every few epochs and at the end, a grid of G on the same 64 latents."""

    def __init__(self, recipe: Recipe, path: Callable[[int], Path]) -> None:
        self.recipe, self.path = recipe, path
        self.z = fixed_z(recipe, 64)

    def epoch_done(self, record: Record) -> None:
        done = record.epochs_done
        if done % self.recipe.sample_every_epochs == 0 or done in (1, self.recipe.epochs):
            picture = grid(sample(record.game, self.z, self.recipe.space), 8)
            atomic.write(self.path(done), lambda path: picture.save(path, "PNG"))


class TensorBoard(Probe):
    """The same scalars as TensorBoard events, in the run's folder ``tb/``."""

    def __init__(self, folder: Path, epochs_done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(str(folder), purge_step=epochs_done)

    def epoch_done(self, record: Record) -> None:
        for name, value in record.row.items():
            if name not in ("epoch", "step"):
                self.writer.add_scalar(name, value, record.epochs_done)
        self.writer.flush()


def tensorboard_is_installed() -> bool:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return False
    return True

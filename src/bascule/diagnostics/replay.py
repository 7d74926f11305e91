"""Keeps old fakes, to measure later whether D still recognises them (Thanh-Tung & Tran 2018).

There is one file for each epoch, in the run's folder, so that a resumed run still has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bascule.core import atomic
from bascule.core.arrays import read_array
from bascule.core.errors import unreadable
from bascule.core.reading import numbered


@dataclass(frozen=True)
class Replay:
    """Old fakes by their epoch, in files ``epoch-0019.npy``: uint8 (N, 3, H, W)."""

    folder: Path

    def keep(self, epoch: int, fakes: Tensor) -> None:
        """Save the fakes of ``epoch``; replaces those of an earlier attempt."""
        self.folder.mkdir(parents=True, exist_ok=True)

        def put(path: Path) -> None:
            with path.open("wb") as file:
                np.save(file, fakes.numpy())

        atomic.write(self._path(epoch), put)

    def before(self, epoch: int) -> list[int]:
        """The epochs to measure: 1, 2, 4, 8, ... saved files ago, newest first, and the oldest.

        So the cost grows with the logarithm of the run. Files from ``epoch`` on are ignored: they
        belong to an attempt that was stopped and is being repeated.
        """
        found = numbered(self.folder, ".npy")
        past = [kept for kept in reversed(found) if kept < epoch]
        chosen = [past[2**k - 1] for k in range(len(past).bit_length())]
        return chosen + past[-1:] if past and chosen[-1] != past[-1] else chosen

    def fakes(self, epoch: int) -> Tensor:
        """The fakes of ``epoch``, uint8 (N, 3, H, W). Raises :class:`UserError` if unreadable."""
        path = self._path(epoch)
        try:
            found = read_array(path)
            if found.dtype != np.uint8 or found.ndim != 4 or not len(found):
                raise ValueError(f"{found.dtype} {found.shape}, no pictures")
        except (OSError, ValueError) as error:
            remedy = "delete the file; diagnostics then skip that epoch"
            raise unreadable(f"the old fakes {path}", error, remedy) from None
        return torch.from_numpy(found)

    def _path(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:04d}.npy"

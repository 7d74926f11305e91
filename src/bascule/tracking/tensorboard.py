"""TensorBoard events, beside the run or in a folder for several runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from bascule.tracking.tracker import RunFacts, Service


class TensorBoard(Service):
    """Writes events into ``place/RUN`` (default: ``tb`` in the run's folder)."""

    package = "tensorboard"

    @staticmethod
    def whole(place: str) -> str:
        return str(Path(place).expanduser().resolve())

    def start(self, run: RunFacts) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = Path(self.place) / run.id if self.place else run.folder / "tb"
        # What a killed run logged after its last checkpoint is hidden, because it is logged again.
        self.writer = SummaryWriter(str(folder), purge_step=run.epochs_done + 1)
        recipe = json.dumps(dict(run.recipe), indent=1, ensure_ascii=False)
        self.writer.add_text("recipe", f"```\n{recipe}\n```", run.epochs_done + 1)

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def pictures(self, epoch: int, files: Mapping[str, Path]) -> None:
        for name, path in files.items():
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            self.writer.add_image(name, pixels, epoch, dataformats="HWC")

    def end(self, state: str) -> None:
        self.writer.close()

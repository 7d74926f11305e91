"""Weights & Biases. WANDB_MODE=offline keeps everything on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bascule.tracking.tracker import RunFacts, Service


class WandB(Service):
    """Logs to the W&B project ``place`` (default: bascule), with the number of epochs as axis.

    Its own files are in the run's folder.
    """

    package = "wandb"

    def start(self, run: RunFacts) -> None:
        import wandb

        self.run = wandb.init(
            project=self.place or "bascule",
            id=run.id,
            name=run.name,
            config=dict(run.recipe),
            resume="allow",
            dir=str(run.folder),
        )
        self.run.define_metric("*", step_metric="epoch")

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        self.run.log({"epoch": epoch, **values})

    def pictures(self, epoch: int, files: Mapping[str, Path]) -> None:
        import wandb

        shown = {name: wandb.Image(str(path)) for name, path in files.items()}
        self.run.log({"epoch": epoch, **shown})

    def end(self, state: str) -> None:
        self.run.finish(exit_code=0 if state == "finished" else 1)

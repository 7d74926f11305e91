"""The state of a run: its trainer, its progress, and the scalars of the unfinished epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bascule.core.context import address
from bascule.training.recipe import Recipe
from bascule.training.trainer import Trainer


@dataclass
class State:
    """A run after ``epoch`` complete epochs and ``step`` steps in all.

    partial  for every scalar, one tensor for each step of the unfinished epoch
    """

    trainer: Trainer[Any]
    epoch: int = 0
    step: int = 0
    partial: dict[str, list[Tensor]] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """The state for checkpoints: tensors and plain values only."""
        return {
            "game": self.trainer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "partial": {name: torch.stack(v).cpu() for name, v in self.partial.items() if v},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned, onto the trainer's device."""
        self.trainer.load_state_dict(saved["game"])
        self.epoch, self.step = saved["epoch"], saved["step"]
        self.partial = {
            name: list(v.to(self.trainer.device).unbind()) for name, v in saved["partial"].items()
        }


def begin(recipe: Recipe) -> State:
    """The state before the first step. "auto" in the recipe must be resolved first.

    PyTorch's global generator is seeded while it is built, for layers that draw from it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(address(recipe.seed, "players"))
        return State(recipe.build())

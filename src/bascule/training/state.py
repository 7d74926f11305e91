"""All that changes during a run: the players, and how far the game has gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from bascule.training.recipe import AnyRecipe


class Players(Protocol):
    """Whatever learns: the two players of a game, or the dictionaries of a network."""

    device: torch.device

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, saved: dict[str, Any]) -> None: ...


Working = Callable[[str, int, int], None]


def _unwatched(what: str, done: int, of: int) -> None:
    pass


@dataclass
class State:
    """``epoch`` epochs are complete, and ``step`` steps of the whole run.

    ``partial`` holds the scalars of the steps of the unfinished epoch, one tensor a name. No
    checkpoint holds the rest: ``labels``, what players are told of each training image, (N,), where
    they are; and ``working(what, done, of)``, which a step calls while it prepares what takes long,
    before it has changed anything, since it may raise :class:`~bascule.training.loop.Stopped`.
    """

    game: Any  # the Players that the recipe began with
    epoch: int = 0
    step: int = 0
    partial: dict[str, list[Tensor]] = field(default_factory=dict)
    labels: Tensor | None = None
    working: Working = _unwatched

    def state_dict(self) -> dict[str, Any]:
        return {
            "game": self.game.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "partial": {name: torch.stack(v).cpu() for name, v in self.partial.items() if v},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.game.load_state_dict(saved["game"])
        self.epoch, self.step = saved["epoch"], saved["step"]
        self.partial = {
            name: list(v.to(self.game.device).unbind()) for name, v in saved["partial"].items()
        }


def begin(recipe: AnyRecipe) -> State:
    """The state before the first step, drawn from the seed alone. The recipe must be settled."""
    return State(recipe.begin())

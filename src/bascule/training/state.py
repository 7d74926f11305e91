"""All that changes during a run: the players, and how far the game has gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bascule.game import Game
from bascule.now import generator
from bascule.training.recipe import Recipe


@dataclass
class State:
    """``epoch`` epochs are complete, and ``step`` steps of the whole run.

    ``partial`` holds the scalars of the steps of the unfinished epoch, one tensor a name.
    """

    game: Game
    epoch: int = 0
    step: int = 0
    partial: dict[str, list[Tensor]] = field(default_factory=dict)

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


def begin(recipe: Recipe) -> State:
    """The state before the first step, drawn from the seed alone. The recipe must be settled."""
    device = torch.device(recipe.device)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    G, D = recipe.model.players(generator(recipe.seed, "players"))
    for player in (G, D):
        player.to(memory_format=layout).to(device).train()

    def adam(player: nn.Module, lr: float) -> torch.optim.Adam:
        betas = (recipe.beta1, recipe.beta2)
        return torch.optim.Adam(player.parameters(), lr, betas, fused=recipe.fused_adam)

    opt_G, opt_D = adam(G, recipe.lr_G), adam(D, recipe.lr_D)
    if recipe.compile:
        G.compile()
        D.compile()
    game = Game(
        *(G, D, opt_G, opt_D),
        z_dim=recipe.model.z_dim,
        device=device,
        precision=recipe.precision,
        fresh=recipe.model.players,
    )
    return State(game)

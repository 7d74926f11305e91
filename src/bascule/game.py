"""The players of the game and what they learn with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from bascule.team import Team, unite_norms


@dataclass
class Game:
    """Two players, their optimisers, and what the rules of the game remember.

    ``G`` maps z: (B, z_dim) to images (B, 3, H, W) in [-1, 1]; ``D`` maps images to logits (B,),
    or in training to (B, H), where it has several heads that each play for themselves.
    ``precision`` is ``"fp32"``, or ``"bf16"`` for automatic mixed precision.
    ``average``: a G of averaged weights, which draws in place of ``G`` where there is one.
    ``price()``: what G pays beside its loss, in its turn, for what it drew last.
    ``fresh(rng)`` makes a new pair of players as they were before the first step. ``memory`` holds
    what interventions remember, ``seen`` the scalars of the last step, ``shown`` the reals and the
    fakes that D judged in it, as it saw them. ``team``: the processes that play it together, where
    there are several.
    """

    G: nn.Module
    D: nn.Module
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    z_dim: int
    device: torch.device
    precision: str = "fp32"
    average: nn.Module | None = None
    fresh: Callable[[torch.Generator], tuple[nn.Module, nn.Module]] | None = None
    price: Callable[[], Tensor] | None = None
    memory: dict[str, Tensor] = field(default_factory=dict)
    seen: dict[str, Tensor] = field(default_factory=dict)
    shown: tuple[Tensor, Tensor] | None = None
    team: Team | None = None

    def join(self, team: Team) -> None:
        """Play as one of several processes from now on."""
        self.team = team
        for player in (self.G, self.D):
            unite_norms(player, team)

    def draws(self, z: Tensor) -> Tensor:
        """What G draws in the game for the whole batch z (B, z_dim): (B, 3, H, W), fp32."""
        return self.team.run(self.G, z) if self.team else self.G(z).float()

    def judges(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """D's logits in the game, (B,) or (B, H) in fp32, of the whole batch x (B, 3, H, W).

        ``y``: its labels (B,), for a D that is told them.
        """
        told = (x,) if y is None else (x, y)
        return self.team.run(self.D, *told) if self.team else self.D(*told).float()

    def learn(self, player: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """One step of ``optimizer`` down the slope of ``loss``, which every process computes."""
        if player is self.G and self.price is not None:
            loss = loss + self.price()
        optimizer.zero_grad()
        loss.backward()
        if self.team:
            self.team.sum_gradients(player)
        optimizer.step()

    def autocast(self) -> torch.autocast:
        """The context in which the players compute."""
        return autocast(self.device, self.precision)

    def drawing(self) -> nn.Module:
        """The G whose pictures are shown and measured."""
        return self.G if self.average is None else self.average

    def follow(self, decay: float) -> None:
        """Move the averaged G towards G, keeping the share ``decay`` of itself.

        BatchNorm statistics are averaged as weights are; what else a layer remembers is copied.
        """
        assert self.average is not None, "a game with an averaged G"
        ours: list[Tensor] = list(self.average.parameters())
        theirs: list[Tensor] = list(self.G.parameters())
        for mine, other in zip(self.average.modules(), self.G.modules(), strict=True):
            for name, buffer in mine.named_buffers(recurse=False):
                now = other.get_buffer(name)
                if isinstance(mine, _BatchNorm) and buffer.is_floating_point():
                    ours.append(buffer)
                    theirs.append(now)
                else:
                    buffer.copy_(now)
        with torch.no_grad():
            get_ema_multi_avg_fn(decay)(ours, theirs, torch.tensor(0))

    def state_dict(self) -> dict[str, Any]:
        return {
            "G": self.G.state_dict(),
            "D": self.D.state_dict(),
            "opt_G": self.opt_G.state_dict(),
            "opt_D": self.opt_D.state_dict(),
            "memory": dict(self.memory),
            "seen": dict(self.seen),
        } | ({"average": self.average.state_dict()} if self.average is not None else {})

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take weights and moments; learning rates and betas stay those of the recipe."""
        self.G.load_state_dict(saved["G"])
        self.D.load_state_dict(saved["D"])
        if self.average is not None:
            self.average.load_state_dict(saved.get("average", saved["G"]))
        load_optimizer(self.opt_G, saved["opt_G"])
        load_optimizer(self.opt_D, saved["opt_D"])
        self.memory, self.seen = dict(saved.get("memory", {})), dict(saved.get("seen", {}))


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of ``optimizer`` down the slope of ``loss``."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which nets compute: ``"bf16"`` is automatic mixed precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Take the moments that were saved; rates and betas stay those of the recipe."""
    rates = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group.update(rate)

"""The players of the game and what they learn with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from bascule.core.distributed import ProcessGroup, convert_sync_batchnorm
from bascule.core.optimizers import autocast, load_optimizer


@dataclass
class Game:
    """Two players, their optimisers, and what the rules of the game remember.

    ``G`` maps z: (B, z_dim) to images (B, 3, H, W) in [-1, 1]; ``D`` maps images to logits (B,),
    or in training to (B, H), where it has several heads that each play for themselves.
    ``precision`` is ``"fp32"``, or ``"bf16"`` for automatic mixed precision.
    ``average``: a G of averaged weights, which draws in place of ``G`` where there is one.
    ``extra_generator_loss()``: what G pays beside its loss, in its turn, for what it drew last.
    ``fresh(rng)`` makes a new pair of players as they were before the first step. ``memory`` holds
    what interventions remember, ``last_metrics`` the scalars of the last step, ``last_judged`` the
    reals and the fakes that D judged in it, as it saw them. ``group``: the processes that play it
    together, where there are several.
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
    extra_generator_loss: Callable[[], Tensor] | None = None
    memory: dict[str, Tensor] = field(default_factory=dict)
    last_metrics: dict[str, Tensor] = field(default_factory=dict)
    last_judged: tuple[Tensor, Tensor] | None = None
    group: ProcessGroup | None = None

    def join(self, group: ProcessGroup) -> None:
        """Play as one of several processes from now on."""
        self.group = group
        for player in (self.G, self.D):
            convert_sync_batchnorm(player, group)

    def generate(self, z: Tensor) -> Tensor:
        """What G draws in the game for the whole batch z (B, z_dim): (B, 3, H, W), fp32."""
        return self.group.run(self.G, z) if self.group else self.G(z).float()

    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """D's logits in the game, (B,) or (B, H) in fp32, of the whole batch x (B, 3, H, W).

        ``y``: its labels (B,), for a D that is told them.
        """
        told = (x,) if y is None else (x, y)
        return self.group.run(self.D, *told) if self.group else self.D(*told).float()

    def optimizer_step(
        self, player: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor
    ) -> None:
        """One step of ``optimizer`` down the slope of ``loss``, which every process computes."""
        if player is self.G and self.extra_generator_loss is not None:
            loss = loss + self.extra_generator_loss()
        optimizer.zero_grad()
        loss.backward()
        if self.group:
            self.group.sum_gradients(player)
        optimizer.step()

    def autocast(self) -> torch.autocast:
        """The context in which the players compute."""
        return autocast(self.device, self.precision)

    def drawing(self) -> nn.Module:
        """The G whose pictures are shown and measured."""
        return self.G if self.average is None else self.average

    def update_ema(self, decay: float) -> None:
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
            "seen": dict(self.last_metrics),
        } | ({"average": self.average.state_dict()} if self.average is not None else {})

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take weights and moments; learning rates and betas stay those of the recipe."""
        self.G.load_state_dict(saved["G"])
        self.D.load_state_dict(saved["D"])
        if self.average is not None:
            self.average.load_state_dict(saved.get("average", saved["G"]))
        load_optimizer(self.opt_G, saved["opt_G"])
        load_optimizer(self.opt_D, saved["opt_D"])
        self.memory, self.last_metrics = dict(saved.get("memory", {})), dict(saved.get("seen", {}))

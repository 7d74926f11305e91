"""The two networks of a GAN, their optimisers and their state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from bascule.core.distributed import ProcessGroup, convert_sync_batchnorm
from bascule.core.optimizers import autocast, load_optimizer, move_average


@dataclass
class Game:
    """G, D, their optimisers, and the state that a training step reads and writes.

    G             z (B, z_dim) -> images (B, 3, H, W) in [-1, 1]
    D             images -> logits (B,); in training (B, H) if it has H heads
    precision     "fp32", or "bf16" for automatic mixed precision
    average       G with averaged weights; it draws all samples if there is one
    fresh         ``fresh(rng)`` makes a new (G, D) with initial weights
    extra_generator_loss   added to G's loss, for its last forward pass; a scalar
    memory        what interventions remember
    last_metrics  the scalars of the last step
    last_judged   the reals and fakes that D saw in it, with all augmentation
    group         the processes that train together, if there are several
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
        """Train as one of several processes from now on."""
        self.group = group
        for player in (self.G, self.D):
            convert_sync_batchnorm(player, group)

    def generate(self, z: Tensor) -> Tensor:
        """G's images for the whole batch of latents (B, z_dim): (B, 3, H, W) in fp32."""
        return self.group.run(self.G, z) if self.group else self.G(z).float()

    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """D's logits, (B,) or (B, H) in fp32, for the whole batch x (B, 3, H, W).

        ``y``: labels (B,), for a conditional D.
        """
        told = (x,) if y is None else (x, y)
        return self.group.run(self.D, *told) if self.group else self.D(*told).float()

    def rebuilt(self, x: Tensor, quarter: int) -> Tensor:
        """What D's decoders make of the whole batch x (B, 3, H, W): (B, K, 3, h, w) in fp32."""

        def decoded(part: Tensor) -> Tensor:
            images: Tensor = cast(Any, self.D).rebuilt(part, quarter)
            return images.float()

        return self.group.run(decoded, x) if self.group else decoded(x)

    def optimizer_step(
        self, player: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor
    ) -> None:
        """One step of ``optimizer`` on ``loss``; every process must call it with the whole loss."""
        if player is self.G and self.extra_generator_loss is not None:
            loss = loss + self.extra_generator_loss()
        optimizer.zero_grad()
        loss.backward()
        if self.group:
            self.group.sum_gradients(player)
        optimizer.step()

    def autocast(self) -> torch.autocast:
        """The precision context in which G and D compute."""
        return autocast(self.device, self.precision)

    def drawing(self) -> nn.Module:
        """The G that draws samples and is evaluated: the averaged one if there is one."""
        return self.G if self.average is None else self.average

    def update_ema(self, decay: float) -> None:
        """Move the averaged weights towards G (:func:`~bascule.core.optimizers.move_average`)."""
        assert self.average is not None, "a game with an averaged G"
        move_average(self.average, self.G, decay)

    def state_dict(self) -> dict[str, Any]:
        """The state for checkpoints: tensors and plain values only."""
        return {
            "G": self.G.state_dict(),
            "D": self.D.state_dict(),
            "opt_G": self.opt_G.state_dict(),
            "opt_D": self.opt_D.state_dict(),
            "memory": dict(self.memory),
            "seen": dict(self.last_metrics),
        } | ({"average": self.average.state_dict()} if self.average is not None else {})

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load weights and moments; learning rates and betas stay those of the recipe."""
        self.G.load_state_dict(saved["G"])
        self.D.load_state_dict(saved["D"])
        if self.average is not None:
            self.average.load_state_dict(saved.get("average", saved["G"]))
        load_optimizer(self.opt_G, saved["opt_G"])
        load_optimizer(self.opt_D, saved["opt_D"])
        self.memory, self.last_metrics = dict(saved.get("memory", {})), dict(saved.get("seen", {}))

"""The recipe of a rectified flow, and the trainer that it builds."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bascule.core.context import StepContext, generator
from bascule.core.optimizers import autocast, decay_of, descend, move_average
from bascule.core.schedules import Rate, value_at
from bascule.data.augment import Augmentation
from bascule.data.batches import as_uint8
from bascule.data.faces import Faces
from bascule.data.source import DataSource
from bascule.flow.model import UNet
from bascule.flow.sampler import EVALUATIONS, Sampler, Solver
from bascule.flow.step import flow_loss
from bascule.training.recipe import Recipe
from bascule.training.trainer import Batch, Trainer, evaluating, prepare


@dataclass(frozen=True)
class FlowRecipe(Recipe):
    """Everything that decides a run of a rectified flow (Liu et al. 2023).

    lr             learning rate of Adam, in (0, 1)
    beta1, beta2   of Adam, in [0, 1)
    augment        transforms of the images, in this order
    ema_half_life  half-life, in images, of the moving average of the weights; this average then
                   draws all samples; None: no average
    steps, solver  how images are drawn: Euler's or Heun's method. An image takes ``steps``
                   evaluations of the network, or twice as many with Heun's.
    """

    data: DataSource = Faces()
    model: UNet = UNet()
    # optimisation (Adam)
    lr: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    # what the network sees
    augment: tuple[Augmentation, ...] = ()
    ema_half_life: float | None = 5000.0
    # how it draws
    steps: int = 25
    solver: Solver = "euler"
    # arithmetic
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    channels_last: bool = True

    def __post_init__(self) -> None:
        self._check()
        self._expect("batch", self.batch >= 1, "at least 1 image")
        self._check_rate("lr")
        for name in ("beta1", "beta2"):
            self._expect(name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        self._expect("ema_half_life", (self.ema_half_life or 0) >= 0, "images, >= 0, or None")
        self._expect("steps", 1 <= self.steps <= 10_000, "1 to 10,000 steps")
        self._check_size("draws")

    sample_caption = "pictures drawn from the same 64 images of noise"

    @property
    def scalars(self) -> tuple[str, ...]:
        return ("loss",)

    @property
    def evaluations(self) -> int:
        return self.steps * EVALUATIONS[self.solver]

    def build(self) -> FlowTrainer:
        return FlowTrainer(self)


class FlowTrainer(Trainer[FlowRecipe]):
    """Trains the network of velocities, and draws with its moving average."""

    def __init__(self, recipe: FlowRecipe) -> None:
        super().__init__(recipe, torch.device(recipe.device))
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        net = recipe.model.network(generator(recipe.seed, "players"))
        self.net: nn.Module = net.to(memory_format=layout).to(self.device).train()
        averages = recipe.ema_half_life is not None
        self.average = copy.deepcopy(self.net).requires_grad_(False) if averages else None
        first = value_at(recipe.lr, StepContext(recipe.seed, 0, 0))
        betas = (recipe.beta1, recipe.beta2)
        self.optimizer = torch.optim.Adam(self.net.parameters(), first, betas, fused=True)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        recipe = self.recipe
        context = StepContext(recipe.seed, batch.epoch, batch.step, device=self.device)
        x = prepare(batch.pixels(self.device), recipe.augment, "rgb", context)
        if recipe.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = value_at(recipe.lr, context)
        with autocast(self.device, recipe.precision):
            loss = flow_loss(self.net, x, context)
        descend(self.optimizer, loss)
        if self.average is not None:
            move_average(self.average, self.net, decay_of(recipe.ema_half_life or 0, len(x)))
        return {"loss": loss.detach()}

    @property
    def generator(self) -> Sampler:
        net = self.net if self.average is None else self.average
        return Sampler(net, self.recipe.model.size, self.recipe.steps, self.recipe.solver)

    def sample(self, z: Tensor) -> Tensor:
        """Images uint8 RGB (N, 3, H, W) on the CPU for latents (N, z_dim)."""
        draw = self.generator
        with evaluating(draw), autocast(self.device, self.recipe.precision):
            return as_uint8(draw(z.to(self.device))).cpu()

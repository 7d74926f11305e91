"""The recipe of an adversarial autoencoder, and the trainer that it builds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bascule.aae.model import AAE
from bascule.aae.step import Autoencoder, aae_step
from bascule.core.context import StepContext, generator
from bascule.data.augment import Augmentation
from bascule.data.batches import as_uint8
from bascule.data.faces import Faces
from bascule.data.source import DataSource
from bascule.training.recipe import Recipe
from bascule.training.trainer import Batch, Trainer, evaluating, prepare


@dataclass(frozen=True)
class AAERecipe(Recipe):
    """Everything that decides a run of an adversarial autoencoder.

    lr     learning rate of E and G on the reconstruction loss, in (0, 1)
    lr_D   learning rate of D
    lr_E   learning rate of E on the adversarial loss
    beta1, beta2   of all three Adam optimisers, in [0, 1)
    """

    data: DataSource = Faces()
    model: AAE = AAE()
    # optimisation (Adam)
    lr: float = 2e-4
    lr_D: float = 1e-4
    lr_E: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.999
    # what the networks see
    augment: tuple[Augmentation, ...] = ()
    # arithmetic
    channels_last: bool = True

    def __post_init__(self) -> None:
        self._check()
        self._expect("batch", self.batch >= 2, "at least 2 images (BatchNorm needs them)")
        for name in ("lr", "lr_D", "lr_E"):
            self._expect(name, 0 < getattr(self, name) < 1, "a number between 0 and 1")
        for name in ("beta1", "beta2"):
            self._expect(name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        self._check_size("draws")

    sample_caption = "G on the same 64 latents of N(0, I), which it never saw in training"

    @property
    def scalars(self) -> tuple[str, ...]:
        return "reconstruction", "loss_D", "loss_E", "D_z", "D_code"

    def build(self) -> AAETrainer:
        device = torch.device(self.device)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        E, G, D = self.model.players(generator(self.seed, "players"))
        for net in (E, G):
            net.to(memory_format=layout)
        for net in (E, G, D):
            net.to(device).train()

        def adam(weights: list[nn.Parameter], lr: float) -> torch.optim.Adam:
            return torch.optim.Adam(weights, lr, (self.beta1, self.beta2))

        of_E, of_G, of_D = (list(net.parameters()) for net in (E, G, D))
        optimizers = adam(of_E + of_G, self.lr), adam(of_D, self.lr_D), adam(of_E, self.lr_E)
        return AAETrainer(self, Autoencoder(E, G, D, *optimizers, device))


class AAETrainer(Trainer[AAERecipe]):
    """Trains the encoder, the generator and the D of codes, in three parts of a step."""

    def __init__(self, recipe: AAERecipe, players: Autoencoder) -> None:
        super().__init__(recipe, players.device)
        self.players = players

    def step(self, batch: Batch) -> dict[str, Tensor]:
        recipe = self.recipe
        context = StepContext(recipe.seed, batch.epoch, batch.step, device=self.device)
        x = prepare(batch.pixels(self.device), recipe.augment, "rgb", context)
        if recipe.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        return aae_step(self.players, x, context)

    @property
    def generator(self) -> nn.Module:
        return self.players.G

    def sample(self, z: Tensor) -> Tensor:
        """Images uint8 RGB (N, 3, H, W) on the CPU for latents (N, z_dim).

        Computed with running BatchNorm statistics.
        """
        with evaluating(self.players.G):
            return as_uint8(self.players.G(z.to(self.device)).float()).cpu()

    def state_dict(self) -> dict[str, Any]:
        return self.players.state_dict()

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.players.load_state_dict(saved)

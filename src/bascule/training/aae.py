"""The recipe of an adversarial autoencoder: images, nets, rates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.data.augment import Augmentation
from bascule.data.batches import as_uint8
from bascule.data.faces import Faces
from bascule.data.source import DataSource
from bascule.models.aae import AAE
from bascule.now import Now, address, generator
from bascule.steps.aae import Autoencoder, aae_step
from bascule.training.gan import evaluating, prepare
from bascule.training.recipe import AnyRecipe
from bascule.training.state import State


@dataclass(frozen=True)
class AAERecipe(AnyRecipe):
    """One run of an adversarial autoencoder, whole.

    ``lr``: of E and G, which give pictures back; ``lr_D``: of D; ``lr_E``: of E against D.
    """

    data: DataSource = Faces()
    model: AAE = AAE()
    epochs: int = 100
    batch: int = 64
    seed: int = 0
    # optimisation (Adam)
    lr: float = 2e-4
    lr_D: float = 1e-4
    lr_E: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.999
    # what it sees
    augment: tuple[Augmentation, ...] = ()
    # arithmetic
    channels_last: bool = True
    threads: int | None = None
    device: str = "auto"
    # what is kept
    sample_every_epochs: int = 5
    keep_every_epochs: int = 20

    def __post_init__(self) -> None:
        self._check()
        self._expect("batch", self.batch >= 2, "at least 2 images (BatchNorm needs them)")
        for name in ("lr", "lr_D", "lr_E"):
            self._expect(name, 0 < getattr(self, name) < 1, "a number between 0 and 1")
        for name in ("beta1", "beta2"):
            self._expect(name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        self._check_size("draws")

    drawn = "G on the same 64 latents of N(0, I), which it never saw in training"
    precision = "fp32"

    @property
    def scalars(self) -> tuple[str, ...]:
        return "reconstruction", "loss_D", "loss_E", "D_z", "D_code"

    def begin(self) -> Autoencoder:
        device = torch.device(self.device)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        E, G, D = self.model.players(generator(self.seed, "players"))
        for net in (E, G):
            net.to(memory_format=layout)
        for net in (E, G, D):
            net.to(device).train()

        def adam(weights: list[torch.nn.Parameter], lr: float) -> torch.optim.Adam:
            return torch.optim.Adam(weights, lr, (self.beta1, self.beta2))

        of_E, of_G, of_D = (list(net.parameters()) for net in (E, G, D))
        optimizers = adam(of_E + of_G, self.lr), adam(of_D, self.lr_D), adam(of_E, self.lr_E)
        return Autoencoder(E, G, D, *optimizers, device)

    def play(
        self, state: State, images: Tensor, indices: Tensor, held_out: Tensor | None
    ) -> dict[str, Tensor]:
        device = state.game.device
        now = Now(self.seed, state.epoch, state.step, device=device)
        torch.manual_seed(address(self.seed, "global", now.step))
        x = prepare(images[indices.to(images.device)].to(device), self.augment, "rgb", now)
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        return aae_step(state.game, x, now)

    def sample(self, players: Autoencoder, z: Tensor) -> Tensor:
        """Pictures uint8 (N, 3, H, W) of latents (N, z_dim), with running BatchNorm statistics."""
        with evaluating(players.G):
            return as_uint8(players.G(z.to(players.device)).float()).cpu()

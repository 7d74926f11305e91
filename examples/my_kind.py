"""A kind of recipe of one's own: a variational autoencoder (Kingma and Welling 2014).

A kind is a frozen dataclass; its `build()` makes a trainer, whose `step(batch)` is one step.
Checkpoints, previews, resuming, notes and `evaluate` then work as for every other run.

    bascule train my_kind.py
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from bascule.core.context import StepContext
from bascule.data.batches import as_float, as_uint8
from bascule.data.faces import Faces
from bascule.data.source import DataSource
from bascule.training.recipe import Recipe
from bascule.training.trainer import Batch, Trainer


@dataclass(frozen=True)
class VAE:
    """The networks: ``width`` channels, latents of ``z_dim`` numbers, images of ``size`` pixels."""

    width: int = 16
    z_dim: int = 32
    size: int = 64

    def encoder(self) -> nn.Module:
        """From images (B, 3, H, H) to means and log variances, (B, 2 * z_dim)."""
        inner = self.width * (self.size // 4) ** 2
        return nn.Sequential(
            *(nn.Conv2d(3, self.width, 4, 2, 1), nn.ReLU()),
            *(nn.Conv2d(self.width, self.width, 4, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(inner, 2 * self.z_dim)),
        )

    def decoder(self) -> nn.Module:
        """From latents (B, z_dim) to images (B, 3, H, H) in [-1, 1]."""
        side = self.size // 4
        return nn.Sequential(
            nn.Linear(self.z_dim, self.width * side**2),
            nn.Unflatten(1, (self.width, side, side)),
            *(nn.ReLU(), nn.ConvTranspose2d(self.width, self.width, 4, 2, 1)),
            *(nn.ReLU(), nn.ConvTranspose2d(self.width, 3, 4, 2, 1), nn.Tanh()),
        )


@dataclass(frozen=True)
class VAERecipe(Recipe):
    """``beta``: the weight of the divergence beside the squared error (Higgins et al. 2017)."""

    data: DataSource = Faces(n=600)
    model: VAE = VAE()
    epochs: int = 10
    lr: float = 1e-3
    beta: float = 0.001

    def __post_init__(self) -> None:
        self._check()  # the fields that every kind has
        self._check_rate("lr")
        self._check_size("draws")

    @property
    def scalars(self) -> tuple[str, ...]:
        return "error", "divergence"

    def build(self) -> "VAETrainer":
        return VAETrainer(self)


class VAETrainer(Trainer[VAERecipe]):
    """Checkpoints hold every network and every optimiser that is an attribute."""

    def __init__(self, recipe: VAERecipe) -> None:
        super().__init__(recipe, torch.device(recipe.device))
        self.encoder = recipe.model.encoder().to(self.device)
        self.decoder = recipe.model.decoder().to(self.device)
        weights = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.Adam(weights, recipe.lr)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        context = StepContext(self.recipe.seed, batch.epoch, batch.step, device=self.device)
        x = as_float(batch.pixels(self.device))
        mean, log_variance = self.encoder(x).chunk(2, 1)
        noise = torch.randn(mean.shape, generator=context.rng("z")).to(self.device)
        error = mse_loss(self.decoder(mean + (log_variance / 2).exp() * noise), x)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2
        self.optimizer.zero_grad()
        (error + self.recipe.beta * divergence).backward()
        self.optimizer.step()
        return {"error": error.detach(), "divergence": divergence.detach()}

    @property
    def generator(self) -> nn.Module:
        return self.decoder

    @torch.no_grad()
    def sample(self, z: Tensor) -> Tensor:
        return as_uint8(self.decoder(z.to(self.device))).cpu()


recipe = VAERecipe()

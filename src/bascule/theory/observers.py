"""Trained D's to compare with the Bayes bounds of :mod:`bascule.theory.noise`.

The task is to detect which of two strengths of Gaussian noise was added to a known image of 16 x 16
numbers. The image is grey, so D sees the noise itself. Three D's are trained with the project's
loss_D on fresh samples. ``energy`` gets the sufficient statistic as its input and should reach the
bound. ``conv`` and ``mlp`` must learn it from the pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bascule.core.context import address, generator
from bascule.core.schedules import Schedule, Uniform
from bascule.theory.nets import filled, perceptron
from bascule.theory.noise import manifold_logits
from bascule.theory.teaching import Draw, accuracy, teach

SIDE = 16
PIXELS = SIDE * SIDE


class Energy(nn.Module):
    """ln of the root mean square over pixels, relative to noise 0.1: (B, n) -> (B, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().mean(1, keepdim=True).sqrt().div(0.1).log()


def energy() -> nn.Sequential:
    """The sufficient statistic and a small network, since the best logit may be nonlinear in it."""
    return nn.Sequential(Energy(), *perceptron(1, 16, layers=1))


def conv(width: int = 8) -> nn.Sequential:
    """A small convolutional D: two layers, mean over positions, one output."""
    return nn.Sequential(
        nn.Unflatten(1, (1, SIDE, SIDE)),
        nn.Conv2d(1, width, 3),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, width, 3, stride=2),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 1),
        nn.Flatten(0),
    )


def mlp() -> nn.Sequential:
    """One hidden layer on all pixels."""
    return perceptron(PIXELS, 64, layers=1)


OBSERVERS: dict[str, Callable[[], nn.Sequential]] = {"energy": energy, "conv": conv, "mlp": mlp}


@dataclass(frozen=True)
class Seen:
    """The accuracy on fresh images and its standard error."""

    accuracy: float
    error: float


def levels(real: Schedule, fake: Schedule, batch: int) -> Draw:
    """Images of pure noise, (batch, PIXELS) each, with one strength per image."""

    def one(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        noise = torch.randn(2, batch, PIXELS, generator=rng)
        return noise[0] * strengths(real, batch, rng), noise[1] * strengths(fake, batch, rng)

    return one


def strengths(law: Schedule, batch: int, rng: torch.Generator) -> Tensor:
    """(batch, 1) samples of the distribution ``law``."""
    if isinstance(law, Uniform):
        return law.low + (law.high - law.low) * torch.rand(batch, 1, generator=rng)
    return torch.full((batch, 1), float(law))  # type: ignore[arg-type]


def images(distance: float, batch: int, seed: int) -> Draw:
    """Two known images at a Euclidean ``distance``, with noise of strength 1."""
    apart = torch.randn(PIXELS, generator=generator("theory/two images", seed))
    apart = apart * (distance / apart.norm())

    def one(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        real, fake = torch.randn(2, batch, PIXELS, generator=rng)
        return real, fake + apart

    return one


def observe(
    build: Callable[[], nn.Sequential],
    draw: Draw,
    steps: int,
    name: object,
    lr: float = 0.01,
    fresh: int = 40,
) -> Seen:
    """Train the D that ``build`` makes, then test it on ``fresh`` new batches."""
    D = filled(build, generator("theory/observer", name))
    teach(D, draw, steps, name, lr)
    found = []
    with torch.no_grad():
        for k in range(fresh):
            real, fake = draw(generator("theory/fresh", name, k))
            found.append(accuracy(D(real), D(fake)))
    return Seen(float(np.mean(found)), float(np.std(found, ddof=1) / fresh**0.5))


def manifold_trial(
    sigma_real: float, sigma_fake: float, known: int, trials: int, seed: int
) -> tuple[Seen, float]:
    """Test the exact D of a training set on noisy training images and on noisy new images.

    ``known``: number of training images; ``trials``: number of test images. Pixels are N(0, 1), so
    distances are large compared with the noise. Returns the accuracy on training images, and the
    share of new images with the noise of reals that D calls fake.
    """
    rng = np.random.default_rng(address("theory/manifold", seed))
    training = rng.standard_normal((known, PIXELS))
    clean = training[rng.integers(known, size=(2, trials))]
    noise = rng.standard_normal((2, trials, PIXELS))
    real = manifold_logits(clean[0] + sigma_real * noise[0], training, sigma_real, sigma_fake)
    fake = manifold_logits(clean[1] + sigma_fake * noise[1], training, sigma_real, sigma_fake)
    right = np.concatenate([real > 0, fake < 0])
    new = rng.standard_normal((trials, PIXELS)) * (1 + sigma_real**2) ** 0.5
    called_fake = manifold_logits(new, training, sigma_real, sigma_fake) < 0
    error = float((right.mean() * (1 - right.mean()) / len(right)) ** 0.5)
    return Seen(float(right.mean()), error), float(called_fake.mean())

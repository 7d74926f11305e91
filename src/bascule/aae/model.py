"""AAE: an autoencoder whose codes an adversary holds to the normal law (Makhzani et al. 2015).

E maps x: (B, 3, H, W) in [-1, 1] to codes (B, z_dim); G maps codes back to such an x; D judges
codes, not images: (B,) logits, high where a code looks drawn from N(0, I).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bascule.core.fields import check_fields
from bascule.models.layers import (
    Discriminator,
    Generator,
    check_counts,
    check_size,
    dcgan_channels,
    dcgan_down,
    dcgan_std,
    dcgan_up,
    drawn,
)


@dataclass(frozen=True)
class AAE:
    """The adversarial autoencoder of Makhzani et al., 2015 (arXiv 1511.05644), convolutional.

    E and G are those of DCGAN (Radford et al. 2015). E: strided 4x4 convolutions, each halving the
    side and doubling ``width`` channels, BatchNorm on all but the first, LeakyReLU(0.2); one more
    4x4 convolution makes the last 4x4 grid a code. The code is linear and deterministic, the first
    of the three encoders in the paper's section 2. G mirrors it with transposed convolutions,
    BatchNorm, ReLU and tanh. Weights ~ N(0, 0.02), BatchNorm gains ~ N(1, 0.02). None has a bias.

    D: two layers of ``hidden`` ReLU units and one linear logit (the paper's appendix A); the
    sigmoid belongs to the loss. Its weights ~ N(0, 2 / fan_in), its biases start at 0.

    Departures: the paper's E and G are perceptrons like D, and all its weights ~ N(0, 0.01).
    """

    width: int = 64
    z_dim: int = 100
    size: int = 64
    hidden: int = 1000

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("AAE", width=self.width, z_dim=self.z_dim, hidden=self.hidden)
        check_size("AAE", self.size, 32, 64)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module, nn.Module]:
        """(E, G, D) on the device of ``rng``, every weight drawn from it and from nothing else."""
        channels = dcgan_channels(self.width, self.size)
        with torch.device("meta"):  # no memory, no draw from the global generator
            E = Encoder(channels, self.z_dim)
            G = Generator(dcgan_up(self.z_dim, channels[::-1]))
            D = Discriminator(_perceptron(self.z_dim, self.hidden))
        drawn(E, dcgan_std, 0.02, rng)
        drawn(G, dcgan_std, 0.02, rng)
        drawn(D, _linear_std, 0.0, rng)
        return E, G, D


class Encoder(nn.Module):
    """x: (B, 3, H, W) in [-1, 1] -> codes (B, z_dim); ``channels`` from the image inwards."""

    def __init__(self, channels: list[int], z_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dcgan_down(channels, z_dim))
        self.z_dim = z_dim

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.layers(x)
        return z.reshape(x.shape[0], self.z_dim)  # an error where x is larger


def _perceptron(z_dim: int, hidden: int) -> list[nn.Module]:
    return [
        nn.Linear(z_dim, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, 1),
    ]


def _linear_std(weight: Tensor) -> float:
    return math.sqrt(2 / weight.shape[1])

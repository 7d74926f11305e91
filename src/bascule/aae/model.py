"""AAE: an autoencoder whose codes are trained to follow N(0, I) (Makhzani et al. 2015).

E maps x: (B, 3, H, W) in [-1, 1] to codes (B, z_dim); G maps codes back to images; D judges codes,
not images: logits (B,), high for codes that look like samples of N(0, I).
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

    E and G are those of DCGAN (Radford et al. 2015). E has strided 4x4 convolutions, each of which
    halves the side and doubles the channels; BatchNorm on all but the first; LeakyReLU(0.2). A last
    4x4 convolution makes a code from the 4x4 grid. The code is linear and deterministic: the first
    of the three encoders in the paper's section 2. G mirrors E with transposed convolutions,
    BatchNorm, ReLU and tanh. Weights ~ N(0, 0.02), BatchNorm gains ~ N(1, 0.02); no biases.

    D has two layers of ``hidden`` ReLU units and one linear logit (the paper's appendix A); the
    sigmoid is part of the loss. Its weights ~ N(0, 2 / fan_in); its biases start at 0.

    width   channels of the layer next to the image
    z_dim   dimension of the codes
    size    32, 64 or 128 px
    hidden  units in each hidden layer of D

    Departures: in the paper, E and G are perceptrons like D, and all weights ~ N(0, 0.01).
    """

    width: int = 64
    z_dim: int = 100
    size: int = 64
    hidden: int = 1000

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("AAE", width=self.width, z_dim=self.z_dim, hidden=self.hidden)
        check_size("AAE", self.size, 32, 64, 128)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module, nn.Module]:
        """(E, G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        channels = dcgan_channels(self.width, self.size)
        with torch.device("meta"):  # allocates nothing, and leaves the global generator alone
            E = Encoder(channels, self.z_dim)
            G = Generator(dcgan_up(self.z_dim, channels[::-1]))
            D = Discriminator(_perceptron(self.z_dim, self.hidden))
        drawn(E, dcgan_std, 0.02, rng)
        drawn(G, dcgan_std, 0.02, rng)
        drawn(D, _linear_std, 0.0, rng)
        return E, G, D


class Encoder(nn.Module):
    """x: (B, 3, H, W) in [-1, 1] -> codes (B, z_dim); ``channels`` from the image on."""

    def __init__(self, channels: list[int], z_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dcgan_down(channels, z_dim))
        self.z_dim = z_dim

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.layers(x)
        return z.reshape(x.shape[0], self.z_dim)  # fails if x is larger


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

"""DCGAN: the convolutional networks of the 2015 paper, and those of a 2019 notebook.

Every G maps z: (B, z_dim) to x: (B, 3, H, W) in [-1, 1]; every D maps such an x to (B,) logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bascule.core.errors import UserError
from bascule.core.fields import added_field, check_fields
from bascule.models.layers import (
    SLOPE,
    BatchRMS,
    Discriminator,
    Generator,
    Norm,
    SelfModulated,
    check_counts,
    dcgan_channels,
    dcgan_down,
    dcgan_std,
    dcgan_up,
    drawn,
    norm_of_latents,
    spectrally_normed,
)
from bascule.models.model import Model, Shaped

_NORMS: dict[str, Norm | None] = {"batch": nn.BatchNorm2d, "spectral": None, "rms": BatchRMS}


@dataclass(frozen=True)
class DCGAN(Shaped):
    """The networks of Radford, Metz and Chintala, 2015 (arXiv 1511.06434).

    G: a transposed 4x4 convolution from z to a 4x4 grid, then transposed convolutions that double
    the side; BatchNorm and ReLU between them, tanh at the end. D is the mirror image, with strided
    4x4 convolutions and LeakyReLU(0.2), and without BatchNorm after its first layer. It ends in one
    linear logit; the sigmoid is part of the loss. Weights ~ N(0, 0.02), BatchNorm gains ~
    N(1, 0.02).

    width     channels of the layer next to the image; each halving of the side doubles them, down
              to the 4x4 grid (8 * width channels there for size 64)
    z_dim     dimension of the latents
    size      64 as published; 16, 32, 128 and 256 have layers less or more, which the paper does
              not describe
    norm_D    "spectral" departs from the paper: D has no BatchNorm, and each of its convolutions
              has a bias and a weight divided by its largest singular value (Miyato et al. 2018,
              with one power iteration per forward pass). Then D judges each image on its own, and
              its Lipschitz constant is bounded.
              "rms" departs too: each BatchNorm of D is :class:`bascule.models.layers.BatchRMS`, and
              each convolution has a bias.
    norm_eps  the eps of BatchNorm, > 0
    width_D   the width of D; 0: that of G
    modulated  departs from the paper: the gains and biases of G's BatchNorms are functions of z
              (self-modulation, Chen et al. 2019, arXiv 1810.01365). So z decides on whole feature
              maps at every size, not only on the 4x4 grid.
    """

    width: int = 64
    z_dim: int = 100
    size: int = 64
    norm_D: Literal["batch", "spectral", "rms"] = "batch"
    norm_eps: float = added_field(1e-5)
    width_D: int = added_field(0, quiet=True)
    modulated: bool = added_field(False, quiet=True)

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("DCGAN", width=self.width, z_dim=self.z_dim)
        if self.width_D:
            check_counts("DCGAN", width_D=self.width_D)
        self.check_shape(16, 32, 64, 128, 256)
        if not self.norm_eps > 0:
            raise UserError(f"DCGAN(norm_eps={self.norm_eps}): expected a number > 0")

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        of_G = dcgan_channels(self.width, self.size)[::-1]
        of_D = dcgan_channels(self.width_D or self.width, self.size)
        shape = self.channels, self.first_grid
        norm_G = norm_of_latents(self.z_dim) if self.modulated else nn.BatchNorm2d
        with torch.device("meta"):  # allocates nothing, and leaves the global generator alone
            kind = SelfModulated if self.modulated else Generator
            G = kind(dcgan_up(self.z_dim, of_G, *shape, norm_G))
            D = Discriminator(dcgan_down(of_D, 1, _NORMS[self.norm_D], *shape))
        for net in (G, D):
            drawn(net, dcgan_std, 0.02, rng)
            for layer in net.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eps = self.norm_eps
        return G, spectrally_normed(D, rng) if self.norm_D == "spectral" else D


@dataclass(frozen=True)
class DCGANW9(Model):
    """The networks of a 2019 internship notebook: larger G, asymmetric D, 64x64 pixels only.

    G: a linear layer from z to 8x8 with 8 * width channels, LeakyReLU(0.2); three transposed 4x4
    convolutions of stride 2, each followed by BatchNorm(eps 5e-5) and LeakyReLU(0.2); a 3x3
    convolution and tanh. D: four 4x4 convolutions of strides 2, 2, 1, 2 and paddings 1, 1, 2, 1
    (sides 32, 16, 17, 8). Each is followed by LeakyReLU(0.2) and then, from the second on, by
    BatchNorm(eps 5e-5). One linear logit on the flattened result.

    Weights of convolutions and linear layers ~ N(0, std) with
    std^2 = 2 / ((1 + 0.2^2) * (fan_in + fan_out) / 2), a fan being channels times kernel area.
    This is He's gain for LeakyReLU over the mean of both fans, as in Xavier's rule. Biases start
    at 0, BatchNorm gains at 1.

    width  channels of the layer next to the image
    z_dim  dimension of the latents
    """

    width: int = 64
    z_dim: int = 100
    size: ClassVar[int] = 64

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("DCGANW9", width=self.width, z_dim=self.z_dim)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):
            G = Generator(_w9_g(self.z_dim, self.width))
            D = Discriminator(_w9_d(self.width))
        return drawn(G, _mean_fan_std, 0.0, rng), drawn(D, _mean_fan_std, 0.0, rng)


def _w9_g(z_dim: int, width: int) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Linear(z_dim, 8 * width * 8 * 8),
        nn.Unflatten(1, (8 * width, 8, 8)),
        nn.LeakyReLU(SLOPE, inplace=True),
    ]
    for before, after in ((8, 4), (4, 2), (2, 1)):
        layers += [
            nn.ConvTranspose2d(before * width, after * width, 4, stride=2, padding=1),
            nn.BatchNorm2d(after * width, eps=5e-5),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
    return [*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Tanh()]


def _w9_d(width: int) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(3, width, 4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
    ]
    for before, after, stride, padding in ((1, 2, 2, 1), (2, 4, 1, 2), (4, 8, 2, 1)):
        layers += [
            nn.Conv2d(before * width, after * width, 4, stride, padding),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.BatchNorm2d(after * width, eps=5e-5),
        ]
    return [*layers, nn.Flatten(), nn.Linear(8 * width * 8 * 8, 1)]


def _mean_fan_std(weight: Tensor) -> float:
    """The std of :class:`DCGANW9`; a convolution and its transpose have the same mean fan."""
    area = math.prod(weight.shape[2:])
    mean_fan = (weight.shape[0] + weight.shape[1]) * area / 2
    return math.sqrt(2 / ((1 + SLOPE**2) * mean_fan))

"""FastGAN: a G with skip-layer excitation, and a D that also learns to rebuild real images.

G maps z: (B, z_dim) to x: (B, 3, H, W) in [-1, 1]. D maps such an x to 50 logits (B, 50).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.models.layers import (
    SLOPE,
    Noise,
    check_counts,
    dcgan_std,
    drawn,
    spectrally_normed,
)
from bascule.models.model import Shaped

# Channels of G on each grid, in units of ``width``.
_SHARES = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 1 / 2}
_EXCITES = {4: 64, 8: 128, 16: 256}  # skip-layer excitation: from this grid to that one
_LAST = 8  # the side of D's last grids


@dataclass(frozen=True)
class FastGAN(Shaped):
    """The networks of Liu, Zhu, Song and Elgammal, 2021 (arXiv 2101.04775), for small images.

    G: a transposed 4x4 convolution from z to a 4x4 grid, then blocks that double the side. A block
    is nearest-neighbour upsampling, a 3x3 convolution, BatchNorm and a gated linear unit. Channels
    of the grids of 64, 128 and 256 px are multiplied by gates that are computed from the grids of
    4, 8 and 16 px (skip-layer excitation). A 3x3 convolution and tanh make the image.

    D: residual blocks down to an 8x8 grid, with the same excitation from one grid to the one with
    an eighth of its side; then 25 logits, one for each 5x5 place. A smaller D sees the image at
    half the side and gives 25 more. Three decoders rebuild the image, or a random quarter of it,
    at half the side from D's features. They learn from real images with the penalty
    :class:`bascule.gan.penalties.Reconstruction`; without it they are not used.

    width    "ngf" of the authors' program, 64 there
    width_D  "ndf" there, 64 too
    lite     one convolution in each block of G. Otherwise two, with noise. This is the choice of
             Sauer et al. 2021 (Projected GAN); Liu et al. alternate between the two.
    z_dim    dimension of the latents
    size     64, 128 or 256 px

    All convolutions have spectral normalisation and no bias. Weights ~ N(0, 0.02²), gains of
    BatchNorm ~ N(1, 0.02²).

    Departures from the authors' program, which is for 256 px and more: at smaller sizes G ends
    earlier and D begins later, with the same channels on each grid. G makes one image, and the
    small D sees it at half the side, where they make a second one of 128 px. The loss of the
    decoders is a mean squared error, so that no other network is needed.
    """

    width: int = 8
    width_D: int = 16
    lite: bool = True
    z_dim: int = 256
    size: int = 64
    rebuilds: ClassVar[bool] = True

    @property
    def needs_whole_batch(self) -> bool:
        return not self.lite  # its noise is drawn for all images together

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("FastGAN", width=self.width, width_D=self.width_D, z_dim=self.z_dim)
        self.check_shape(64, 128, 256)
        if self.sides:
            raise UserError(
                f"FastGAN(sides={self.sides}): it draws squares; crop the images, or take another "
                "model, such as a DCGAN"
            )
        for name, width, least in (
            ("width", self.width, self.size // 128),
            ("width_D", self.width_D, self.size // 64),
        ):
            if width % max(1, least):
                raise UserError(
                    f"FastGAN({name}={width!r}): expected a multiple of {least} at "
                    f"size {self.size}, where the widest grid has 1/{least} of it"
                )

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):  # allocates nothing, and leaves the global generator alone
            G, D = Generator(self), Discriminator(self)
        for net in (G, D):
            drawn(net, dcgan_std, 0.02, rng)
        return spectrally_normed(G, rng), spectrally_normed(D, rng)


class Generator(nn.Module):
    """z: (B, z_dim) -> x: (B, 3, H, W) in [-1, 1]."""

    def __init__(self, model: FastGAN) -> None:
        super().__init__()
        sides = [4 * 2**i for i in range(int(math.log2(model.size)) - 1)]
        channels = {side: int(model.width * _SHARES[side]) for side in sides}
        self.stem = nn.Sequential(
            nn.Unflatten(1, (model.z_dim, 1, 1)),
            nn.ConvTranspose2d(model.z_dim, 2 * channels[4], 4, bias=False),
            *_gated(channels[4]),
        )
        self.blocks = nn.ModuleDict(
            {
                str(side): _up(channels[side // 2], channels[side], None if model.lite else side)
                for side in sides[1:]
            }
        )
        self.excite = nn.ModuleDict(
            {
                str(to): Excitation(channels[low], channels[to])
                for low, to in _EXCITES.items()
                if to in channels
            }
        )
        self.to_image = nn.Sequential(_conv(channels[model.size], model.channels, 3), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        grids: list[Tensor] = [self.stem(z)]
        for side, block in self.blocks.items():
            x = block(grids[-1])
            if side in self.excite:  # from the grid of a sixteenth of the side
                x = self.excite[side](grids[-4], x)
            grids.append(x)
        image: Tensor = self.to_image(grids[-1])
        return image


class Discriminator(nn.Module):
    """x: (B, 3, H, W) in [-1, 1] -> logits (B, 50), high for real images."""

    def __init__(self, model: FastGAN) -> None:
        super().__init__()
        w, half = model.width_D, model.size // 2
        # Grids of the large D by their sides; the small D has half of these channels.
        self.sides = [_LAST * 2**i for i in range(int(math.log2(model.size / _LAST)), -1, -1)]
        channels = {side: 8 * _LAST * w // side for side in self.sides}
        self.stem = nn.Sequential(_conv(model.channels, channels[model.size], 3), _leaky())
        self.downs = nn.ModuleDict(
            {str(side): Down(channels[2 * side], channels[side]) for side in self.sides[1:]}
        )
        self.excite = nn.ModuleDict(
            {
                str(side): Excitation(channels[8 * side], channels[side])
                for side in self.sides[1:]
                if 8 * side in channels
            }
        )
        last = channels[_LAST]
        self.head = nn.Sequential(_conv(last, last, 1), nn.BatchNorm2d(last), _leaky(), _to5(last))
        inside = {side: channels[side] // 2 for side in self.sides[2:]}
        self.small = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(model.channels, inside[half // 2], 4, stride=2, padding=1, bias=False),
            _leaky(),
            *(Down(inside[2 * side], inside[side]) for side in self.sides[3:]),
        )
        self.head_small = _to5(inside[_LAST])
        self.decoders = nn.ModuleList(
            _decoder(before, w, half, model.channels)
            for before in (last, inside[_LAST], channels[2 * _LAST])
        )

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The 8x8 grids of the large and of the small D, and the large one's 16x16 grid."""
        grids: list[Tensor] = [self.stem(x)]
        for side, down in self.downs.items():
            h = down(grids[-1])
            if side in self.excite:  # from the grid of eight times the side
                h = self.excite[side](grids[-3], h)
            grids.append(h)
        return grids[-1], self.small(x), grids[-2]

    def forward(self, x: Tensor) -> Tensor:
        large, small, _ = self.features(x)
        logits = [self.head(large).flatten(1), self.head_small(small).flatten(1)]
        return torch.cat(logits, 1)

    def rebuilt(self, x: Tensor, quarter: int) -> Tensor:
        """The three decoders' images of x (B, C, H, W): (B, 3, C, H/2, W/2) in [-1, 1].

        From the 8x8 grids of the large and of the small D; and from a ``quarter`` of the 16x16
        grid, 0 to 3 in reading order.
        """
        large, small, fine = self.features(x)
        parts = (large, small, _quarter(fine, quarter))
        return torch.stack([d(h) for d, h in zip(self.decoders, parts, strict=True)], 1)

    def targets(self, x: Tensor, quarter: int) -> Tensor:
        """What :meth:`rebuilt` should give: twice x at half the side, and its ``quarter``."""
        whole = F.avg_pool2d(x, 2)
        return torch.stack([whole, whole, _quarter(x, quarter)], 1)


class Excitation(nn.Module):
    """Skip-layer excitation: low (B, C_low, ...), high (B, C, H, W) -> high times a gate (B, C).

    Liu et al. 2021, equation 1. The gate is in (0, 1); ``low`` is averaged to 4x4 first.
    """

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(low, high, 4, bias=False),
            nn.SiLU(),
            nn.Conv2d(high, high, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        excited: Tensor = high * self.gate(F.avg_pool2d(low, low.shape[-1] // 4))
        return excited


class Down(nn.Module):
    """(B, before, H, W) -> (B, after, H/2, W/2): the mean of a deep and of a shallow path."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.deep = nn.Sequential(
            nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            _leaky(),
            _conv(after, after, 3),
            nn.BatchNorm2d(after),
            _leaky(),
        )
        self.shallow = nn.Sequential(
            nn.AvgPool2d(2), _conv(before, after, 1), nn.BatchNorm2d(after), _leaky()
        )

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = (self.deep(x) + self.shallow(x)) / 2
        return h


def _up(before: int, after: int, noisy_side: int | None = None) -> nn.Sequential:
    """A block of G: twice the side; a second convolution, and noise, only with ``noisy_side``."""
    noise = [] if noisy_side is None else [Noise(noisy_side, noisy_side)]
    layers = [nn.Upsample(scale_factor=2), _conv(before, 2 * after, 3), *noise, *_gated(after)]
    if noisy_side is not None:
        layers += [_conv(after, 2 * after, 3), Noise(noisy_side, noisy_side), *_gated(after)]
    return nn.Sequential(*layers)


def _decoder(before: int, width: int, side: int, colours: int) -> nn.Sequential:
    """(B, before, 8, 8) -> (B, colours, side, side) in [-1, 1]."""
    shares = {8: before, 16: 2 * width, 32: width, 64: width, 128: max(1, width // 2)}
    sides = [_LAST * 2**i for i in range(int(math.log2(side / _LAST)) + 1)]
    ups = [_up(shares[s // 2], shares[s]) for s in sides[1:]]
    return nn.Sequential(*ups, _conv(shares[side], colours, 3), nn.Tanh())


def _quarter(x: Tensor, which: int) -> Tensor:
    high, wide = x.shape[2] // 2, x.shape[3] // 2
    top, left = which // 2 * high, which % 2 * wide
    return x[:, :, top : top + high, left : left + wide]


def _conv(before: int, after: int, side: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, side, padding=side // 2, bias=False)


def _to5(before: int) -> nn.Conv2d:
    """From an 8x8 grid to 5x5 logits."""
    return nn.Conv2d(before, 1, 4, bias=False)


def _gated(channels: int) -> list[nn.Module]:
    """BatchNorm and a gated linear unit: 2 * ``channels`` -> ``channels``."""
    return [nn.BatchNorm2d(2 * channels), nn.GLU(1)]


def _leaky() -> nn.LeakyReLU:
    return nn.LeakyReLU(SLOPE, inplace=True)

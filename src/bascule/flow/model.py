"""The network of a rectified flow: a small U-Net that predicts velocities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.models.layers import check_counts, check_size, glorot
from bascule.models.resampling import Up

GROUPS = 8  # of GroupNorm
EMBEDDED = 32  # numbers that stand for a time
FREQUENCIES = (1.0, 1000.0)  # the lowest and the highest, in periods from t = 0 to t = 1


@dataclass(frozen=True)
class UNet:
    """A small U-Net, as in Béres' "Denoising Diffusion Implicit Models" (keras.io, 2022).

    A 1x1 convolution to ``widths[0]`` channels; at each width but the last, ``blocks`` residual
    blocks and average pooling; ``blocks`` residual blocks at the last width; then the same upwards
    with bilinear upsampling. The output of every block on the way down is concatenated to the input
    of its counterpart on the way up. A last 1x1 convolution, initially 0, makes 3 channels. There
    is no attention. With the default widths, the network has 1.9 million weights and takes 1.1
    billion multiplications for an image of 64 px.

    widths  channels at each side, from that of the image; multiples of 8
    blocks  residual blocks at each side, down and up
    size    32, 64 or 128 px

    Departures: GroupNorm instead of BatchNorm, so that an image does not depend on its batch; the
    embedding of the time is added in every block, not concatenated to the image. Initial weights
    are Glorot's.
    """

    widths: tuple[int, ...] = (32, 64, 96, 128)
    blocks: int = 2
    size: int = 64

    def __post_init__(self) -> None:
        check_fields(self)
        check_size("UNet", self.size, 32, 64, 128)
        check_counts("UNet", blocks=self.blocks)
        halvings = len(self.widths) - 1
        if not 1 <= halvings <= int(math.log2(self.size)) - 1:
            raise UserError(
                f"UNet(widths={self.widths}): expected 2 to {int(math.log2(self.size))} numbers "
                f"for {self.size} px, one for each side"
            )
        for width in self.widths:
            check_counts("UNet", widths=width)
            if width % GROUPS:
                raise UserError(f"UNet(widths={self.widths}): expected multiples of {GROUPS}")

    @property
    def z_dim(self) -> int:
        """The dimension of the latents: a latent is an image of noise."""
        return 3 * self.size**2

    def network(self, rng: torch.Generator) -> Velocity:
        """The network on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):
            net = Velocity(self.widths, self.blocks)
        glorot(net, rng)
        nn.init.zeros_(net.last.weight)
        return net


class Velocity(nn.Module):
    """x (B, 3, H, W), t (B,) in [0, 1] -> velocities (B, 3, H, W)."""

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.first = nn.Conv2d(3, widths[0], 1)
        down, up, channels = [], [], widths[0]
        for width in widths[:-1]:
            for _ in range(blocks):
                down.append(Block(channels, width))
                channels = width
        middle = [
            Block(before, after) for before, after in pairwise([channels, *[widths[-1]] * blocks])
        ]
        channels = widths[-1]
        for width in reversed(widths[:-1]):
            for _ in range(blocks):
                up.append(Block(channels + width, width))
                channels = width
        self.down, self.middle = nn.ModuleList(down), nn.ModuleList(middle)
        self.up, self.twice = nn.ModuleList(up), Up()
        self.last = nn.Conv2d(widths[0], 3, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        told, h = embedded(t), self.first(x)
        skips = []
        for place, block in enumerate(self.down, start=1):
            h = block(h, told)
            skips.append(h)
            if place % self.blocks == 0:
                h = F.avg_pool2d(h, 2)
        for block in self.middle:
            h = block(h, told)
        for place, block in enumerate(self.up):
            if place % self.blocks == 0:
                h = self.twice(h)
            h = block(torch.cat([h, skips.pop()], 1), told)
        v: Tensor = self.last(h)
        return v


class Block(nn.Module):
    """Residual block: x (B, before, H, W), embedded times (B, EMBEDDED) -> (B, after, H, W).

    GroupNorm, a 3x3 convolution, plus a linear map of the embedding, swish, a 3x3 convolution. The
    skip path has a 1x1 convolution where the channels change.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.time = nn.Linear(EMBEDDED, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.conv1(self.norm(x)) + self.time(told)[:, :, None, None]
        out: Tensor = self.skip(x) + self.conv2(F.silu(h))
        return out


def embedded(t: Tensor) -> Tensor:
    """Times (B,) -> (B, EMBEDDED): sine and cosine at frequencies in a geometric sequence."""
    low, high = map(math.log, FREQUENCIES)
    frequencies = torch.linspace(low, high, EMBEDDED // 2, device=t.device).exp()
    angle = 2 * math.pi * t[:, None] * frequencies
    return torch.cat([angle.sin(), angle.cos()], 1)

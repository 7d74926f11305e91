"""A pair of G and D of one's own, which `my_question.py` compares with a preset.

G enlarges by copying pixels before it convolves (Odena et al. 2016), so it draws no checkerboard.
What the package asks of a pair is the dataclass at the end: `size`, `z_dim` and `players`.

    bascule train dcgan64-tiny --set "model=my_nets.py:Upsampling(width=16)" data.n=600 epochs=5
"""

from dataclasses import dataclass

import torch
from torch import nn


def generator(z_dim: int, width: int, stages: int) -> nn.Module:
    """From z (B, z_dim) to images (B, 3, H, H) in [-1, 1], H = 4 * 2**stages."""
    layers: list[nn.Module] = [nn.Linear(z_dim, width * 4 * 4), nn.Unflatten(1, (width, 4, 4))]
    for _ in range(stages):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1)]
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())


def discriminator(width: int, stages: int) -> nn.Module:
    """From images (B, 3, H, H) to logits (B,)."""
    layers: list[nn.Module] = []
    for stage in range(stages):
        layers += [nn.Conv2d(width if stage else 3, width, 4, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 4 * 4, 1), nn.Flatten(0))


@dataclass(frozen=True)
class Upsampling:
    """``width``: channels of every layer. ``size``: pixels a side, a power of two."""

    width: int = 32
    z_dim: int = 64
    size: int = 64

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        stages = (self.size // 4).bit_length() - 1
        return generator(self.z_dim, self.width, stages), discriminator(self.width, stages)

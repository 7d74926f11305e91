"""The small network that classifies faces: shared layers, and one softmax for each attribute."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.data.batches import as_float

READS_AT = 64  # pixels a side; larger images are reduced to it by area means
GRID = 8  # side of the last feature map; it is not pooled, because parts have fixed places


class Reader(nn.Module):
    """x: (B, 3, H, W) in [-1, 1] -> logits (B, categories) for each attribute.

    Five convolution blocks, then a fully connected layer of 256. The first block works at full
    resolution, because an eyebrow is only two pixels high.

    categories  the number of categories of each attribute
    rng         all weights are drawn from it
    """

    def __init__(self, categories: Sequence[int], rng: torch.Generator) -> None:
        super().__init__()
        self.categories = list(categories)
        with torch.device("meta"):  # so that layers do not draw from the global generator
            self.layers = nn.Sequential(
                *_block(3, 16, 1),
                *_block(16, 32, 2),
                *_block(32, 64, 2),
                *_block(64, 64, 1),
                *_block(64, 128, 2),
                nn.AdaptiveAvgPool2d(GRID),
                nn.Flatten(),
                nn.Linear(128 * GRID**2, 256, bias=False),
                nn.BatchNorm1d(256),
                nn.ReLU(inplace=True),
                nn.Linear(256, sum(categories)),
            )
        self.to_empty(device="cpu")
        for layer in self.layers:
            if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
                layer.reset_parameters()  # ones and zeros
            elif isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = x.contiguous(memory_format=torch.channels_last)
        logits: tuple[Tensor, ...] = self.layers(x).split(self.categories, 1)
        return logits


def seen(pixels: Tensor) -> Tensor:
    """uint8 (B, 3, H, H) as input of the network: float in [-1, 1], at most 64 px a side."""
    x = as_float(pixels)
    return F.adaptive_avg_pool2d(x, READS_AT) if x.shape[-1] > READS_AT else x


def digest_of(reader: Reader, start: bytes = b"") -> str:
    """A hash of ``start`` and the weights of ``reader``, 12 hexadecimal digits."""
    sha = hashlib.sha256(start)
    for weights in reader.state_dict().values():
        sha.update(np.ascontiguousarray(weights.numpy()).data)
    return sha.hexdigest()[:12]


def _block(before: int, after: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]

"""Random convolutions: features without training, fast enough for use during training.

Random networks rank generators much like trained ones, but each differently (Naeem et al. 2020,
appendix; Lee et al. 2022, arXiv:2208.09218). So trust a result only if several seeds agree. This
network has the form of DCGAN's D (Radford et al. 2016): four 4x4 convolutions of stride 2, leaky
ReLU 0.2, no norms, no biases. The features are the mean and the standard deviation of every map.

In half of the maps of each layer, every kernel sums to zero over its 16 places. So these maps
respond to edges, but not to uniform colour. Otherwise colour and brightness, which are most of an
image's variance, would dominate. With these kernels, a Fréchet distance of 400 faces detects one
missing kind of hair in eight (without them, two), and noise of 5 / 255 (without them, 15).
"""

from __future__ import annotations

import hashlib
from math import sqrt

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.context import generator
from bascule.data.images import Progress
from bascule.features import resize
from bascule.features.extractor import in_batches

VERSION = 1
SIDE = 64
WIDTHS = (16, 32, 64, 128)  # 480 features: a Fréchet distance needs some thousand images
SLOPE = 0.2
BATCH = 64
LEVELS = 2**15


class RandomConv:
    """(N, 3, H, H) uint8 -> (N, 480) float32; images of another side are resized to 64 px."""

    def __init__(self, seed: int = 0) -> None:
        self.kernels = kernels(seed)
        drawn = hashlib.sha256(b"".join(k.numpy().tobytes() for k in self.kernels)).hexdigest()
        self.name = f"random-conv-s{seed},{SIDE}px"
        self.spec = f"{self.name};v{VERSION};weights {drawn[:12]};resize {resize.RULE}"
        self.kernels = [k.contiguous(memory_format=torch.channels_last) for k in self.kernels]

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        return in_batches(self, images, self._of_batch, BATCH, progress)

    def _of_batch(self, images: Tensor) -> Tensor:
        x = resize.resized(images, SIDE).contiguous(memory_format=torch.channels_last) * 2 - 1
        pooled = []
        for kernel in self.kernels:
            x = F.leaky_relu_(F.conv2d(x, kernel, stride=2, padding=1), SLOPE)
            variance, mean = torch.var_mean(x, (2, 3), correction=0)
            pooled += [mean, variance.sqrt()]
        return torch.cat(pooled, 1)


def kernels(seed: int) -> list[Tensor]:
    """The kernels (out, in, 4, 4) of each layer for ``seed``, with He's variance for leaky ReLU.

    They are uniformly distributed. In the first half, the mean over the 16 places is subtracted
    and the variance restored. They are drawn as integers, so they are bit-equal on every machine.
    Normal draws use logarithms and cosines, whose last bits differ between processors.
    """
    found = []
    for layer, (inputs, outputs) in enumerate(zip((3, *WIDTHS[:-1]), WIDTHS, strict=True)):
        draw = generator("random convolutions", seed, layer)
        shape = (outputs, inputs, 4, 4)
        unit = (torch.randint(-LEVELS, LEVELS, shape, generator=draw).double() + 0.5) / LEVELS
        edges = unit[: outputs // 2]  # their means are exact, as sums of integers
        edges -= edges.mean((2, 3), keepdim=True)
        edges *= sqrt(16 / 15)  # subtracting the mean of 16 numbers leaves 15/16 of the variance
        gain = 2 / (1 + SLOPE**2)
        found.append((unit * sqrt(3 * gain / (16 * inputs))).float())
    return found

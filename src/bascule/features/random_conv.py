"""Random convolutions: features that no data set has shaped, fast enough to watch training with.

Random nets rank generators much as trained ones do, each from its own angle (Naeem et al. 2020,
appendix; Lee et al. 2022, arXiv:2208.09218), so several seeds should agree before one is believed.
Ours is the shape of a DCGAN's D (Radford et al. 2016): four 4x4 convolutions of stride 2, leaky
ReLU 0.2, no norms, no biases. Each layer gives the mean and the standard deviation of every map.

In half of the maps of every layer each kernel sums to zero over its 16 places, so that they see
edges and no flat colour. Colour and brightness, which fill most of a picture, would otherwise drown
the rest: with this a Fréchet distance of 400 faces sees one dropped kind of hair in eight (without,
two), and noise of 5 / 255 (without, 15).
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
WIDTHS = (16, 32, 64, 128)  # 480 features: few enough for a Fréchet distance of some thousand
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
    """The kernels (out, in, 4, 4) of ``seed``, with He's variance for leaky ReLU.

    Uniform; the first half then less their means over the 16 places, and rescaled. Drawn as whole
    numbers, so that they are the same bits on every machine: a normal draw passes through
    logarithms and cosines, which differ in the last bit between processors.
    """
    found = []
    for layer, (inputs, outputs) in enumerate(zip((3, *WIDTHS[:-1]), WIDTHS, strict=True)):
        draw = generator("random convolutions", seed, layer)
        shape = (outputs, inputs, 4, 4)
        unit = (torch.randint(-LEVELS, LEVELS, shape, generator=draw).double() + 0.5) / LEVELS
        edges = unit[: outputs // 2]  # the means below are exact, as sums of whole numbers
        edges -= edges.mean((2, 3), keepdim=True)
        edges *= sqrt(16 / 15)  # 16 numbers less their mean have 15/16 of the variance
        gain = 2 / (1 + SLOPE**2)
        found.append((unit * sqrt(3 * gain / (16 * inputs))).float())
    return found

"""A D that looks through a trained network, beside the G of any other model.

The D of Projected GAN (Sauer, Chitta, Müller and Geiger 2021, arXiv 2111.01007). A frozen network
turns an image into four maps, fixed random 1x1 convolutions mix their channels and scales, and only
a small head on each scale is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.core.shapes import shape_of, square
from bascule.models import efficientnet
from bascule.models.layers import SLOPE, check_counts, filled, spectrally_normed
from bascule.models.model import Model, resized
from bascule.models.resampling import Up

TAPS = {2: 24, 4: 40, 10: 112, 15: 320}  # block -> its channels, at strides 4, 8, 16 and 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for RGB in [0, 1]
LAST_SIDE = 8  # a head halves its map until its side is at most this
KERNEL = 4  # of all convolutions in heads


@dataclass(frozen=True)
class Projected(Model):
    """The G of ``g`` against a projected D on EfficientNet-Lite0.

    The image is resized to ``input_px`` and seen by the frozen network, whose maps of strides 4, 8,
    16 and 32 count. Random 1x1 convolutions bring them to 1, 2, 4 and 8 times ``width`` channels
    (cross-channel mixing). From the coarsest on, a map is added to the result of the one below it,
    doubled in size, and passed through another random 1x1 convolution (cross-scale mixing). So the
    heads see maps of strides 2, 4, 8 and 16 with 1, 1, 2 and 4 times ``width`` channels. A head has
    4x4 convolutions of stride 2 with BatchNorm and LeakyReLU(0.2) until the side is at most 8, with
    up to 8 * ``width`` channels, and a last 4x4 convolution to logits. All convolutions of heads
    have spectral normalisation. D gives the logits of all heads and places, (B, H).

    g         a model; its D is not used
    input_px  the side at which the network sees images: a multiple of 32, at least 64 and the size
              of the images; 224 as published
    width     64 as published

    With ``input_px=224`` and ``width=64`` the heads are the published ones. Departures: images are
    normalised as the network expects, maps are doubled as by :class:`Up`, without aligned corners,
    and images larger than ``input_px`` are refused. The paper adds the hinge loss, differentiable
    augmentation and an averaged G, which belong to the recipe.

    The mixing is drawn with the initial weights and is saved with them; the frozen network is not.
    A game with this D has seen EfficientNet-Lite0, so this network cannot judge its images
    (:mod:`bascule.features.judges`).
    """

    g: Model
    input_px: int = 128
    width: int = 64

    saw: ClassVar[tuple[str, ...]] = (efficientnet.NAME,)

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("Projected", width=self.width)
        if self.input_px % 32 or self.input_px < max(64, self.g.size):
            raise UserError(
                f"Projected(input_px={self.input_px}): expected a multiple of 32, at least "
                f"{max(64, self.g.size)}, for images of {self.g.size} px"
            )
        if shape_of(self.g) != square(self.g.size):
            raise UserError(
                f"Projected(g={self.g}): its D sees RGB squares, and these images are "
                f"{shape_of(self.g)}; take another model"
            )
        if getattr(self.g, "classes", 0):
            raise UserError(
                f"Projected(g={self.g}): the projected D takes no labels; set classes=0"
            )

    @property
    def size(self) -> int:
        return self.g.size

    @property
    def z_dim(self) -> int:
        return self.g.z_dim

    def resized(self, size: int) -> Projected:
        return replace(self, g=resized(self.g, size))

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D); G has the weights that ``g`` would give it."""
        G, _ = self.g.players(rng)
        return G, ProjectedD(self.size, self.input_px, self.width, rng)


class ProjectedD(nn.Module):
    """x: (B, 3, size, size) in [-1, 1] -> logits (B, H), high for real images."""

    def __init__(self, size: int, input_px: int, width: int, rng: torch.Generator) -> None:
        super().__init__()
        self.taps = Taps(size, input_px)
        w = width
        with torch.device("meta"):
            mixing = Mixing([w, 2 * w, 4 * w, 8 * w], [w, w, 2 * w, 4 * w])
            sides = [input_px // stride for stride in (2, 4, 8, 16)]
            inputs = (w, w, 2 * w, 4 * w)
            heads = nn.ModuleList(_head(*of, w) for of in zip(inputs, sides, strict=True))
        self.mixing = fixed(_torch_default(mixing, rng), saved=True)
        self.heads = spectrally_normed(_torch_default(heads, rng), rng)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.mixing(self.taps(x))
        logits = [head(h).flatten(1) for head, h in zip(self.heads.children(), maps, strict=True)]
        return torch.cat(logits, 1)


class Taps(nn.Module):
    """x: (B, 3, size, size) in [-1, 1] -> four maps of the frozen network, the finest first."""

    def __init__(self, size: int, input_px: int) -> None:
        super().__init__()
        path = efficientnet.weights_path()
        net = efficientnet.faster(efficientnet.classifier(input_px, path))
        self.stem = nn.Sequential(net._conv_stem, net._bn0, net._swish)
        self.blocks = net._blocks
        fixed(self, saved=False)
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
        for name, value in {
            "shift": (0.5 - mean) / std,
            "scale": 0.5 / std,
            "rows": bilinear(size, input_px),
        }.items():
            self.register_buffer(name, value, persistent=False)

    shift: Tensor
    scale: Tensor
    rows: Tensor

    def forward(self, x: Tensor) -> list[Tensor]:
        if len(self.rows) != x.shape[-1]:
            x = self.rows @ x @ self.rows.T
        x = (x * self.scale + self.shift).contiguous(memory_format=torch.channels_last)
        x = self.stem(x)
        maps = []
        for place, block in enumerate(self.blocks):
            x = block(x)
            if place in TAPS:
                maps.append(x)
        return maps


class Mixing(nn.Module):
    """Four maps, the finest first -> four maps of twice the side, with mixed channels and scales.

    ``across``: the channels of the maps after cross-channel mixing; ``out``: of the results.
    """

    def __init__(self, across: list[int], out: list[int]) -> None:
        super().__init__()
        self.channels = nn.ModuleList(
            nn.Conv2d(tap, c, 1) for tap, c in zip(TAPS.values(), across, strict=True)
        )
        self.scales = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(across, out, strict=True))
        self.up = Up()

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        found: list[Tensor] = []
        for mix, scale, x in reversed(list(zip(self.channels, self.scales, maps, strict=True))):
            h = mix(x) if not found else mix(x) + found[0]
            # It commutes with doubling; in this order it takes a quarter of the time.
            found.insert(0, self.up(scale(h)))
        return found


def _head(channels: int, side: int, width: int) -> nn.Sequential:
    """A map (B, channels, side, side) -> logits (B, 1, h, h)."""
    halvings = max(0, math.ceil(math.log2(side / LAST_SIDE)))
    wide = [channels, *(max(1, 8 >> left) * width for left in reversed(range(halvings)))]
    layers: list[nn.Module] = []
    for before, after in pairwise(wide):
        layers += [
            nn.Conv2d(before, after, KERNEL, stride=2, padding=1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(wide[-1], 1, KERNEL, bias=False))


def bilinear(side: int, to: int) -> Tensor:
    """The matrix (to, side) that resizes an axis; its gradients are deterministic on CUDA."""
    eye = torch.eye(side)[None, None]
    rows: Tensor = F.interpolate(eye, (to, side), mode="bilinear", align_corners=False)[0, 0]
    return rows


def fixed(net: nn.Module, saved: bool) -> nn.Module:
    """``net`` with buffers in place of parameters, so that nothing trains them.

    ``saved``: whether they are part of its state dict.
    """
    for part in net.modules():
        for name, value in [*part._parameters.items(), *part._buffers.items()]:
            if value is not None:
                delattr(part, name)
                part.register_buffer(name, value.detach(), persistent=saved)
    return net


def _torch_default(net: nn.Module, rng: torch.Generator) -> nn.Module:
    """``net`` with PyTorch's own initial distribution: weights and biases in ±1 / sqrt(fan_in)."""

    def fill(weight: Tensor, rng: torch.Generator) -> Any:
        return nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=rng)

    filled(net, fill, rng)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            most = 1 / math.sqrt(layer.weight[0].numel())
            layer.bias.data.uniform_(-most, most, generator=rng)
    return net

"""Networks for image translation: generators from image to image, and patch discriminators.

Images are (B, 3, H, W) in [-1, 1]. InstanceNorm has no weights and no running statistics. So the
translation of an image does not depend on the rest of the batch, and is the same in training and
evaluation mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.models.resampling import Mirrored, MirroredConv2d, mirrored
from bascule.models.resampling import Up as Bilinear

Up = Literal["transposed", "nearest", "blurred"]


class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), 3x3 with reflection padding; no ReLU after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(_conv(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)),
            *(_conv(channels, channels, 3), nn.InstanceNorm2d(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.layers(x)
        return x + changed


class Blur(nn.Module):
    """(B, C, H, W) -> (B, C, H/2, W/2), after a blur by 1, 2, 1 (Zhang 2019): two means of two."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.avg_pool2d(mirrored(x, 1), 2, stride=1), 2)


class ToFew(nn.Conv2d):
    """A convolution to few channels, computed by kernel columns: the same sums, but faster.

    A CPU computes 16 output channels in the time of 3. So each kernel column, k x 1, has output
    channels of its own, k times as many. These are shifted by their columns' positions and summed,
    in fp32.
    """

    def forward(self, x: Tensor) -> Tensor:
        few, channels, k, _ = self.weight.shape
        x = mirrored(x, k // 2)
        columns = self.weight.permute(0, 3, 1, 2).reshape(few * k, channels, k, 1)
        parts = F.conv2d(x, columns).float().unflatten(1, (few, k))
        width = x.shape[-1] - k + 1
        total: Tensor = parts[:, :, 0, :, :width]
        for column in range(1, k):
            total = total + parts[:, :, column, :, column : column + width]
        assert self.bias is not None
        return total + self.bias.view(-1, 1, 1)


class ResNetTranslator(nn.Module):
    """x: (B, 3, H, W) -> (B, 3, H, W), H and W multiples of 4; the network of Johnson et al. 2016.

    A 7x7 convolution to ``width`` channels, two downsamplings, residual ``blocks`` at 4 * ``width``
    channels, two upsamplings, a 7x7 convolution to 3 channels, and tanh. InstanceNorm and ReLU
    follow each convolution but the last; all have biases (Zhu et al. 2017, appendix). ``up``:
    "transposed": transposed convolutions, as published; "nearest": nearest-neighbour upsampling
    before a 3x3 convolution, with as many weights and without checkerboard artefacts; "blurred":
    anti-aliased down- and upsampling with 3x3 convolutions, as in CUT.

    Its layers have names, for losses on features: "rgb" (the input, padded by 3), "down1" and
    "down2" (after the convolutions to 2 and 4 times ``width``), "res0", "res1", ...
    """

    def __init__(self, width: int, blocks: int, up: Up = "transposed") -> None:
        super().__init__()
        self.pad = Mirrored(3)
        self.first = nn.Sequential(nn.Conv2d(3, width, 7), *_normed(width))
        self.down1, self.down2 = (_down(width * k, up == "blurred") for k in (1, 2))
        self.blocks = nn.ModuleList(ResidualBlock(4 * width) for _ in range(blocks))
        self.up = nn.Sequential(*_up(4 * width, up), *_up(2 * width, up))
        self.last = nn.Sequential(ToFew(width, 3, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.translated(x, ())[0]

    def translated(self, x: Tensor, taps: Iterable[str]) -> tuple[Tensor, list[Tensor]]:
        """The translation, and the features at the layers ``taps``, as from :meth:`features`."""
        h, found = self._inwards(x, set(taps), whole=True)
        return self.last(self.up(h)), found

    def features(self, x: Tensor, taps: Iterable[str]) -> list[Tensor]:
        """The features at the layers ``taps``, (B, C, H', W') each, in order from the input."""
        return self._inwards(x, set(taps), whole=False)[1]

    def _inwards(self, x: Tensor, wanted: set[str], whole: bool) -> tuple[Tensor, list[Tensor]]:
        """Run all layers, or, unless ``whole``, only up to the last one that is wanted."""
        _check_sides(x, 4)
        if unknown := wanted - set(self.taps):
            raise UserError(f"taps {sorted(unknown)}: expected {', '.join(self.taps)}")
        found = {}
        for name, before, after in self._stretches():
            x = before(x)
            if name in wanted:
                found[name] = x
            if not whole and len(found) == len(wanted):
                break
            x = after(x)
        return x, list(found.values())

    def _stretches(self) -> Iterator[tuple[str, nn.Module, nn.Module]]:
        """(name of a layer, modules up to it, modules between it and the next part)."""
        yield "rgb", self.pad, self.first
        for name, half in (("down1", self.down1), ("down2", self.down2)):
            yield name, half[0], half[1:]
        for place, block in enumerate(self.blocks):
            yield f"res{place}", block, nn.Identity()

    @property
    def taps(self) -> tuple[str, ...]:
        """The names of its layers, in order from the input."""
        return ("rgb", "down1", "down2", *(f"res{place}" for place in range(len(self.blocks))))


def _conv(before: int, after: int, side: int) -> nn.Conv2d:
    return MirroredConv2d(before, after, side)


def _normed(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)


def _down(channels: int, blurred: bool) -> nn.Sequential:
    stride = 1 if blurred else 2
    conv = nn.Conv2d(channels, 2 * channels, 3, stride=stride, padding=1)
    return nn.Sequential(conv, *_normed(2 * channels), *([Blur()] if blurred else []))


def _up(channels: int, up: Up) -> list[nn.Module]:
    half = channels // 2
    if up == "transposed":
        wider = nn.ConvTranspose2d(channels, half, 3, stride=2, padding=1, output_padding=1)
        return [wider, *_normed(half)]
    return [
        # Zhang's transposed kernel 1, 3, 3, 1 is bilinear interpolation.
        nn.Upsample(scale_factor=2) if up == "nearest" else Bilinear(),
        nn.Conv2d(channels, half, 3, padding=1),
        *_normed(half),
    ]


class UNetTranslator(nn.Module):
    """x: (B, 3, H, W) -> (B, 3, H, W), sides multiples of 2**``downs`` (Isola et al. 2017).

    ``downs`` downsamplings by 4x4 convolutions to at most 8 * ``width`` channels, and as many
    upsamplings, with skip connections between equal sides. Because of these it can nearly copy its
    input, so it suits tasks in which objects keep their positions. ``norm``: "instance", or "batch"
    as in pix2pix.
    """

    def __init__(self, width: int, downs: int, norm: Literal["instance", "batch"]) -> None:
        super().__init__()
        made = nn.InstanceNorm2d if norm == "instance" else nn.BatchNorm2d
        bias = norm == "instance"
        channels = [min(8, 2**k) * width for k in range(downs)]
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        self.side = 2**downs
        for place, (before, after) in enumerate(zip([3, *channels], channels, strict=False)):
            inner = place == downs - 1
            down: list[nn.Module] = [] if place == 0 else [nn.LeakyReLU(0.2)]
            down.append(nn.Conv2d(before, after, 4, 2, 1, bias=bias))
            down += [] if inner or place == 0 else [made(after)]
            self.downs.append(nn.Sequential(*down))
            told = after if inner else 2 * after
            back = 3 if place == 0 else before
            up: list[nn.Module] = [nn.ReLU()]
            up.append(nn.ConvTranspose2d(told, back, 4, 2, 1, bias=bias or place == 0))
            up.append(nn.Tanh() if place == 0 else made(back))
            self.ups.insert(0, nn.Sequential(*up))

    def forward(self, x: Tensor) -> Tensor:
        _check_sides(x, self.side)
        seen = [x]
        for down in self.downs:
            seen.append(down(seen[-1]))
        h: Tensor = self.ups[0](seen.pop())
        for up in self.ups[1:]:
            h = up(torch.cat([seen.pop(), h], 1))
        return h


class PatchD(nn.Module):
    """x: (B, C, H, W) -> a map of logits (B, H', W'), high for patches that look real.

    4x4 convolutions with LeakyReLU(0.2), and InstanceNorm on all but the first and the last:
    ``halvings`` of stride 2, then two of stride 1 (PatchGAN, Isola et al. 2017).
    :func:`receptive_field` gives the size of a patch. At 64 pixels, a patch of 70 pixels covers the
    whole image. ``blurred``: instead of a stride of 2, a convolution of stride 1, LeakyReLU and
    :class:`Blur`, as in CUT's code: four times the work and a larger patch.
    """

    def __init__(
        self, width: int, halvings: int = 3, channels: int = 3, blurred: bool = False
    ) -> None:
        super().__init__()
        wide = [min(8, 2**k) * width for k in range(halvings + 1)]
        halve = 1 if blurred else 2
        blur = [Blur()] if blurred else []
        layers: list[nn.Module] = [
            *(nn.Conv2d(channels, wide[0], 4, halve, 1), nn.LeakyReLU(0.2, True), *blur)
        ]
        for place in range(1, halvings + 1):
            last = place == halvings
            layers += [
                nn.Conv2d(wide[place - 1], wide[place], 4, 1 if last else halve, 1),
                nn.InstanceNorm2d(wide[place]),
                nn.LeakyReLU(0.2, True),
                *([] if last else blur),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(wide[-1], 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.squeeze(1)


def receptive_field(halvings: int, blurred: bool = False) -> int:
    """The side in pixels of the receptive field of :class:`PatchD`: 16, 34, 70, 142, ...

    18, 40, 84, 172, ... with ``blurred``.
    """
    side = 7  # of the two last convolutions
    for _ in range(halvings):
        side = 2 * side + 4 if blurred else 2 * side + 2
    return side


def _check_sides(x: Tensor, multiple: int) -> None:
    height, width = x.shape[-2:]
    if height % multiple or width % multiple:
        raise UserError(
            f"pictures of {width} x {height}: expected sides that are multiples of {multiple}"
        )


def check_translation(
    model: str, size: int, halvings: int, power_of_2: bool, blurred: bool = False
) -> None:
    """Raises :class:`UserError` for an image size that the generator or D's patches do not fit.

    ``halvings`` and ``blurred``: those of D. ``power_of_2``: whether the generator needs one.
    """
    if size < 32 or size % 4 or (power_of_2 and size & (size - 1)):
        powers = ", a power of 2" if power_of_2 else ", a multiple of 4"
        raise UserError(f"{model}(size={size}): expected at least 32{powers}")
    if size >> halvings < 3:
        side = receptive_field(halvings, blurred)
        raise UserError(
            f"{model}(halvings={halvings}): D's patches of {side} pixels "
            f"are too large for images of {size}: expected fewer halvings"
        )

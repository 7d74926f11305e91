"""StyleGAN2 at small sizes: latents become styles, which scale the channels of every layer.

G maps z: (B, z_dim) to w: (B, w_dim) and w to x: (B, 3, H, W). Reals are in [-1, 1]; G has no tanh,
so its images may leave this range. D maps such an x to (B,) logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.fields import check_fields
from bascule.models.layers import SLOPE, Noise, check_counts, drawn
from bascule.models.model import Shaped
from bascule.models.resampling import Down, Up, smoothed

_MAPPING_RATE = 0.01  # learning rate of the mapping over that of other layers
_W_MOMENTUM = 0.005  # of the running mean of w
_GROUP = 4  # images that minibatch statistics compare


@dataclass(frozen=True)
class StyleGAN2(Shaped):
    """The networks of Karras et al., 2020 (arXiv 1912.04958), small enough for small image sets.

    G: ``mapping`` linear layers from z to w; a learned 4x4 grid; then two 3x3 convolutions on each
    grid, whose input channels are scaled by a linear map of w and whose output has unit variance
    again (demodulation). Noise, a bias and LeakyReLU follow. On each grid a 1x1 convolution makes
    an RGB image; the images of all grids are upsampled and added. D: residual blocks down to a 4x4
    grid; the standard deviation over groups of four images as one more channel; two linear layers.

    base     channels of a grid times its side, at most; 16384 or 32768 in the paper
    most     the largest number of channels; 512 in the paper
    mapping  linear layers from z to w; 8 in the paper, 2 in Karras et al. 2020 for small sets (ADA)
    z_dim    dimension of the latents; 512 in the paper
    w_dim    dimension of w; 512 in the paper
    size     16, 32, 64, 128 or 256 px

    Weights ~ N(0, 1) are scaled by 1 / sqrt(fan_in) in every forward pass. Those of the mapping
    learn at a hundredth of the rate. G keeps the mean of w over training, for truncation
    (:meth:`Generator.truncated`); it is a BatchNorm's running mean, so it is kept, averaged and
    recomputed as those are.

    Departures from the authors' program. Styles scale the input and the output of a convolution
    that all images share, which gives the same as their convolution with weights for each image.
    The resampling filters of images and of D's skip paths repeat the border instead of padding with
    zeros. There is no style mixing and no path length regularisation. A group of minibatch
    statistics is the largest of 4, 3, 2 or 1 images that divides the batch.
    """

    base: int = 1024
    most: int = 128
    mapping: int = 2
    z_dim: int = 128
    w_dim: int = 128
    size: int = 64
    needs_whole_batch: ClassVar[bool] = True  # for noise and statistics

    def __post_init__(self) -> None:
        check_fields(self)
        self.check_shape(16, 32, 64, 128, 256)
        check_counts(
            "StyleGAN2", most=self.most, mapping=self.mapping, z_dim=self.z_dim, w_dim=self.w_dim
        )
        check_counts("StyleGAN2", **{f"base // {self.size}": self.base // self.size})

    @property
    def grids(self) -> dict[int, int]:
        """The channels of every grid by its shorter side, from 4 to ``size``."""
        sides = [4 * 2**i for i in range(int(math.log2(self.size)) - 1)]
        return {side: min(self.base // side, self.most) for side in sides}

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):  # allocates nothing, and leaves the global generator alone
            G, D = Generator(self), Discriminator(self)
        for net in (G, D):
            drawn(net, lambda weight: 1.0, 0.0, rng)
        G.grid.data.normal_(generator=rng)
        for layer in G.modules():
            if isinstance(layer, Linear):
                layer.weight.data.div_(layer.rate)
            if isinstance(layer, Styled):
                layer.bias.data.zero_()
                layer.style.bias.data.fill_(1.0)
        return G, D


class Generator(nn.Module):
    """z: (B, z_dim) -> x: (B, 3, H, W), unbounded."""

    def __init__(self, model: StyleGAN2) -> None:
        super().__init__()
        dims = [model.z_dim, *[model.w_dim] * model.mapping]
        self.mapping = nn.ModuleList(
            Linear(before, after, rate=_MAPPING_RATE) for before, after in pairwise(dims)
        )
        # Its output is not used; its running mean is the mean of w.
        self.statistics = nn.BatchNorm1d(model.w_dim, momentum=_W_MOMENTUM, affine=False)
        channels = model.grids
        self.grid = nn.Parameter(torch.empty(1, channels[4], *model.first_grid))
        self.layers, self.to_image = nn.ModuleList(), nn.ModuleList()
        before = None
        for side, width in channels.items():
            grid = (model.shape.height * side // model.size, model.shape.width * side // model.size)
            if before is not None:
                self.layers.append(Styled(before, width, model.w_dim, grid, up=True))
            self.layers.append(Styled(width, width, model.w_dim, grid))
            self.to_image.append(Styled(width, model.channels, model.w_dim, None))
            before = width
        self.up = Up()

    def forward(self, z: Tensor) -> Tensor:
        return self.from_w(self.w_of(z))

    def w_of(self, z: Tensor) -> Tensor:
        """w (B, w_dim) of latents (B, z_dim)."""
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            w = _leaky(layer(w))
        self.statistics(w.detach().float())
        return w

    def from_w(self, w: Tensor) -> Tensor:
        """The images (B, 3, H, W) of w (B, w_dim)."""
        x = self.layers[0](self.grid.expand(w.shape[0], -1, -1, -1), w)
        image: Tensor = self.to_image[0](x, w)
        for up, layer, to_image in zip(
            self.layers[1::2], self.layers[2::2], self.to_image[1:], strict=True
        ):
            x = layer(up(x, w), w)
            image = self.up(image) + to_image(x, w)
        return image

    def truncated(self, z: Tensor, psi: float) -> Tensor:
        """w (B, w_dim) of z, moved towards the mean of w: mean + psi (w - mean).

        Karras et al. 2019, section 2 and appendix B: psi = 1 changes nothing, psi = 0 gives the
        mean, whose image is the average one.
        """
        mean = self.statistics.running_mean
        assert mean is not None, "a BatchNorm that tracks its mean"
        return mean + psi * (self.w_of(z) - mean)


class Styled(nn.Module):
    """x (B, before, H, W), w (B, w_dim) -> (B, after, H, W), or twice the side with ``up``.

    A 3x3 convolution with demodulation, noise, a bias and LeakyReLU; ``grid``: height and width of
    its result. Without ``grid``: a 1x1 convolution to an image, without demodulation, noise and
    LeakyReLU.
    """

    def __init__(
        self,
        before: int,
        after: int,
        w_dim: int,
        grid: tuple[int, int] | None,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.style = Linear(w_dim, before)
        self.conv = Modulated(before, after, grid is not None, up)
        self.noise = None if grid is None else Noise(*grid)
        self.bias = nn.Parameter(torch.empty(after))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        h: Tensor = self.conv(x, self.style(w))
        if self.noise is not None:
            h = self.noise(h)
        h = h + self.bias[:, None, None].to(h.dtype)
        return h if self.noise is None else _leaky(h)


class Modulated(nn.Conv2d):
    """x (B, before, H, W), style (B, before) -> the convolution of x with weights for each image.

    The weights of an image are W[o, i] * style[i], divided by their norm over i and pixels for
    each output o if the layer demodulates; otherwise times 1 / sqrt(before). Scaling x by the
    style, and the result by the inverse norms, gives the same with one convolution for all images
    (Karras et al. 2020, section 2.2). ``up``: twice the side, by a transposed convolution of
    stride 2 and the filter [1, 3, 3, 1] / 4 along each axis.
    """

    def __init__(self, before: int, after: int, demodulates: bool, up: bool) -> None:
        super().__init__(before, after, 3 if demodulates else 1, bias=False)
        self.demodulates, self.up = demodulates, up

    def forward(self, x: Tensor, style: Tensor) -> Tensor:  # type: ignore[override]
        if not self.demodulates:
            style = style / math.sqrt(self.in_channels)
            return F.conv2d(x * _per_channel(style, x), self.weight)
        with torch.autocast(x.device.type, enabled=False):  # squares need fp32
            energy = self.weight.float().square().sum((2, 3))
            scale = (style.float().square() @ energy.T + 1e-8).rsqrt()
        x = x * _per_channel(style, x)
        if self.up:
            h = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            return smoothed(h, 1) * _per_channel(4 * scale, h)
        h = F.conv2d(x, self.weight, padding=1)
        return h * _per_channel(scale, h)


class Discriminator(nn.Module):
    """x: (B, 3, H, W) in [-1, 1] -> logits (B,), high for real images."""

    def __init__(self, model: StyleGAN2) -> None:
        super().__init__()
        widths = list(model.grids.values())[::-1]
        self.from_image = Conv2d(model.channels, widths[0], 1)
        self.blocks = nn.Sequential(*(Block(*both) for both in pairwise(widths)))
        last = widths[-1]
        self.conv = Conv2d(last + 1, last, 3)
        self.linear = Linear(last * math.prod(model.first_grid), last)
        self.logit = Linear(last, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = with_deviation(self.blocks(_leaky(self.from_image(x))))
        h = _leaky(self.conv(h))
        logits: Tensor = self.logit(_leaky(self.linear(h.flatten(1))))
        return logits.reshape(x.shape[0])


class Block(nn.Module):
    """Residual block of D: (B, before, H, W) -> (B, after, H/2, W/2), divided by sqrt(2)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(before, before, 3)
        self.conv2 = Conv2d(before, after, 3, down=True)
        self.skip = nn.Sequential(Down(), Conv2d(before, after, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        skipped: Tensor = self.skip(x)
        return (_leaky(self.conv2(_leaky(self.conv1(x)))) + skipped) * math.sqrt(0.5)


class Linear(nn.Linear):
    """A linear layer with an equalised learning rate: weights and biases are scaled when used.

    Weights are multiplied by rate / sqrt(fan_in) and biases by ``rate`` (Karras et al. 2018,
    section 4.1).
    """

    def __init__(self, before: int, after: int, rate: float = 1.0) -> None:
        super().__init__(before, after)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        scale = self.rate / math.sqrt(self.in_features)
        return F.linear(x, self.weight * scale, self.bias * self.rate)


class Conv2d(nn.Conv2d):
    """A convolution that keeps the side, or halves it with ``down``, with weights / sqrt(fan_in).

    ``down``: stride 2, after the filter [1, 3, 3, 1] / 8 along each axis.
    """

    def __init__(
        self, before: int, after: int, side: int, down: bool = False, bias: bool = True
    ) -> None:
        super().__init__(before, after, side, padding=side // 2, bias=bias)
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight / math.sqrt(self.weight[0].numel())
        if self.down:
            return F.conv2d(smoothed(x, 2), weight, self.bias, stride=2)
        return F.conv2d(x, weight, self.bias, padding=self.padding)


def with_deviation(x: Tensor) -> Tensor:
    """x (B, C, H, W) -> (B, C + 1, H, W): one more channel with the deviation within groups.

    The standard deviation of each feature over a group of images, averaged over all features, as a
    constant map (Karras et al. 2018, section 3). Image k is in a group with k + B/n, k + 2 B/n, ...
    """
    n = next(n for n in range(_GROUP, 0, -1) if len(x) % n == 0)
    groups = x.unflatten(0, (n, -1))
    deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    channel = deviation.repeat(n)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel.to(x.dtype)], 1)


def _per_channel(scale: Tensor, x: Tensor) -> Tensor:
    return scale[:, :, None, None].to(x.dtype)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE) * math.sqrt(2)

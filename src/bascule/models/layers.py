"""Parts that the models share: blocks, layers, initialisation of weights, checks of sizes.

Blocks of G take x and a condition ``given``. It is what their :class:`ConditionalBatchNorm` reads:
labels (B,) int64 or vectors (B, features); None for unconditional norms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise, repeat

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from bascule.core.errors import UserError
from bascule.models.resampling import doubled

SLOPE = 0.2  # of LeakyReLU in DCGAN and similar networks
Norm = Callable[[int], nn.Module]  # from a number of channels to their normalisation layer


class ConditionalBatchNorm(nn.Module):
    """BatchNorm with a gain and a bias for every channel that depend on a condition.

    (x (B, C, H, W), given) -> (1 + gain(given)) * norm(x) + bias(given). ``learned(C)`` makes each
    of the two maps from conditions to (B, C): an embedding of labels (de Vries et al. 2017), a
    linear map of vectors (Brock et al. 2019, section 3), or a small network (:class:`Modulation`).
    """

    def __init__(self, channels: int, learned: Norm) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain, self.bias = learned(channels), learned(channels)

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        gain, bias = self.gain(given), self.bias(given)
        h: Tensor = (1 + gain[:, :, None, None]) * self.norm(x) + bias[:, :, None, None]
        return h

    def start(self) -> None:
        """Initialise: gains 1 and biases 0 for every label."""
        for learned in (self.gain, self.bias):
            if isinstance(learned, nn.Embedding):
                learned.weight.zero_()


def norm_of_labels(classes: int) -> Norm:
    """BatchNorm with a gain and a bias for every label; plain BatchNorm if there are none."""
    if not classes:
        return nn.BatchNorm2d
    return partial(ConditionalBatchNorm, learned=partial(nn.Embedding, classes))


class Modulation(nn.Sequential):
    """z (B, z_dim) -> (B, channels), by one hidden layer of 32 with ReLU.

    The map of self-modulation (Chen et al. 2019, ICLR, arXiv 1810.01365, equation 3 and table 1).
    """

    HIDDEN = 32

    def __init__(self, z_dim: int, channels: int) -> None:
        super().__init__(nn.Linear(z_dim, self.HIDDEN), nn.ReLU(), nn.Linear(self.HIDDEN, channels))

    def start(self, rng: torch.Generator) -> None:
        """Initialise: for z ~ N(0, I), each output has a standard deviation of about 0.35."""
        for layer, std in zip((self[0], self[2]), (1.0, 0.5), strict=True):
            assert isinstance(layer, nn.Linear)
            layer.weight.normal_(0.0, std / math.sqrt(layer.in_features), generator=rng)


def norm_of_latents(z_dim: int) -> Norm:
    """BatchNorm with gains and biases that a :class:`Modulation` makes of latents (B, z_dim)."""
    return partial(ConditionalBatchNorm, learned=partial(Modulation, z_dim))


def norm_of_vectors(features: int) -> Norm:
    """BatchNorm with gains and biases that are linear in a vector (B, features)."""
    return partial(ConditionalBatchNorm, learned=partial(nn.Linear, features, bias=False))


def normed(norm: nn.Module, x: Tensor, given: Tensor | None) -> Tensor:
    """``norm`` of x, with the condition if there is one."""
    h: Tensor = norm(x) if given is None else norm(x, given)
    return h


class BatchRMS(nn.BatchNorm2d):
    """x (B, C, H, W) divided by its root mean square over the batch and the positions.

    The mean is not subtracted, and there are no gains or biases. In evaluation, by the running mean
    square of training, which ``running_var`` holds. The normalisation of CHAIN (Ni and Koniusz
    2024, CVPR, arXiv 2404.00521), without its bound on the Lipschitz constant, its mixing with x
    itself and its penalty on means.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)

    def forward(self, input: Tensor) -> Tensor:
        assert self.running_var is not None and self.num_batches_tracked is not None
        square = self.running_var
        if self.training:
            square = input.float().square().mean((0, 2, 3))
            if self.track_running_stats:
                self.num_batches_tracked += 1
                self.running_var.lerp_(square.detach(), self.momentum or 0.0)
        scale = (square + self.eps).rsqrt()[:, None, None]
        return (input.float() * scale).to(input.dtype)


class UpBlock(nn.Module):
    """Residual block of G: (B, before, H, W) -> (B, after, 2H, 2W).

    The main path has twice norm, ReLU and a 3x3 convolution, with upsampling by 2 before the first
    convolution. The skip path has a 1x1 convolution and then upsampling (Miyato et al. 2018,
    appendix B). Papers upsample first; both orders give the same result, and this one needs a
    quarter of the time.
    """

    def __init__(self, before: int, after: int, norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(before), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = norm(after), nn.Conv2d(after, after, 3, padding=1)
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        h: Tensor = self.conv1(doubled(normed(self.norm1, x, given).relu()))
        h = self.conv2(normed(self.norm2, h, given).relu())
        return h + doubled(self.skip(x))


class DownBlock(nn.Module):
    """Residual block of D: (B, before, H, W) -> (B, after, H/2, W/2); same H, W without ``down``.

    The main path has twice ReLU and a 3x3 convolution, with ``hidden`` channels between them
    (default: ``after``), then average pooling over 2x2 pixels. The skip path has the same pooling
    and a 1x1 convolution; it is x itself if neither the size nor the channels change (Miyato et
    al. 2018, appendix B). The ``first`` block gets the image and has no first ReLU. ``norm``, if
    given, comes before each ReLU.
    """

    def __init__(
        self,
        before: int,
        after: int,
        *,
        down: bool = True,
        first: bool = False,
        hidden: int | None = None,
        norm: Norm | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden or after
        pool = [nn.AvgPool2d(2)] if down else []

        def activated(channels: int) -> list[nn.Module]:
            return [*([norm(channels)] if norm else []), nn.ReLU()]

        self.main = nn.Sequential(
            *([] if first else activated(before)),
            nn.Conv2d(before, hidden, 3, padding=1),
            *activated(hidden),
            nn.Conv2d(hidden, after, 3, padding=1),
            *pool,
        )
        changed = down or before != after
        self.skip = nn.Sequential(*pool, *([nn.Conv2d(before, after, 1)] if changed else []))

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.main(x) + self.skip(x)
        return h


class SelfAttention(nn.Module):
    """Self-attention over all positions: x (B, C, H, W) -> x + gain * out(attention(x)).

    theta makes the queries and phi the keys, in C/8 channels; g makes the values, in C/2. Keys and
    values have half the side, by max pooling. ``out`` goes back to C channels. There are no biases.
    The gain starts at 0 (Zhang et al. 2019, equations 1 to 3; the pooling is that of their
    published program).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        asked, told = max(1, channels // 8), max(1, channels // 2)
        self.theta = nn.Conv2d(channels, asked, 1, bias=False)
        self.phi = nn.Conv2d(channels, asked, 1, bias=False)
        self.g = nn.Conv2d(channels, told, 1, bias=False)
        self.out = nn.Conv2d(told, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.theta(x).flatten(2)  # (B, C/8, HW)
        key = F.max_pool2d(self.phi(x), 2).flatten(2)  # (B, C/8, HW/4)
        value = F.max_pool2d(self.g(x), 2).flatten(2)  # (B, C/2, HW/4)
        weight = (query.mT @ key).softmax(-1)  # (B, HW, HW/4): for each query, over all keys
        seen = (value @ weight.mT).unflatten(2, x.shape[2:])
        h: Tensor = self.out(seen)
        return x + self.gain * h

    def start(self) -> None:
        """Initialise the gain at 0, so that attention first changes nothing."""
        self.gain.zero_()


class Noise(nn.Module):
    """x (B, C, H, W) -> x + strength * n, with one n ~ N(0, 1) for each place of each image.

    All channels of an image share n. The strength is learned and starts at 0 (Karras et al. 2019,
    section 3.2). In training, n comes from PyTorch's global generator, which the loop seeds in
    each step. In eval mode, n is the same map (H, W) for all images, so that a latent always gives
    the same image.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))
        self.fixed: Tensor
        self.register_buffer("fixed", torch.zeros(1, 1, height, width))

    def forward(self, x: Tensor) -> Tensor:
        n = self.fixed
        if self.training:
            n = torch.randn(x.shape[0], 1, *x.shape[2:], device=x.device)
        return x + (self.strength * n).to(x.dtype)

    def start(self, rng: torch.Generator) -> None:
        """Initialise: no noise at first; the map of eval mode is drawn from ``rng``."""
        self.strength.zero_()
        self.fixed.normal_(generator=rng)


def resnet_channels_G(width: int, size: int) -> list[int]:
    """Channels of every grid of SNGAN's and SAGAN's G, from 4x4 to the image."""
    halved = [16 * width, 8 * width, 4 * width, 2 * width, width]
    return {32: [4 * width] * 4, 64: halved, 128: [16 * width, *halved]}[size]


def resnet_channels_D(width: int, size: int) -> list[int]:
    """Channels of a residual D of 64 or 128 px after each block, from the image on."""
    return [width * min(16, 2**i) for i in range(6 if size == 128 else 5)]


class ResNetG(nn.Module):
    """z: (B, z_dim) [, labels y: (B,)] -> x: (B, ``colours``, H, W) in [-1, 1].

    A linear layer to the first ``grid`` (height, width), residual ``blocks`` from ``channels[0]``
    to ``channels[-1]``, possibly with attention between them, then BatchNorm, ReLU, a 3x3
    convolution and tanh.
    """

    def __init__(
        self,
        z_dim: int,
        channels: list[int],
        blocks: list[nn.Module],
        grid: tuple[int, int] = (4, 4),
        colours: int = 3,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.stem = nn.Linear(z_dim, channels[0] * grid[0] * grid[1])
        self.blocks = nn.ModuleList(blocks)
        self.to_image = nn.Sequential(
            nn.BatchNorm2d(channels[-1]),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels[-1], colours, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.image(z, repeat(y))

    def image(self, z: Tensor, given: Iterable[Tensor | None]) -> Tensor:
        """The image for z (B, z_dim); ``given`` has one condition for each residual block."""
        conditions = iter(given)
        x: Tensor = self.stem(z).unflatten(1, (-1, *self.grid))
        for block in self.blocks:
            attends = isinstance(block, SelfAttention)
            x = block(x) if attends else block(x, next(conditions))
        image: Tensor = self.to_image(x)
        return image


def up_blocks(channels: list[int], norm: Norm) -> list[nn.Module]:
    """Residual blocks from each number of ``channels`` to the next."""
    return [UpBlock(before, after, norm) for before, after in pairwise(channels)]


class ResNetD(nn.Module):
    """x: (B, 3, H, W) in [-1, 1] [, labels y: (B,)] -> logits (B,), high for real images.

    ``blocks`` give ``channels`` feature maps; ReLU and the sum over positions make h; one linear
    layer makes the logit. With ``classes``, <embedding(y), h> is added to it (projection, Miyato
    and Koyama 2018, equation 3).
    """

    def __init__(self, blocks: list[nn.Module], channels: int, classes: int = 0) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(channels, 1)
        self.embedding = nn.Embedding(classes, channels) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h = self.blocks(x).relu().sum((2, 3))
        logits: Tensor = self.linear(h).squeeze(1)
        return logits if self.embedding is None else logits + (self.embedding(y) * h).sum(1)


class Generator(nn.Module):
    """z: (B, z_dim) -> x: (B, 3, H, W) in [-1, 1], a sequence of ``layers``."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.layers(z)
        return image


class SelfModulated(Generator):
    """A :class:`Generator` whose normalisations read z, too."""

    def forward(self, z: Tensor) -> Tensor:
        x = z
        for layer in self.layers:
            x = layer(x, z) if isinstance(layer, ConditionalBatchNorm) else layer(x)
        return x


class Discriminator(nn.Module):
    """x: (B, ...) -> logits (B,), high for real inputs, a sequence of ``layers``."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits.reshape(x.shape[0])


class Labelled(nn.Module):
    """A conditional G with the label in its latents: z (B, z_dim + 1) -> G(z[:, :-1], labels(z)).

    The last number of a latent, ~ N(0, 1) like the others, selects the label: its quantile is
    looked up in the frequencies of the training labels. So fakes and reals have the same label
    frequencies. Returns images (B, 3, H, W).
    """

    def __init__(self, G: nn.Module, classes: int) -> None:
        super().__init__()
        self.G = G
        self.counts: Tensor
        self.register_buffer("counts", torch.zeros(classes))

    def see(self, y: Tensor) -> None:
        """Count the labels y (B,) of a batch of reals."""
        self.counts += torch.bincount(y, minlength=len(self.counts))

    def labels(self, z: Tensor) -> Tensor:
        """The labels (B,) of latents (B, z_dim + 1); uniform before any label was counted."""
        counts = self.counts if self.counts.any() else torch.ones_like(self.counts)
        shares = counts.double().cumsum(0) / counts.double().sum()
        asked = torch.special.ndtr(z[:, -1].double())
        return torch.searchsorted(shares, asked).clamp(max=len(shares) - 1)

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.G(z[:, :-1], self.labels(z))
        return image


def dcgan_channels(width: int, size: int) -> list[int]:
    """Channels from the image to the 4x4 grid: ``width``, doubled each time the side is halved."""
    return [width * 2**i for i in range(int(math.log2(size)) - 2)]


def dcgan_up(
    z_dim: int,
    channels: list[int],
    colours: int = 3,
    grid: tuple[int, int] = (4, 4),
    norm: Norm = nn.BatchNorm2d,
) -> list[nn.Module]:
    """The layers of DCGAN's G; ``channels`` go from the first ``grid`` (height, width) onwards.

    Convolutions have no bias, because a BatchNorm follows.
    """
    layers: list[nn.Module] = [
        nn.Unflatten(1, (z_dim, 1, 1)),
        nn.ConvTranspose2d(z_dim, channels[0], grid, bias=False),
    ]
    for before, after in zip(channels, [*channels[1:], colours], strict=True):
        layers += [
            norm(before),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
        ]
    return [*layers, nn.Tanh()]


def dcgan_down(
    channels: list[int],
    outputs: int,
    norm: Norm | None = nn.BatchNorm2d,
    colours: int = 3,
    grid: tuple[int, int] = (4, 4),
) -> list[nn.Module]:
    """The layers of DCGAN's D, from an image to (B, outputs, 1, 1).

    ``channels`` go from the image to the last ``grid`` (height, width). Convolutions have biases
    only without BatchNorm.
    """
    bias = norm is not nn.BatchNorm2d
    layers: list[nn.Module] = [
        nn.Conv2d(colours, channels[0], 4, stride=2, padding=1, bias=bias),
        nn.LeakyReLU(SLOPE, inplace=True),
    ]
    for before, after in pairwise(channels):
        layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=bias))
        if norm:
            layers.append(norm(after))
        layers.append(nn.LeakyReLU(SLOPE, inplace=True))
    return [*layers, nn.Conv2d(channels[-1], outputs, grid, bias=bias)]


def dcgan_std(weight: Tensor) -> float:
    """The standard deviation of DCGAN's initial weights (Radford et al. 2015, section 3)."""
    return 0.02


Fill = Callable[[Tensor, torch.Generator], object]  # initialises one weight in place


def filled(net: nn.Module, fill: Fill, rng: torch.Generator, gain_std: float = 0.0) -> nn.Module:
    """``net`` moved from the meta device to the device of ``rng``, with all weights initialised.

    ``fill`` initialises weights of convolutions, linear layers and embeddings; their biases are 0.
    Gains of norms ~ N(1, gain_std²), their biases 0. Conditional norms, modulation, attention and
    noise have their own ``start()``.
    """
    # net.to_empty does the same but first imports PyTorch's tracing of symbolic shapes.
    net._apply(lambda t: torch.empty(t.shape, dtype=t.dtype, device=rng.device))
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.reset_running_stats()
            if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
                if layer.affine:
                    layer.weight.normal_(1.0, gain_std, generator=rng)
                    layer.bias.zero_()
            elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                fill(layer.weight, rng)
                if layer.bias is not None:
                    layer.bias.zero_()
            elif isinstance(layer, nn.Embedding):
                fill(layer.weight, rng)
        for layer in net.modules():
            if isinstance(layer, ConditionalBatchNorm | SelfAttention):
                layer.start()
            elif isinstance(layer, Noise | Modulation):
                layer.start(rng)
    return net


def drawn(
    net: nn.Module, std: Callable[[Tensor], float], gain_std: float, rng: torch.Generator
) -> nn.Module:
    """``net`` initialised by :func:`filled`, with weights ~ N(0, std(weight)²)."""
    return filled(
        net, lambda weight, rng: weight.normal_(0.0, std(weight), generator=rng), rng, gain_std
    )


def glorot(net: nn.Module, rng: torch.Generator, gain: float = 1.0) -> nn.Module:
    """``net`` with weights uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    The 3x3 convolutions of residual blocks have this range times ``gain``. See :func:`filled`.
    """
    filled(net, lambda weight, rng: nn.init.xavier_uniform_(weight, generator=rng), rng)
    for block in net.modules():
        if isinstance(block, UpBlock | DownBlock):
            for layer in block.modules():
                if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                    layer.weight.data.mul_(gain)
    return net


def xavier_normal(net: nn.Module, rng: torch.Generator, gain: float = 1.0) -> nn.Module:
    """``net`` with weights ~ N(0, gain² 2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return filled(net, lambda weight, rng: nn.init.xavier_normal_(weight, gain, generator=rng), rng)


def orthogonal(net: nn.Module, rng: torch.Generator) -> nn.Module:
    """``net`` with orthogonal weights, one row for each output (Saxe et al. 2014)."""
    return filled(net, lambda weight, rng: nn.init.orthogonal_(weight, generator=rng), rng)


def spectrally_normed(
    net: nn.Module, rng: torch.Generator, *, embeddings: bool = False, eps: float = 1e-12
) -> nn.Module:
    """Put spectral normalisation on every convolution and linear layer (Miyato et al. 2018).

    Also on embeddings with ``embeddings``. There is one power iteration per forward pass. Its
    initial vectors are drawn from ``rng``; ``eps`` is the least norm by which they are divided.
    """
    kinds: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    kinds += (nn.Embedding,) if embeddings else ()
    for layer in list(net.modules()):
        if isinstance(layer, kinds):
            with torch.random.fork_rng(devices=[]):  # PyTorch draws from the global generator
                torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=rng)))
                spectral_norm(layer, eps=eps)
    return net


MOST_COUNT = 16_384  # of channels, blocks, or dimensions of a latent


def check_counts(owner: str, **counts: int) -> None:
    """Raise :class:`UserError` for a count below 1, or too large for any machine's memory."""
    for name, count in counts.items():
        if not 1 <= count <= MOST_COUNT:
            raise UserError(
                f"{owner}({name}={count!r}): expected a whole number >= 1, at most {MOST_COUNT:,}"
            )


def check_classes(owner: str, classes: int) -> None:
    """Raise :class:`UserError` for a number of classes below 0."""
    if classes < 0:
        raise UserError(f"{owner}(classes={classes!r}): expected 0 for no labels, or their number")


def check_size(owner: str, size: int, *known: int) -> None:
    """Raise :class:`UserError` for an image size that the model does not support."""
    if size not in known:
        sizes = " or ".join(map(str, known))
        raise UserError(f"{owner}(size={size!r}): expected {sizes}: resize the images")

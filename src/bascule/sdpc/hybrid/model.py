"""GAN x SDPC: a generator that decodes sparse codes, and a critic that sees sparse codes.

These models are from no paper. Related work: generators as sparse synthesis (Ganz and Elad 2021,
arXiv 2104.00464), a generator of codes for a pretrained dictionary (Mahdizadehaghdam et al. 2019,
arXiv 1908.08930), and critics on frozen features with random mixing (Sauer et al. 2021, arXiv
2111.01007). docs/hybrids.md derives the models.

Both use two layers of dictionaries (:mod:`bascule.sdpc.model`) for the band of an image above its
low-pass (:class:`bascule.sdpc.preprocess.bands.Bands`). The low-pass must have as many cells as the
codes of the second layer have positions, so that both together form one map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.models.layers import (
    SLOPE,
    Discriminator,
    Generator,
    check_counts,
    check_size,
    dcgan_channels,
    dcgan_down,
    dcgan_std,
    dcgan_up,
    drawn,
    spectrally_normed,
)
from bascule.sdpc.model import SDPC, Inference, Network, step_sizes, unrolled
from bascule.sdpc.model.network import unit_norm
from bascule.sdpc.model.operator import Operator

LOW_CHANNELS = 3  # channels of the low-pass, which keeps the colours
LEVEL = 0.5  # root mean square of the critic's input codes, similar to that of the low-pass
LOUD = 4.0  # factor of the low-pass for the critic of codes: three maps beside many
CLEAR = 3.0  # factor of the low-pass for the critic that sees through codes
LEAK = 0.2  # slope for codes that are 0, relative to the slope above 0
QUIET = -2.0  # initial bias of normalised codes; 2 % of them are active
PEAK = LEVEL / 0.076  # scales a rectified N(QUIET, 1) to root mean square LEVEL


@dataclass(frozen=True)
class SDPCGAN:
    """A generator of sparse codes, which dictionaries decode to an image, and a critic of pixels.

    G: z -> features h on the grid of layer 2, by a transposed 4x4 convolution to 4x4 and one more
    for each doubling (DCGAN's, BatchNorm and ReLU), then, linear in h,

        g2 = relu(norm(codes(h))),   low = tanh(low(h)),   u = innovation(h),
        g1 = relu(D2^T g2 / v1 + u),   x = up(low) + D1^T g1.

    norm is BatchNorm. Its bias, which starts below 0, acts as the penalty on a code. For codes that
    are 0, the gradient is multiplied by ``LEAK`` instead of 0 (:func:`rectified`). Real codes are
    so sparse that G first learns to have none, and without this leak G could not recover from all
    codes being 0.

    With u = 0, g1 is the rectified prediction of layer 1 by layer 2, which minimises the error
    between the layers if no image is given. u is 0 at initialisation. Codes are in units of pixels
    in [-1, 1]. All maps above are homogeneous, so the codes include the standard deviation by which
    preprocessing divides an image.

    D: that of DCGAN, with spectral normalisation and ``width`` channels in its first layer. Before
    the training on pixels, G can be trained against a critic of codes (g2 and low as one map) with
    ``4 * width`` channels.
    """

    width: int = 32
    z_dim: int = 100
    size: int = 64
    innovation: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("SDPCGAN", width=self.width, z_dim=self.z_dim)
        check_size("SDPCGAN", self.size, 32, 64)

    def players(
        self, rng: torch.Generator, sdpc: SDPC, rise: Tensor
    ) -> tuple[CodeGenerator, nn.Module]:
        """(G, D), with all weights drawn from ``rng``.

        The dictionaries are 0 until :meth:`CodeGenerator.take` is called. ``rise`` (H, low): one
        axis of up().
        """
        check_geometry("SDPCGAN", self.size, sdpc, rise.shape[1])
        with torch.device("meta"):
            G = CodeGenerator(self.z_dim, self.width, sdpc, rise.shape, self.innovation)
            D = Discriminator(dcgan_down(dcgan_channels(self.width, self.size), 1, norm=None))
        drawn(G, dcgan_std, 0.02, rng)
        G.begin(rise)
        return G, spectrally_normed(drawn(D, dcgan_std, 0.02, rng), rng)

    def critic(self, rng: torch.Generator, sdpc: SDPC) -> nn.Module:
        """The critic of :meth:`CodeGenerator.codes`: (B, K2 + 3, h, h) -> logits (B,)."""
        w, upper = 4 * self.width, sdpc.layers[1]
        layers: list[nn.Module] = [
            nn.Conv2d(upper.atoms + LOW_CHANNELS, w, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
        for _ in range(int(math.log2(code_side(sdpc))) - 2):
            layers += [nn.Conv2d(w, 2 * w, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE, True)]
            w *= 2
        with torch.device("meta"):
            D = Discriminator([*layers, nn.Conv2d(w, 1, 4)])
        return spectrally_normed(drawn(D, dcgan_std, 0.02, rng), rng)


@dataclass(frozen=True)
class SDPCCritic:
    """DCGAN's G against a critic that sees an image only through its inferred codes.

    D: the image is split into its low-pass and its band. The band is divided by the mean standard
    deviation of the bands of training images; if it were divided by its own, its contrast would be
    lost. Inference starts at g_i = relu((D_i g_{i-1} - lambda_i) / L_i) and takes ``steps`` plain
    proximal steps with feedback ``k_fb`` (:func:`bascule.sdpc.model.unrolled`). The features are e1
    = x - D1^T g1, g1, e2 = g1 - D2^T g2 / v1, g2 and ``CLEAR`` times the low-pass, all in units of
    pixels. A fixed random 1x1 convolution mixes each of them to ``width`` channels, and each has a
    small head of its own: strided 4x4 convolutions with spectral normalisation. Each head has its
    own loss (Sauer et al. 2021), so that none can dominate the others; the logit of an image is the
    mean over heads. Dictionaries and mixing are not trained with the GAN. If all features had the
    same root mean square, details would weigh so much more than colours that G would draw one face
    for every z (docs/hybrids.md).

    ``steps=0``: one pass through the dictionaries without feedback, all else equal.
    """

    width: int = 32
    z_dim: int = 100
    size: int = 64
    steps: int = 3
    k_fb: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts("SDPCCritic", width=self.width, z_dim=self.z_dim)
        check_size("SDPCCritic", self.size, 32, 64)
        if self.steps < 0 or not 0 <= self.k_fb < math.inf:
            raise UserError(
                f"SDPCCritic(steps={self.steps}, k_fb={self.k_fb:g}): expected numbers >= 0"
            )

    def players(
        self, rng: torch.Generator, sdpc: SDPC, rise: Tensor, network: Network
    ) -> tuple[nn.Module, CodeJudge]:
        """(G, D), with all weights drawn from ``rng``.

        D uses the current dictionaries of ``network``, which is not one of its submodules.
        """
        check_geometry("SDPCCritic", self.size, sdpc, rise.shape[1])
        with torch.device("meta"):
            G = Generator(dcgan_up(self.z_dim, dcgan_channels(self.width, self.size)[::-1]))
            D = CodeJudge(self.width, sdpc, rise.shape)
        drawn(G, dcgan_std, 0.02, rng)
        drawn(D, dcgan_std, 0.02, rng)
        D.begin(rng, rise)
        D.sight = Sight(network, Inference(k_fb=self.k_fb), self.steps)
        return G, spectrally_normed(D, rng)  # type: ignore[return-value]


def check_geometry(name: str, size: int, sdpc: SDPC, low: int) -> None:
    """Raises :class:`UserError` if ``sdpc`` does not fit a hybrid of ``size`` px."""
    told = f"{name} on {len(sdpc.layers)} layers of dictionaries for {sdpc.size} px"
    if len(sdpc.layers) != 2 or sdpc.size != size or sdpc.channels != 3:
        raise UserError(
            f"{told} and {sdpc.channels} channels: expected 2, {size} px and 3 channels"
        )
    lower, upper = sdpc.layers
    below, side = lower.side(size), code_side(sdpc)
    if side < 4 or side & (side - 1):  # not a power of 2
        raise UserError(f"{told}: codes of layer 2 are {side}x{side}; expected 4, 8, 16 or so")
    if below * lower.stride != size or side * upper.stride != below or upper.stride % 2:
        raise UserError(
            f"{told}: codes are {below}x{below} and {side}x{side}; expected the input's side "
            "divided by the strides, with an even second stride: change the padding"
        )
    if low != side:
        raise UserError(
            f"{told}: a low-pass of {low}x{low} cells and codes of {side}x{side}; expected "
            f"the same: set Bands(low={side})"
        )


def code_side(sdpc: SDPC) -> int:
    """The side of the codes of layer 2."""
    return sdpc.layers[1].side(sdpc.layers[0].side(sdpc.size))


class CodeGenerator(nn.Module):
    """z: (B, z_dim) -> x: (B, 3, H, W) about [-1, 1], through codes; see :class:`SDPCGAN`."""

    def __init__(
        self, z_dim: int, width: int, sdpc: SDPC, rise: torch.Size, innovation: bool = True
    ) -> None:
        super().__init__()
        self.sdpc = sdpc
        lower, upper = sdpc.layers
        w = 4 * width
        # As if the next layer were an image with w channels
        channels = dcgan_channels(w, code_side(sdpc) * 2)
        self.trunk = nn.Sequential(*dcgan_up(z_dim, channels[::-1])[:-2])
        self.to_codes = nn.Sequential(
            nn.Conv2d(w, upper.atoms, 3, padding=1, bias=False), nn.BatchNorm2d(upper.atoms)
        )
        self.to_low = nn.Conv2d(w, LOW_CHANNELS, 3, padding=1)
        s = upper.stride
        self.innovation = (
            nn.ConvTranspose2d(w, lower.atoms, 2 * s, stride=s, padding=s // 2)
            if innovation
            else None
        )
        self.dictionaries = nn.ParameterList(
            nn.Parameter(torch.zeros(layer.atoms, below, layer.kernel, layer.kernel))
            for layer, below in zip(sdpc.layers, (3, lower.atoms), strict=True)
        )
        self.gain: Tensor  # v1
        self.rise: Tensor
        self.scale: Tensor  # of codes: the critic's input codes are divided by it
        self.register_buffer("gain", torch.ones(1, lower.atoms, 1, 1))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("rise", torch.zeros(rise))  # one axis of up()
        self.last: dict[str, Tensor] = {}  # g2, expected, u, g1 of the last images

    @torch.no_grad()
    def begin(self, rise: Tensor) -> None:
        """Set initial values after the weights are drawn: few active codes, u = 0, no atoms."""
        cast(nn.BatchNorm2d, self.to_codes[1]).bias.fill_(QUIET)
        if self.innovation is not None:
            self.innovation.weight.zero_()
        for D in self.dictionaries:
            D.zero_()
        self.gain.fill_(1.0)
        self.scale.fill_(1.0)
        self.rise.copy_(rise)

    @torch.no_grad()
    def take(self, network: Network) -> None:
        """Copy the dictionaries of ``network`` and the gain between its layers."""
        for mine, theirs in zip(self.dictionaries, network.dictionaries, strict=True):
            mine.copy_(theirs)
        self.gain.copy_(network.gain(1))

    def codes(self, z: Tensor) -> Tensor:
        """The input of the critic of codes, (B, K2 + 3, h, h): g2 / ``scale``, then LOUD * low."""
        g2, low = self._codes(self.trunk(z))
        return torch.cat([g2, LOUD * low], 1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.trunk(z)
        g2, low = self._codes(h)
        u = None if self.innovation is None else self.innovation(h)
        return self.decode(g2 * self.scale, low, u)

    def _codes(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return PEAK * rectified(self.to_codes(h)), self.to_low(h).tanh()

    def decode(self, g2: Tensor, low: Tensor, u: Tensor | None = None) -> Tensor:
        """Images (B, 3, H, W) from codes g2, a low-pass and innovation u.

        Shapes: g2 (B, K2, h, h), low (B, 3, low, low), u (B, K1, h1, h1) or None for 0.
        """
        expected = self.synthesis(1, g2) / self.gain
        g1 = (expected if u is None else expected + u).relu()
        self.last = {"g2": g2, "expected": expected, "g1": g1}
        if u is not None:
            self.last["u"] = u
        band = self.synthesis(0, g1)
        return self.rise @ low @ self.rise.mT + band

    def synthesis(self, i: int, g: Tensor) -> Tensor:
        """D_i^T g with G's dictionary of layer ``i``, counted from 0; differentiable."""
        layer, side = self.sdpc.layers[i], self.sdpc.size
        if i:
            side = self.sdpc.layers[0].side(side)
        operator = Operator(self.dictionaries[i], layer.stride, layer.padding, (side, side))
        return operator.unfolded(operator.synthesis(g))

    def innovated(self) -> Tensor:
        """The share of the energy of g1 that comes from u in the last images: in [0, 1]."""
        owed = self.last["expected"].detach().relu()
        new = (self.last["g1"].detach() - owed).square().sum()
        return new / (new + owed.square().sum()).clamp_min(torch.finfo(new.dtype).tiny)

    @torch.no_grad()
    def normalise(self) -> None:
        """Scale all atoms to norm 1."""
        for D in self.dictionaries:
            D.copy_(unit_norm(D))


def rectified(a: Tensor) -> Tensor:
    """relu(a), with the gradient ``LEAK`` below 0."""
    leaky = F.leaky_relu(a, LEAK)
    return leaky + (a.relu() - leaky).detach()


class CodesOf(nn.Module):
    """G for the training on codes: z -> codes."""

    def __init__(self, G: CodeGenerator) -> None:
        super().__init__()
        self.G = G

    def forward(self, z: Tensor) -> Tensor:
        return self.G.codes(z)


def split(x: Tensor, rise: Tensor) -> tuple[Tensor, Tensor]:
    """The low-pass (B, 3, low, low) of x (B, 3, H, H) and the band above it, (B, 3, H, H)."""
    low = F.avg_pool2d(x, len(rise) // rise.shape[1])
    return low, x - rise @ low @ rise.mT


@dataclass
class Sight:
    """The inference of a critic: its network, its settings and its number of steps."""

    network: Network
    how: Inference
    steps: int

    def features(
        self, x: Tensor, rise: Tensor, deviation: Tensor, rates: Sequence[float]
    ) -> list[Tensor]:
        """low (B, 3, low, low), e1 (B, 3, H, W), g1 and e2 (B, K1, h1, h1), g2 (B, K2, h, h).

        All are in units of pixels in [-1, 1]. ``rise`` (H, low): one axis of up(). ``deviation``:
        the band is divided by it during inference. ``rates``: step sizes.
        """
        low, band = split(x.float(), rise)
        how = self.how.replace(step_sizes=tuple(rates))
        g, e = unrolled(self.network, band / deviation, how, self.steps)
        return [low, *(deviation * part for part in (e[0], g[0], e[1], g[1]))]


class CodeJudge(nn.Module):
    """x: (B, 3, H, W) -> logits of each head (B, 5) in training mode, else their mean (B,).

    The heads see codes and residuals: see :class:`SDPCCritic`.
    """

    sight: Sight  # not a submodule: the network belongs to the Game

    def __init__(self, width: int, sdpc: SDPC, rise: torch.Size) -> None:
        super().__init__()
        lower, upper = sdpc.layers
        self.fold = lower.stride  # e1 is folded to the grid of g1
        below, side = lower.side(sdpc.size), code_side(sdpc)
        shapes = [
            (LOW_CHANNELS, rise[1]),
            (LOW_CHANNELS * self.fold**2, below),
            (lower.atoms, below),
            (lower.atoms, below),
            (upper.atoms, side),
        ]
        self.heads = nn.ModuleList(_head(width, side) for _, side in shapes)
        for i, (channels, _) in enumerate(shapes):
            self.register_buffer(f"mixing_{i}", torch.zeros(width, channels, 1, 1))
        self.rise: Tensor
        self.deviation: Tensor  # of bands
        self.rates: Tensor  # step sizes of inference
        self.register_buffer("rise", torch.zeros(rise))
        self.register_buffer("deviation", torch.ones(()))
        self.register_buffer("rates", torch.ones(2, dtype=torch.double))

    def begin(self, rng: torch.Generator, rise: Tensor) -> None:
        """Draw the mixing from ``rng``, N(0, 1 / channels), after the weights were drawn."""
        for i in range(len(self.heads)):
            mixing = self.get_buffer(f"mixing_{i}")
            mixing.normal_(0.0, mixing.shape[1] ** -0.5, generator=rng)
        self.deviation.fill_(1.0)
        self.rates.fill_(1e-2)
        self.rise.copy_(rise)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.sight.features(x, self.rise, self.deviation, self.rates.tolist())
        seen[0] = CLEAR * seen[0]
        seen[1] = F.pixel_unshuffle(seen[1], self.fold)
        logits = [
            head(F.conv2d(maps, self.get_buffer(f"mixing_{i}"))).reshape(len(x))
            for i, (head, maps) in enumerate(zip(self.heads, seen, strict=True))
        ]
        each = torch.stack(logits, 1)
        return each if self.training else each.mean(1)

    @torch.no_grad()
    def measure(self, batches: Sequence[Tensor]) -> None:
        """Fix the step sizes of inference and the divisor of bands.

        Call it once the dictionaries are learnt. The divisor is the mean standard deviation of
        the bands of ``batches``, images (B, 3, H, W).
        """
        sight, side = self.sight, batches[0].shape[-1]
        self.rates.copy_(torch.tensor(step_sizes(sight.network, (side, side), sight.how)))
        bands = [split(x.float(), self.rise)[1].flatten(1).std(1) for x in batches]
        self.deviation.copy_(torch.cat(bands).mean().clamp_min(1e-3))


def _head(width: int, side: int) -> nn.Sequential:
    """(B, width, side, side) -> (B, 1, 1, 1)."""
    layers: list[nn.Module] = [nn.LeakyReLU(SLOPE)]
    for _ in range(int(math.log2(side)) - 2):
        layers += [nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE, True)]
        width *= 2
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 4))

"""BigGAN and BigGAN-deep: one class embedding for all norms, and z as input of every block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, repeat

import torch
from torch import Tensor, nn

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.models.layers import (
    DownBlock,
    Norm,
    ResNetD,
    ResNetG,
    SelfAttention,
    check_classes,
    check_counts,
    check_size,
    norm_of_vectors,
    orthogonal,
    resnet_channels_D,
    spectrally_normed,
    up_blocks,
)
from bascule.models.model import Shaped
from bascule.models.resampling import doubled

_SIZES = (32, 64, 128, 256)
_EPS = 1e-6  # of spectral normalisation in both variants


@dataclass(frozen=True)
class BigGAN(Shaped):
    """The networks of Brock, Donahue and Simonyan, 2019 (arXiv 1809.11096, appendix B, figure 15).

    z is cut into equal chunks, one for the 4x4 grid and one for each block. The gains and biases of
    a block's norms are linear in its chunk and in an embedding of the label, which all blocks
    share. Without ``classes`` they are linear in the chunk alone (as in StudioGAN), and D has no
    projection.

    width    "ch" of the paper, 64 to 128 there
    z_dim    dimension of the latents, a multiple of the number of chunks
    size     32, 64, 128 or 256 px
    classes  number of labels; 0: unconditional
    shared   dimension of the label embedding; not used without ``classes``

    Size 128 is the paper's: G has 16, 16, 8, 4, 2 and 1 * ``width`` channels; D has 1, 2, 4, 8, 16
    and 16 * ``width``, and its last block keeps the 4x4 grid. Both have self-attention at half the
    image's side. Size 256 is the paper's too: one block more, of 8 * ``width``, in each, and
    attention at a quarter of the side. Size 64: one block less in each, with attention at 32x32; G
    ends with 2 * ``width`` channels. Size 32: 4 * ``width`` channels everywhere and no attention,
    as in the authors' program for CIFAR-10.

    All convolutions and linear layers have spectral normalisation, also the linear maps to gains
    and biases and D's embedding, but not G's embedding. Initial weights are orthogonal.
    """

    width: int = 8
    z_dim: int = 100
    size: int = 64
    classes: int = 0
    shared: int = 128

    def __post_init__(self) -> None:
        check_fields(self)
        _check(self)
        chunks = len(_channels_G(self.width, self.size))
        if self.z_dim % chunks:
            said = f"expected a multiple of {chunks}, the number of its chunks at size {self.size}"
            raise UserError(f"BigGAN(z_dim={self.z_dim}): {said}")

    def resized(self, size: int) -> BigGAN:
        """This model for another size, with chunks of z as large as they are."""
        check_size("BigGAN", size, *_SIZES)
        chunk = self.z_dim // len(_channels_G(self.width, self.size))
        return replace(
            self, size=size, sides=None, z_dim=chunk * len(_channels_G(self.width, size))
        )

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):
            G, D = self._generator(), self._discriminator()
        return _begun(G, D, rng)

    def _generator(self) -> HierarchicalG:
        channels = _channels_G(self.width, self.size)
        chunk = self.z_dim // len(channels)
        blocks = up_blocks(channels, norm_of_vectors(chunk + _embedded(self)))
        if self.size > 32:
            last = 2 if self.size == 256 else 1  # blocks after it
            blocks.insert(-last, SelfAttention(channels[-1 - last]))
        return HierarchicalG(self, chunk, channels, blocks)

    def _discriminator(self) -> ResNetD:
        channels, downs = _channels_D(self)
        blocks: list[nn.Module] = [DownBlock(self.channels, channels[0], first=True)]
        for place, (before, after) in enumerate(pairwise(channels), start=2):
            blocks.append(DownBlock(before, after, down=place <= downs))
        if self.size > 32:
            place = 2 if self.size == 256 else 1
            blocks.insert(place, SelfAttention(channels[place - 1]))
        return ResNetD(blocks, channels[-1], self.classes)


@dataclass(frozen=True)
class BigGANDeep(Shaped):
    """BigGAN-deep of the same paper (figure 16, tables 7 to 9): two blocks at each resolution.

    Blocks are bottlenecks with a quarter of their channels inside. Where G's channels decrease, the
    skip path drops the last ones. Where D's channels increase, the skip path adds new ones by a 1x1
    convolution. Every norm and the 4x4 grid get the whole z and the label's embedding.

    Fields, conditions, normalisation and initial weights are those of :class:`BigGAN`; attention is
    at half the image's side, or a quarter of 256 px. Sizes 128 and 256 are the paper's; size 64 has
    one resolution less.
    Size 32 is not in the paper: 4 * ``width`` channels everywhere, no attention, and D halves the
    side twice.
    """

    width: int = 16
    z_dim: int = 128
    size: int = 64
    classes: int = 0
    shared: int = 128

    def __post_init__(self) -> None:
        check_fields(self)
        _check(self)

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) on the device of ``rng``; all weights are drawn from ``rng``."""
        with torch.device("meta"):
            G, D = self._generator(), self._discriminator()
        return _begun(G, D, rng)

    def _generator(self) -> WholeG:
        channels = _channels_G(self.width, self.size)
        told = self.z_dim + _embedded(self)
        norm = norm_of_vectors(told)
        blocks: list[nn.Module] = []
        for before, after in pairwise(channels):
            blocks += [DeepG(before, before, norm), DeepG(before, after, norm, up=True)]
        if self.size > 32:
            last = 2 if self.size == 256 else 1  # pairs of blocks after it
            blocks.insert(-2 * last, SelfAttention(channels[-1 - last]))
        return WholeG(self, told, channels, blocks)

    def _discriminator(self) -> ResNetD:
        channels, downs = _channels_D(self)
        blocks: list[nn.Module] = [nn.Conv2d(self.channels, channels[0], 3, padding=1)]
        for place, (before, after) in enumerate(pairwise(channels), start=1):
            blocks += [DeepD(before, after, down=place <= downs), DeepD(after, after)]
        if self.size > 32:
            place = 2 if self.size == 256 else 1
            blocks.insert(1 + 2 * place, SelfAttention(channels[place]))
        return ResNetD(blocks, channels[-1], self.classes)


class LabelledG(ResNetG):
    """A residual G with one label embedding for all its blocks; none if there are no labels."""

    def __init__(
        self,
        model: BigGAN | BigGANDeep,
        features: int,
        channels: list[int],
        blocks: list[nn.Module],
    ) -> None:
        super().__init__(features, channels, blocks, model.first_grid, model.channels)
        self.shared = nn.Embedding(model.classes, model.shared) if model.classes else None

    def told(self, z: Tensor, y: Tensor | None) -> Tensor:
        """z, or a chunk of it, concatenated with the label's embedding."""
        return z if self.shared is None else torch.cat([z, self.shared(y)], 1)


class HierarchicalG(LabelledG):
    """z: (B, z_dim) [, labels y: (B,)] -> x: (B, 3, H, W) in [-1, 1]; one chunk of z per block."""

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        first, *chunks = z.split(self.stem.in_features, dim=1)
        return self.image(first, [self.told(chunk, y) for chunk in chunks])


class WholeG(LabelledG):
    """z: (B, z_dim) [, labels y: (B,)] -> x: (B, 3, H, W) in [-1, 1]; every block gets all of z."""

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        told = self.told(z, y)
        return self.image(told, repeat(told))


class DeepG(nn.Module):
    """Bottleneck block of G: (B, before, H, W) -> (B, after, H, W), or twice the side with ``up``.

    Four times norm, ReLU and a convolution, with kernels of 1, 3, 3 and 1 pixels; upsampling comes
    before the first 3x3 convolution. The skip path keeps the first ``after`` channels.
    """

    def __init__(self, before: int, after: int, norm: Norm, up: bool = False) -> None:
        super().__init__()
        self.after, self.up = after, up
        hidden = max(1, before // 4)
        self.norms = nn.ModuleList(norm(channels) for channels in (before, hidden, hidden, hidden))
        self.convs = nn.ModuleList(_bottleneck(before, hidden, after))

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        h = x
        for place, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            h = norm(h, given).relu()
            h = conv(doubled(h) if self.up and place == 1 else h)
        kept = x[:, : self.after]
        return h + (doubled(kept) if self.up else kept)


class DeepD(nn.Module):
    """Bottleneck block of D: (B, before, H, W) -> (B, after, H, W), half the side with ``down``.

    Four times ReLU and a convolution, with kernels of 1, 3, 3 and 1 pixels; average pooling comes
    before the last. The skip path has the same pooling, and a 1x1 convolution adds channels to it.
    """

    def __init__(self, before: int, after: int, down: bool = False) -> None:
        super().__init__()
        *convs, last = _bottleneck(before, max(1, after // 4), after)
        self.pool = nn.AvgPool2d(2) if down else nn.Identity()
        body = [layer for conv in convs for layer in (nn.ReLU(), conv)]
        self.main = nn.Sequential(*body, nn.ReLU(), self.pool, last)
        self.added = nn.Conv2d(before, after - before, 1) if after > before else None

    def forward(self, x: Tensor) -> Tensor:
        skip: Tensor = self.pool(x)
        if self.added is not None:
            skip = torch.cat([skip, self.added(skip)], 1)
        h: Tensor = self.main(x)
        return h + skip


def _bottleneck(before: int, hidden: int, after: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, hidden, 1),
        nn.Conv2d(hidden, hidden, 3, padding=1),
        nn.Conv2d(hidden, hidden, 3, padding=1),
        nn.Conv2d(hidden, after, 1),
    ]


def _begun(G: nn.Module, D: nn.Module, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
    orthogonal(G, rng)
    orthogonal(D, rng)
    return (
        spectrally_normed(G, rng, eps=_EPS),
        spectrally_normed(D, rng, embeddings=True, eps=_EPS),
    )


def _channels_G(w: int, size: int) -> list[int]:
    """Channels of every grid of G, from 4x4 to the image."""
    if size == 32:
        return [4 * w] * 4
    if size == 256:
        return [w * n for n in (16, 16, 8, 8, 4, 2, 1)]
    return [16 * w, 16 * w, 8 * w, 4 * w, 2 * w, *([w] if size == 128 else [])]


def _channels_D(model: BigGAN | BigGANDeep) -> tuple[list[int], int]:
    """Channels of D, from the image to the last grid, and how many times the side is halved."""
    w = model.width
    if model.size == 32:
        return [4 * w] * 4, 2
    if model.size == 256:
        return [w * n for n in (1, 2, 4, 8, 8, 16, 16)], 6
    return resnet_channels_D(w, model.size), 5 if model.size == 128 else 4


def _embedded(model: BigGAN | BigGANDeep) -> int:
    """How many dimensions the label's embedding adds to z."""
    return model.shared if model.classes else 0


def _check(model: BigGAN | BigGANDeep) -> None:
    owner = type(model).__name__
    check_counts(owner, width=model.width, z_dim=model.z_dim, shared=model.shared)
    check_classes(owner, model.classes)
    model.check_shape(*_SIZES)

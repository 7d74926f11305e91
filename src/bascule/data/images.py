"""An image set: prepared pixels, the held-out split, and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bascule.core import html
from bascule.core.errors import UserError, unknown
from bascule.core.shapes import MODES, Shape
from bascule.data.batches import as_float
from bascule.data.grid import grid
from bascule.data.items import read_items
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups

Split = Literal["train", "held_out", "all"]
Progress = Callable[[int, int], None]  # (images done, images in all)
PIECE = 4096  # images that are sent to a device at once
SHOWN = 16  # images that a set shows of itself in a notebook
DOMAIN = "domain"  # the label in a set of two domains that names the domain, "a" or "b"


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images of one shape, in memory or memory-mapped; never written to.

    name      shown to users
    pixels    uint8 (N, C, H, W) in [0, 255], C-contiguous, usually a read-only memory map; C is 3
              (RGB), 1 (grey) or 4 (RGBA)
    held_out  bool (N,), the images that training never sees; no training image is a near duplicate
              of one, unless the split was given with the set
    labels    exact labels by name, each (N,), text or float; empty if nothing is known
    digest    sha256 (hex) of the pixels and their shape; equal digests mean equal pixels
    credit    licence and credit lines that must accompany every picture of the set
    split     which images are held out: "" for those that the set holds out by itself, or the name
              of another choice, such as "seed 3"; equal digests and splits mean equal sets
    """

    name: str
    pixels: np.ndarray
    held_out: np.ndarray
    labels: dict[str, np.ndarray]
    digest: str
    credit: str
    split: str = ""

    def __post_init__(self) -> None:
        shape, n = self.pixels.shape, len(self.pixels)
        if self.pixels.dtype != np.uint8 or len(shape) != 4 or shape[1] not in MODES.values():
            raise UserError(
                f"images of {self.name!r}: expected uint8 (N, 3 | 1 | 4, H, W), "
                f"got {self.pixels.dtype} {shape}"
            )
        wrong = [name for name, values in self.labels.items() if values.shape != (n,)]
        if self.held_out.shape != (n,) or self.held_out.dtype != np.bool_ or wrong:
            raise UserError(
                f"image set {self.name!r}: the held-out mask (bool) and every label must have "
                f"shape ({n},); wrong: {', '.join(wrong) or 'held_out'}"
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """The shorter side of the images in pixels."""
        return self.shape.size

    @property
    def shape(self) -> Shape:
        """Channels, height and width of an image."""
        return Shape(*map(int, self.pixels.shape[1:]))

    def indices(self, split: Split = "train") -> np.ndarray:
        """Indices (int64, ascending) of the images of ``split``: "train", "held_out" or "all"."""
        if split == "all":
            return np.arange(len(self))
        if split not in ("train", "held_out"):
            raise unknown("split", split, ("train", "held_out", "all"))
        return np.flatnonzero(self.held_out == (split == "held_out"))

    def subset(self, split: Split = "train") -> ImageSubset:
        """The images of ``split`` as tensors, read where they are asked for."""
        return ImageSubset(self.pixels, self.indices(split))

    def __repr__(self) -> str:
        pixels = " x ".join(map(str, self.pixels.shape[1:]))
        held_out = f"{int(self.held_out.sum()):,} held out"
        return f"<{self.name}: {len(self):,} images of {pixels}, {held_out}>"

    def _repr_html_(self) -> str:
        """Some of its training images, for a notebook; first what it is, and its credit last."""
        of = self.indices("train")[:SHOWN]
        told = f"{self.name}: {len(self):,} images of {self.size} px"
        split = f"{int(self.held_out.sum()):,} of them held out"
        labels = f"labels: {', '.join(self.labels)}" if self.labels else ""
        shown = grid(torch.from_numpy(np.array(self.pixels[of])), 8)
        return (
            html.heading(f"{told}, {split}")
            + html.picture(shown, f"the first {len(of)} training images of {self.name}")
            + html.lines(labels, *self.credit.splitlines())
        )

    def as_dataset(self, split: Split = "train") -> Dataset[torch.Tensor]:
        """The images of ``split`` as a PyTorch dataset of float32 (C, H, W) in [-1, 1]."""
        return _Pictures(self.pixels, self.indices(split))


class ImageSubset:
    """Some images of a set, in order. They stay where they are, such as on disk.

    Like a tensor uint8 (N, C, H, W) on the CPU it has a length, and ``subset[places]`` gives copies
    of some of them as a tensor (B, C, H, W); ``places``: int64 (B,), or a slice.
    """

    device = torch.device("cpu")

    def __init__(self, pixels: np.ndarray, indices: np.ndarray) -> None:
        self.pixels, self.indices = np.asarray(pixels), indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, places: Tensor | slice) -> Tensor:
        chosen = self.indices[places.numpy() if isinstance(places, Tensor) else places]
        return torch.from_numpy(self.pixels[chosen])

    @cached_property
    def whole(self) -> Tensor:
        """All of them in memory, uint8 (N, C, H, W)."""
        return self[:]

    def to(self, device: torch.device) -> Tensor | ImageSubset:
        """A tensor of all of them on another device; on the CPU they stay where they are."""
        if device.type == "cpu":
            return self
        found = torch.empty((len(self), *self.pixels.shape[1:]), dtype=torch.uint8, device=device)
        for start in range(0, len(self), PIECE):
            found[start : start + PIECE] = self[start : start + PIECE]
        return found


class _Pictures(Dataset[torch.Tensor]):
    def __init__(self, pixels: np.ndarray, indices: np.ndarray) -> None:
        self.pixels, self.indices = pixels, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> torch.Tensor:
        # np.array copies, because a tensor must not share a read-only memory map.
        return as_float(torch.from_numpy(np.array(self.pixels[self.indices[position]])))


def digest_of(chunks: Iterable[np.ndarray], shape: tuple[int, ...]) -> str:
    """sha256 (hex) of an array (N, C, H, W), given as C-ordered uint8 ``chunks``, and its shape."""
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(np.ascontiguousarray(chunk).data)
    sha.update(repr(tuple(int(side) for side in shape)).encode())
    return sha.hexdigest()


def in_chunks(pixels: np.ndarray, length: int = 1024) -> Iterable[np.ndarray]:
    """``pixels`` in consecutive pieces, so that a memory map is never loaded completely."""
    return (pixels[start : start + length] for start in range(0, len(pixels), length))


def credits_of(credits: Iterable[str]) -> str:
    """The credits of several sets as one text, without repetitions and empty lines."""
    return "\n".join(dict.fromkeys(filter(None, credits)))


def from_dataset(name: str, dataset: Any, credit: str = "") -> ImageSet:
    """An image set from any map-style dataset of PyTorch or Hugging Face.

    Items are as in :mod:`bascule.data.items`; all images must be square and have the same size.
    Raises UserError as :func:`bascule.data.items.read_items`.
    """
    read = read_items(name, dataset)
    return ImageSet(
        name=name,
        pixels=read.pixels,
        held_out=held_out_split(near_duplicate_groups(read.pixels)),
        labels=read.labels,
        digest=digest_of(in_chunks(read.pixels), read.pixels.shape),
        credit=credit,
    )

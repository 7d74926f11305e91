"""An image set: prepared pixels, the held-out split, and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from bascule.core import html
from bascule.core.errors import UserError, unknown
from bascule.core.shapes import MODES, Shape
from bascule.data.batches import as_float
from bascule.data.grid import grid
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups

Split = Literal["train", "held_out", "all"]
Progress = Callable[[int, int], None]  # (images done, images in all)
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
    """An image set from any map-style PyTorch dataset of images, or of (image, label) tuples.

    An image is a PIL picture, a uint8 tensor in [0, 255] or a float tensor, of shape
    (1 | 3, H, W) or (H, W). An array may also be (H, W, 1 | 3). Grey is copied to the three
    channels. All images must be square and have the same size.

    The range of floats is decided for the whole set: [-1, 1] if any value is negative, otherwise
    [0, 1]. Labels become the label ``"label"``: floats stay floats, everything else becomes text.
    Raises UserError for fewer than 2 images, other shapes, and values outside the range.
    """
    pixels, labels = read_dataset(name, dataset)
    return ImageSet(
        name=name,
        pixels=pixels,
        held_out=held_out_split(near_duplicate_groups(pixels)),
        labels=labels,
        digest=digest_of(in_chunks(pixels), pixels.shape),
        credit=credit,
    )


def read_dataset(
    name: str, dataset: Any, progress: Progress | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The pixels, uint8 (N, 3, H, H), and the labels of a dataset; as :func:`from_dataset`."""
    n = len(dataset)
    if n < 2:
        raise UserError(f"dataset {name!r} has {n} images: expected at least 2")
    pictures: list[np.ndarray] = []
    labels: list[Any] = []
    for position in range(n):
        item = dataset[position]
        if isinstance(item, tuple | list):
            item, *rest = item
            labels += rest[:1]
        pictures.append(_picture(name, position, item))
        if pictures[-1].shape != pictures[0].shape or pictures[-1].dtype != pictures[0].dtype:
            raise UserError(
                f"dataset {name!r}: image {position} is {_told(pictures[-1])} but image 0 is "
                f"{_told(pictures[0])}; resize them to one square first"
            )
        if progress:
            progress(position + 1, n)
    if labels and len(labels) != n:
        raise UserError(
            f"dataset {name!r}: {len(labels)} of {n} items have a label; expected all or none"
        )
    pixels = _as_uint8(name, np.stack(pictures))
    return pixels, {"label": _label_array(labels)} if labels else {}


def _picture(name: str, position: int, item: Any) -> np.ndarray:
    """One item as (3, H, W), uint8 or float32."""
    if isinstance(item, np.ndarray):
        channels_last = item.ndim == 3 and item.shape[-1] in (1, 3) and item.shape[0] not in (1, 3)
        item = torch.from_numpy(np.moveaxis(item, -1, 0).copy() if channels_last else item.copy())
    if not isinstance(item, torch.Tensor):
        from bascule.data.decoding import as_rgb

        try:
            item = torch.from_numpy(np.array(as_rgb(item))).permute(2, 0, 1)
        except AttributeError:
            raise UserError(
                f"dataset {name!r}: item {position} is a {type(item).__name__}; expected a "
                "tensor, a PIL picture, or a tuple (image, label)"
            ) from None
        except ValueError as error:
            raise UserError(f"dataset {name!r}: the picture of item {position}: {error}") from None
    if item.dim() == 2:
        item = item[None]
    if item.dim() != 3 or item.shape[0] not in (1, 3) or item.shape[1] != item.shape[2]:
        raise UserError(
            f"dataset {name!r}: image {position} has shape {tuple(item.shape)}; expected a square "
            "(3, H, H), (1, H, H) or (H, H)"
        )
    if item.dtype != torch.uint8 and not item.is_floating_point():
        raise UserError(f"dataset {name!r}: image {position} is {item.dtype}; use uint8 or float")
    item = item if item.dtype == torch.uint8 else item.float()
    pixels: np.ndarray = item.detach().cpu().expand(3, -1, -1).numpy()
    return pixels


def _as_uint8(name: str, pictures: np.ndarray) -> np.ndarray:
    if pictures.dtype == np.uint8:
        return pictures
    low, high = float(pictures.min()), float(pictures.max())
    if not (low >= -1.0 and high <= 1.0):  # written so that NaN is refused too
        raise UserError(
            f"dataset {name!r}: float values span [{low:g}, {high:g}]; expected [0, 1] or [-1, 1] "
            "(uint8 tensors may use [0, 255])"
        )
    unit = (pictures + 1.0) / 2.0 if low < 0.0 else pictures
    return np.rint(unit * 255.0).astype(np.uint8)


def _label_array(labels: list[Any]) -> np.ndarray:
    values = [value.item() if hasattr(value, "item") else value for value in labels]
    if all(isinstance(value, float) for value in values):
        return np.array(values, dtype=np.float64)
    return np.array([str(value) for value in values])


def _told(picture: np.ndarray) -> str:
    return f"{picture.dtype} {picture.shape}"

"""Reading the items of a map-style dataset of PyTorch or Hugging Face: pictures and labels.

An item is a picture, a tuple (picture, label), or a row, which is a dictionary: its picture is
called ``image`` or ``img``, or is its only picture, and every text or number beside it is a label.
A picture is a PIL picture, a uint8 tensor in [0, 255] or a float tensor, of shape (1 | 3, H, W) or
(H, W). An array may also be (H, W, 1 | 3). Grey is copied to the three channels.

The range of floats is decided for the whole set: [-1, 1] if any value is negative, otherwise
[0, 1]. The label of a tuple is called ``label``. Floats stay floats, everything else becomes text;
a ``ClassLabel`` of Hugging Face becomes its names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from bascule.core.errors import UserError
from bascule.data.decoding import Preparation, as_mode, as_pixels, as_rgb, decode_as

LABEL = "label"  # of a tuple
PICTURES = ("image", "img")  # columns that hold the picture, where there are several


@dataclass(frozen=True)
class Items:
    """What a dataset holds.

    pixels  uint8 (N, C, H, W)
    labels  by name, each (N,)
    digest  sha256 of the pictures in their own size, of the labels, and of how they are prepared
    """

    pixels: np.ndarray
    labels: dict[str, np.ndarray]
    digest: str


def read_items(
    name: str,
    dataset: Any,
    how: Preparation | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Items:
    """Read all items of ``dataset``, which is called ``name`` in error lines.

    how  the preparation of every picture, as in :mod:`bascule.data.decoding`; without it, all must
         be square and have the same size

    Raises UserError for fewer than 2 items, other shapes, and values outside the range.
    """
    if isinstance(dataset, Mapping):
        raise UserError(
            f"dataset {name!r} is a dictionary of datasets: give one of them, such as "
            f"dataset[{next(iter(dataset), 'train')!r}]"
        )
    n = len(dataset)
    if n < 2:
        raise UserError(f"dataset {name!r} has {n} images: expected at least 2")
    pictures: list[np.ndarray] = []
    labels: dict[str, list[Any]] = {}
    sha, shapes = hashlib.sha256(), []
    whole: tuple[Any, ...]
    for position in range(n):
        item, beside = _split(name, position, dataset[position])
        for label, value in beside.items():
            labels.setdefault(label, []).append(value)
        picture = _pixels(name, position, item, square=how is None)
        if how is not None and picture.dtype == np.uint8:
            sha.update(picture.tobytes())
            shapes.append(picture.shape)
            picture = _prepared(name, position, item, picture, how)
        pictures.append(picture)
        if picture.shape != pictures[0].shape or picture.dtype != pictures[0].dtype:
            raise UserError(
                f"dataset {name!r}: image {position} is {_told(picture)} but image 0 is "
                f"{_told(pictures[0])}; resize them to one square first"
            )
        if progress:
            progress(position + 1, n)
    pixels = _as_uint8(name, np.stack(pictures))
    if shapes:
        whole = (n, *shapes[0]) if len(set(shapes)) == 1 else tuple(shapes)
    else:
        sha.update(pixels.tobytes())
        whole = pixels.shape
        if how is not None:
            pixels = np.stack([decode_as(p.transpose(1, 2, 0), how).pixels for p in pixels])
    sha.update(repr(whole).encode())
    columns = _columns(name, n, labels, getattr(dataset, "features", None))
    digest = _with_labels(sha.hexdigest(), columns)
    if how is not None and how.said:
        digest = hashlib.sha256(f"{digest} {how.said}".encode()).hexdigest()
    return Items(pixels, columns, digest)


def _split(name: str, position: int, item: Any) -> tuple[Any, dict[str, Any]]:
    """The picture of an item, and its labels."""
    if isinstance(item, tuple | list):
        picture, *rest = item
        return picture, {LABEL: rest[0]} if rest else {}
    if not isinstance(item, Mapping):
        return item, {}
    pictures = [key for key, value in item.items() if _is_picture(value)]
    key = next((key for key in PICTURES if key in pictures), None)
    if key is None and len(pictures) != 1:
        raise UserError(
            f"dataset {name!r}: the row {position} has {len(pictures)} pictures in its columns "
            f"{', '.join(map(str, item))}; expected one, or a column image"
        )
    beside = {k: v for k, v in item.items() if isinstance(v, str | bool | int | float)}
    return item[key or pictures[0]], beside


def _is_picture(value: Any) -> bool:
    return isinstance(value, Image.Image) or (hasattr(value, "shape") and len(value.shape) >= 2)


def _pixels(name: str, position: int, item: Any, square: bool) -> np.ndarray:
    """A picture as (3, H, W), uint8 or float32."""
    if isinstance(item, np.ndarray):
        channels_last = item.ndim == 3 and item.shape[-1] in (1, 3) and item.shape[0] not in (1, 3)
        item = torch.from_numpy(np.moveaxis(item, -1, 0).copy() if channels_last else item.copy())
    if not isinstance(item, torch.Tensor):
        try:
            item = torch.from_numpy(np.array(as_rgb(item))).permute(2, 0, 1)
        except AttributeError:
            raise UserError(
                f"dataset {name!r}: item {position} is a {type(item).__name__}; expected a "
                "tensor, a PIL picture, a tuple (image, label), or a row with a picture"
            ) from None
        except ValueError as error:
            raise UserError(f"dataset {name!r}: the picture of item {position}: {error}") from None
    if item.dim() == 2:
        item = item[None]
    known = item.dim() == 3 and item.shape[0] in (1, 3)
    if not known or (square and item.shape[1] != item.shape[2]):
        raise UserError(
            f"dataset {name!r}: image {position} has shape {tuple(item.shape)}; expected a "
            f"{'square ' if square else ''}(3, H, W), (1, H, W) or (H, W)"
        )
    if item.dtype != torch.uint8 and not item.is_floating_point():
        raise UserError(f"dataset {name!r}: image {position} is {item.dtype}; use uint8 or float")
    item = item if item.dtype == torch.uint8 else item.float()
    pixels: np.ndarray = item.detach().cpu().expand(3, -1, -1).numpy()
    return pixels


def _prepared(
    name: str, position: int, item: Any, pixels: np.ndarray, how: Preparation
) -> np.ndarray:
    """A picture in the shape of the set; ``pixels``: the whole of it, as RGB."""
    try:
        if isinstance(item, Image.Image):
            return as_pixels(how(as_mode(item, how.shape.channels, how.bits)))
        return decode_as(np.ascontiguousarray(pixels.transpose(1, 2, 0)), how).pixels
    except ValueError as error:
        raise UserError(f"dataset {name!r}: the picture of item {position}: {error}") from None


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


def _columns(
    name: str, n: int, labels: dict[str, list[Any]], features: Any
) -> dict[str, np.ndarray]:
    """The labels as arrays. ``features``: what Hugging Face says of the columns."""
    columns = {}
    for label, values in labels.items():
        if len(values) != n:
            raise UserError(
                f"dataset {name!r}: {len(values)} of {n} items have a label {label!r}; expected "
                "all or none"
            )
        names = getattr(features.get(label), "names", None) if hasattr(features, "get") else None
        columns[label] = _label_array([names[v] for v in values] if names else values)
    return columns


def _label_array(labels: list[Any]) -> np.ndarray:
    values = [value.item() if hasattr(value, "item") else value for value in labels]
    if all(isinstance(value, float) for value in values):
        return np.array(values, dtype=np.float64)
    return np.array([str(value) for value in values])


def _with_labels(digest: str, labels: dict[str, np.ndarray]) -> str:
    if not labels:
        return digest
    told: Any = {name: values.tolist() for name, values in sorted(labels.items())}
    told = told[LABEL] if [*told] == [LABEL] else told
    return hashlib.sha256(f"{digest} {told}".encode()).hexdigest()


def _told(picture: np.ndarray) -> str:
    return f"{picture.dtype} {picture.shape}"

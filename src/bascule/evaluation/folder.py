"""Fakes from a folder of images, which are used unchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bascule.core.errors import UserError
from bascule.data.decoding import NotAPicture, opened
from bascule.data.images import Progress
from bascule.data.sources import open_source


def pictures_in(path: Path, progress: Progress | None = None) -> np.ndarray:
    """The images of a folder or .zip, ordered by name: uint8 RGB (N, 3, H, H).

    Nothing is resized, cropped or converted, because this would change the metrics more than a
    better G would. Files that are not pictures, neither by name nor by content, are skipped. Raises
    :class:`UserError` for a folder without pictures, pictures of different sizes, and pictures that
    are not square or not 8-bit RGB.
    """
    pictures: list[np.ndarray] = []
    first = ""
    with open_source(path) as found:
        for done, picture in enumerate(found, 1):
            try:
                pixels = picture.prepared(_exact)
                if pictures:
                    _expect_same(pictures[0], pixels, first)
            except NotAPicture:
                continue
            except ValueError as error:
                raise UserError(
                    f"{path}: {picture.name} is {error}; expected square RGB pictures of one size, "
                    "prepared like those of the data set"
                ) from None
            first = first or picture.name
            pictures.append(pixels)
            if progress:
                progress(done, len(found))
    if not pictures:
        raise UserError(f"{path} holds no pictures: expected square RGB pictures, e.g. PNG")
    return np.stack(pictures)


def _exact(stored: bytes | np.ndarray) -> np.ndarray:
    if not isinstance(stored, bytes):
        raise ValueError("an array")
    try:
        with opened(stored) as picture:
            mode, (width, height) = picture.mode, picture.size
            if mode != "RGB":
                kinds = {"L": "grey", "RGBA": "RGBA (it has transparency)", "P": "a palette image"}
                raise ValueError(kinds.get(mode, f"of mode {mode}"))
            if width != height:
                raise ValueError(f"{width} x {height} pixels, not square")
            return np.asarray(picture).transpose(2, 0, 1)
    except ValueError:
        raise
    except Exception as error:  # decoders raise errors of any class on broken files
        raise ValueError(f"not a readable picture ({type(error).__name__})") from None


def _expect_same(first: np.ndarray, picture: np.ndarray, name: str) -> None:
    if picture.shape != first.shape:
        ours, theirs = (f"{p.shape[2]} x {p.shape[1]} pixels" for p in (picture, first))
        raise ValueError(f"{ours} and {name} is {theirs}")

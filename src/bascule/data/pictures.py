"""Reads a few pictures that a user names: one file, or a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bascule.core.errors import UserError
from bascule.data.decoding import NotAPicture, decode
from bascule.data.sources import open_source


def read_pictures(path: Path, size: int) -> tuple[list[str], np.ndarray]:
    """Names and pixels, uint8 RGB (N, 3, size, size), prepared like images of a set.

    Files that are not pictures, neither by name nor by content, are skipped. Raises
    :class:`UserError` if there is no picture, or if one cannot be read.
    """
    names, pictures = [], []
    with open_source(path, single=True) as found:
        for picture in found:
            try:
                pictures.append(picture.prepared(lambda stored: decode(stored, size)))
            except NotAPicture:
                continue
            except ValueError as error:
                raise UserError(f"{path}: {picture.name} cannot be read: {error}") from None
            names.append(picture.name)
    if not pictures:
        raise UserError(f"{path} holds no pictures: expected PNG, JPEG or WebP files")
    return names, np.stack(pictures)

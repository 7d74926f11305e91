"""Pictures of a file or a folder that a user names, as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bascule.core.errors import UserError
from bascule.core.shapes import Shape
from bascule.data.decoding import NotAPicture, Preparation, decode_as
from bascule.data.images import Progress
from bascule.data.sources import open_source


def read_pictures(
    path: Path, how: int | Shape | Preparation, progress: Progress | None = None
) -> tuple[list[str], np.ndarray]:
    """Names and pixels, uint8 (N, C, H, W), prepared like images of a set.

    ``how``: the preparation, or the shape of the set, for the default one.

    Files that are not pictures, neither by name nor by content, are skipped. Raises
    :class:`UserError` if there is no picture, or if one cannot be read.
    """
    prepare = how if isinstance(how, Preparation) else Preparation(how)
    names, pictures = [], []
    with open_source(path, single=True) as found:
        for done, picture in enumerate(found, 1):
            try:
                pictures.append(picture.prepared(lambda stored: decode_as(stored, prepare).pixels))
            except NotAPicture:
                continue
            except ValueError as error:
                raise UserError(f"{path}: {picture.name} cannot be read: {error}") from None
            names.append(picture.name)
            if progress:
                progress(done, len(found))
    if not pictures:
        raise UserError(f"{path} holds no pictures: expected PNG, JPEG or WebP files")
    return names, np.stack(pictures)

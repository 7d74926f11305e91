"""Pictures of a folder, as they are: fakes, or reals to compare them with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bascule.core.errors import UserError
from bascule.core.shapes import Shape
from bascule.data.decoding import NotAPicture, as_pixels, check_pixels, opened
from bascule.data.images import ImageSet, Progress, digest_of, in_chunks
from bascule.data.labels import labels_in, merged, of_folders
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups
from bascule.data.sources import open_source


def pictures_in(path: Path, progress: Progress | None = None) -> tuple[list[str], np.ndarray]:
    """The images of a folder or archive, ordered by name: their names, and uint8 (N, C, H, W).

    C is 3 (RGB), 1 (grey) or 4 (RGBA).

    Nothing is resized, cropped or converted, because this would change the metrics more than a
    better G would. Files that are not pictures, neither by name nor by content, are skipped. Raises
    :class:`UserError` for a folder without pictures, pictures of different shapes, and pictures in
    other modes, such as palettes.
    """
    names: list[str] = []
    pictures: list[np.ndarray] = []
    with open_source(path) as found:
        for done, picture in enumerate(found, 1):
            try:
                pixels = picture.prepared(_exact)
                if pictures:
                    _expect_same(pictures[0], pixels, names[0])
            except NotAPicture:
                continue
            except ValueError as error:
                raise UserError(
                    f"{path}: {picture.name} is {error}; expected pictures of one size and kind, "
                    "prepared like those of the data set"
                ) from None
            names.append(picture.name)
            pictures.append(pixels)
            if progress:
                progress(done, len(found))
    if not pictures:
        raise UserError(f"{path} holds no pictures: expected PNG or other lossless pictures")
    return names, np.stack(pictures)


def images_of(path: Path, names: Sequence[str], pixels: np.ndarray) -> ImageSet:
    """The pictures of ``path`` as an image set, of which a tenth is held out for the floors.

    ``names``, ``pixels``: of :func:`pictures_in` or :func:`bascule.data.pictures.read_pictures`.
    Labels are those that an import finds (:mod:`bascule.data.labels`).

    Raises UserError if all of them are near duplicates, so that none can be held out.
    """
    try:
        split = held_out_split(near_duplicate_groups(pixels))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    with open_source(path) as found:
        labels = merged([of_folders(names), *labels_in(path, found)[0]], names)
    digest = digest_of(in_chunks(pixels), pixels.shape)
    return ImageSet(path.resolve().name, pixels, split, labels, digest, "")


def _exact(stored: bytes | np.ndarray) -> np.ndarray:
    if not isinstance(stored, bytes):
        return stored[None] if stored.ndim == 2 else stored.transpose(2, 0, 1)
    try:
        with opened(stored) as picture:
            if picture.mode not in ("L", "RGB", "RGBA"):
                kinds = {"P": "a palette image"}
                raise ValueError(kinds.get(picture.mode, f"of mode {picture.mode}"))
            check_pixels(*picture.size)
            return as_pixels(picture)
    except ValueError:
        raise
    except Exception as error:  # decoders raise errors of any class on broken files
        raise ValueError(f"not a readable picture ({type(error).__name__})") from None


def _expect_same(first: np.ndarray, picture: np.ndarray, name: str) -> None:
    if picture.shape != first.shape:
        ours, theirs = (Shape(*map(int, p.shape)) for p in (picture, first))
        raise ValueError(f"{ours}, and {name} is {theirs}")

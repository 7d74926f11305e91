"""One picture of a source that is not read yet, and how much of a source is read at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeVar

import numpy as np

from bascule.data.decoding import NotAPicture

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".jp2"),
}
MOST_FILE_BYTES = 200 * 2**20
MOST_ARRAY_BYTES = 4 * 2**30
MOST_ENTRIES = 500_000

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """One file of a source, or one array: its name, and a function that reads it.

    ``read`` returns bytes or an array. It raises OSError or ValueError if it cannot. ``labels``:
    what the source says of the picture, by name. ``promised``: whether it is said to be a picture
    by other means than its name.
    """

    name: str
    read: Callable[[], bytes | np.ndarray]
    labels: Mapping[str, Any] = field(default_factory=dict)
    promised: bool = False

    def prepared(self, prepare: Callable[[bytes | np.ndarray], T]) -> T:
        """The result of ``prepare`` for the content.

        Raises ValueError, with the reason, if that fails; :class:`NotAPicture` if the file is not a
        picture by its name either.
        """
        wanted = ValueError if self.promised or named_as_picture(self.name) else NotAPicture
        try:
            stored = self.read()
        except (OSError, ValueError) as error:
            raise wanted(getattr(error, "strerror", None) or str(error)) from None
        try:
            return prepare(stored)
        except NotAPicture as error:
            raise wanted(str(error)) from None

    @property
    def kind(self) -> str:
        """The suffix of its name, for counting files by kind."""
        return PurePosixPath(self.name).suffix.lower() or "without a suffix"


def named_as_picture(name: str) -> bool:
    """Whether a file's name has the suffix of a picture format."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES

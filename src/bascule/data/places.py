"""Where image sets are stored, and which are imported; opens none of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from bascule.core.errors import UserError
from bascule.core.shapes import Shape, read_key, square

BUILT_IN = ("faces", "fractals")


def root() -> Path:
    """The cache folder: ``$BASCULE_DATA``, or ``bascule`` in the platform's cache folder.

    On Linux the latter is ``$XDG_CACHE_HOME/bascule`` or ``~/.cache/bascule``.
    """
    if given := os.environ.get("BASCULE_DATA"):
        return Path(given).expanduser()
    return platformdirs.user_cache_path("bascule", appauthor=False, opinion=False)


def place(name: str, size: int | Shape) -> Path:
    """The folder of an imported set; ``size``: of RGB squares, or another shape.

    Raises UserError for a name with other characters.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise UserError(
            f"image set name {name!r}: expected letters, digits, '-' and '_', e.g. my-faces"
        )
    return root() / "imported" / name / (square(size) if isinstance(size, int) else size).key


def check_free(name: str) -> None:
    """Raise UserError for the name of a built-in set."""
    if name.lower() in BUILT_IN:
        raise UserError(f"{name!r} is the name of a built-in set: choose another name")


def imported_sets() -> dict[str, list[Shape]]:
    """The imported sets and the shapes of each, RGB squares first, by size."""
    sets: dict[str, list[Shape]] = {}
    for file in sorted((root() / "imported").glob("*/*/about.json")):
        if (shape := read_key(file.parent.name)) is not None:
            sets.setdefault(file.parent.parent.name, []).append(shape)
    return {
        name: sorted(shapes, key=lambda s: (s != square(s.size), s))
        for name, shapes in sets.items()
    }

"""Where image sets are stored, and which are imported; opens none of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from bascule.core.errors import UserError


def root() -> Path:
    """The cache folder: ``$BASCULE_DATA``, or ``bascule`` in the platform's cache folder.

    On Linux the latter is ``$XDG_CACHE_HOME/bascule`` or ``~/.cache/bascule``.
    """
    if given := os.environ.get("BASCULE_DATA"):
        return Path(given).expanduser()
    return platformdirs.user_cache_path("bascule", appauthor=False, opinion=False)


def place(name: str, size: int) -> Path:
    """The folder of an imported set. Raises UserError for a name with other characters."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise UserError(
            f"image set name {name!r}: expected letters, digits, '-' and '_', e.g. my-faces"
        )
    return root() / "imported" / name / str(size)


def imported_sets() -> dict[str, list[int]]:
    """The imported sets and the sizes of each, both sorted."""
    sets: dict[str, list[int]] = {}
    for file in sorted((root() / "imported").glob("*/*/about.json")):
        if file.parent.name.isdecimal():
            sets.setdefault(file.parent.parent.name, []).append(int(file.parent.name))
    return {name: sorted(sizes) for name, sizes in sets.items()}

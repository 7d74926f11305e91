"""What processes that were killed left in a folder of runs, and runs in the trash of the board."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bascule.core import atomic
from bascule.data.stored import LEFT

TRASH = ".trash"
DELETED = "runs that were deleted on the board"


def leftovers(root: Path) -> Iterator[tuple[str, Path]]:
    """Folders and files in a folder of runs that can go, each after the reason."""
    for run in sorted((root / TRASH).glob("*")):
        yield DELETED, run
    for left in (*root.glob(".*.partial"), *root.glob(".*.deleted"), *root.glob("*/**/.*.partial")):
        process = left.name.split(".")[-2]
        if process.isdecimal() and atomic.is_gone(int(process)):
            yield LEFT, left

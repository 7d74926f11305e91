"""How much of the disk a folder takes."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def size_of(folder: Path) -> int:
    """Bytes of a file, or of the files in a folder, of which hard links count once."""
    if not folder.is_dir():
        return folder.lstat().st_size
    files: dict[tuple[int, int], int] = {}
    for inside, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(inside, name))
            except FileNotFoundError:  # deleted meanwhile
                continue
            if stat.S_ISREG(status.st_mode):
                files[status.st_dev, status.st_ino] = status.st_size
    return sum(files.values())

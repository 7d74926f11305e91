"""What lies in the folder of image sets: imported sets to delete or rename, and what can go."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bascule.core import atomic
from bascule.core.errors import UserError, unknown
from bascule.core.reading import read_json
from bascule.data import cache
from bascule.data.places import check_free, imported_sets, place, root

MADE = "built-in sets, drawn again when they are needed"
FEATURES = "features of sets that are not imported, computed again when they are needed"
LEFT = "left by processes that were killed"


def folder_of(name: str) -> Path:
    """The folder of an imported set, with all its shapes. Raises UserError if there is none."""
    sets = imported_sets()
    if name not in sets:
        raise unknown("imported set", name, sets)
    return place(name, sets[name][0]).parent


def delete(path: Path) -> None:
    """Delete a folder or a file. It is renamed first, so that it is gone at once."""
    gone = path.with_name(f".{path.name}-{os.getpid()}.deleted")
    path.rename(gone)
    if gone.is_dir():
        shutil.rmtree(gone)
    else:
        gone.unlink()


def rename(name: str, new: str) -> None:
    """Give an imported set another name. Raises UserError for a name that is taken or no name."""
    folder = folder_of(name)
    check_free(new)
    if (target := place(new, 64).parent).exists():
        raise UserError(f"the name {new!r} is taken: choose another name, or delete that set first")
    folder.rename(target)
    for shape in imported_sets()[new]:
        about = place(new, shape) / "about.json"
        facts = {**read_json(about, most=cache.MOST_ABOUT_BYTES), "name": new}
        atomic.write(about, json.dumps(facts, ensure_ascii=False))


def disposable() -> Iterator[tuple[str, Path]]:
    """Folders and files that can go, each after the reason."""
    for made in _inside(root() / "made"):
        yield MADE, made
    kept = set()
    for name, shapes in imported_sets().items():
        for shape in shapes:
            with suppress(UserError):  # it is damaged
                kept.add(str(cache.about(place(name, shape))["digest"])[:16])
    for features in _inside(root() / "features"):
        if features.name not in kept:
            yield FEATURES, features
    for left in root().glob("**/.*"):
        older = time.time() - left.lstat().st_mtime > cache.STALE_AFTER_SECONDS
        if older and not left.name.startswith(cache.REPLACED):
            yield LEFT, left


def _inside(folder: Path) -> list[Path]:
    """What a folder holds, except hidden files."""
    return sorted(path for path in folder.glob("*") if not path.name.startswith("."))

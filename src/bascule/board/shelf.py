"""What a person does with runs on the board: titles, tags, and a trash with undo.

A title changes neither a run's name nor its folder nor its identity. It stands in ``board.json`` in
the run's folder, with the tags. Deleted runs are moved to ``.trash/`` in the runs folder, where no
verb sees them. They are destroyed when the board that deleted them closes, or on demand.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence

from bascule.board.summary import Summary, labels
from bascule.core import atomic
from bascule.core.disk import size_of
from bascule.core.errors import UserError
from bascule.runs.leftovers import TRASH
from bascule.runs.store import Run, Store

LONGEST = 200  # characters of a title or a tag
MOST_TAGS = 20


class Shelf:
    """Titles, tags and the trash of one runs folder."""

    def __init__(self, store: Store) -> None:
        self.trash = store.root / TRASH
        self.store = store
        self._mine: set[str] = set()  # deleted by this board

    def label(self, run: Run, title: str | None = None, tags: Sequence[str] | None = None) -> None:
        """Set the title or the tags of a run; None leaves them. An empty title is its name."""
        old_title, old_tags = labels(run)
        new = {
            "title": old_title if title is None else _clean(title),
            "tags": list(old_tags) if tags is None else _tags(tags),
        }
        atomic.write(run.folder / "board.json", json.dumps(new, indent=1, ensure_ascii=False))

    def delete(self, run: Run, among: Sequence[Summary]) -> None:
        """Move a run to the trash. ``among``: the runs there are; the parent of a fork stays."""
        if run.is_locked():
            raise UserError(f"{run.id} is being trained: stop it first")
        if forks := [other.title for other in among if other.parent == run.id]:
            raise UserError(f"{forks[0]} is a fork of {run.id} and needs it: delete the fork first")
        self.trash.mkdir(exist_ok=True)
        if (self.trash / run.id).exists():
            raise UserError(f"{run.id} is in the trash already: empty the trash first")
        with run.lock():
            os.rename(run.folder, self.trash / run.id)
        self._mine.add(run.id)

    def restore(self, name: str) -> None:
        """Move a run back from the trash."""
        if name not in self.names():
            raise UserError(f"{name} is not in the trash")
        if (self.store.root / name).exists():
            raise UserError(f"there is a run {name} again: rename or delete that one first")
        os.rename(self.trash / name, self.store.root / name)
        self._mine.discard(name)

    def names(self) -> list[str]:
        """The ids of the runs in the trash."""
        try:
            return sorted(
                entry.name
                for entry in os.scandir(self.trash)
                if entry.is_dir(follow_symlinks=False)
            )
        except OSError:
            return []

    def purge(self, only_mine: bool = False) -> int:
        """Destroy what is in the trash, or only what this board put there; bytes that are freed."""
        freed = 0
        for name in self.names():
            if only_mine and name not in self._mine:
                continue
            freed += size_of(self.trash / name)
            shutil.rmtree(self.trash / name)
            self._mine.discard(name)
        if not only_mine and self.trash.is_dir() and not any(self.trash.iterdir()):
            self.trash.rmdir()
        return freed


def _clean(text: str) -> str:
    if not isinstance(text, str):
        raise UserError("expected a text")
    line = " ".join(text.split())
    if len(line) > LONGEST:
        raise UserError(f"a title or tag of {len(line)} characters: expected at most {LONGEST}")
    return line


def _tags(tags: Sequence[str]) -> list[str]:
    if not isinstance(tags, list | tuple):
        raise UserError("expected a list of tags")
    found = [tag for tag in dict.fromkeys(map(_clean, tags)) if tag]
    if len(found) > MOST_TAGS:
        raise UserError(f"{len(found)} tags: expected at most {MOST_TAGS}")
    return found

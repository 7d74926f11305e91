"""The experiments of a runs folder, read from their notes: name, verdict and finding."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from bascule.core.reading import read_bytes, read_json

MOST_NOTE_BYTES = 2**22


@dataclass(frozen=True)
class Told:
    """What a note says. ``word``: supported, refuted, inconclusive, or "" for no verdict.

    ``folder``: of the note, in the runs folder. ``runs``: ids of the runs that it was made from.
    """

    folder: str
    name: str
    word: str
    finding: str
    runs: tuple[str, ...]


def told_experiments(root: Path) -> list[Told]:
    """The experiments with a note in ``root/notes``, the newest note first."""
    found = []
    for path in (root / "notes").glob("**/note.md"):
        if path.resolve().is_relative_to(root.resolve()) and (told := _read(path, root)):
            found.append((os.stat(path).st_mtime, told))
    return [told for _, told in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _read(path: Path, root: Path) -> Told | None:
    try:
        text = read_bytes(path, MOST_NOTE_BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return None
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    word = re.search(r"^\*\*Verdict: ([A-Z ]+)\*\*", text, re.MULTILINE)
    finding = re.search(r"^\*\*(?!Verdict)(.+)\*\*$", text, re.MULTILINE)
    try:
        ids = read_json(path.with_suffix(".json")).get("runs", [])
    except (OSError, ValueError):
        ids = []
    return Told(
        path.parent.relative_to(root).as_posix(),
        title[1] if title else path.parent.name,
        word[1].lower() if word else "",
        finding[1] if finding else "",
        tuple(id for id in ids if isinstance(id, str)) if isinstance(ids, list) else (),
    )

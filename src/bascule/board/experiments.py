"""The experiments of a runs folder, read from their notes: name, verdict and finding."""

from __future__ import annotations

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


class Experiments:
    """The experiments with a note in ``root/notes``; a note is read again only when it changes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept: dict[Path, tuple[tuple[int, int], Told | None]] = {}

    def all(self) -> list[Told]:
        """All experiments, the newest note first."""
        found: dict[Path, tuple[tuple[int, int], Told | None]] = {}
        for depth in ("*", "*/*"):
            for path in (self.root / "notes").glob(f"{depth}/note.md"):
                try:
                    status = path.stat()
                except OSError:  # deleted meanwhile
                    continue
                stamp = status.st_mtime_ns, status.st_size
                kept = self._kept.get(path)
                found[path] = kept if kept and kept[0] == stamp else (stamp, self._read(path))
        self._kept = found
        newest_first = sorted(found.values(), key=lambda pair: pair[0], reverse=True)
        return [told for _, told in newest_first if told]

    def _read(self, path: Path) -> Told | None:
        inside = path.resolve().is_relative_to(self.root.resolve())
        return _read(path, self.root) if inside else None


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

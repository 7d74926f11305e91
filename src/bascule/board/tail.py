"""The new lines of a growing file, from a byte cursor on.

Files of rows are replaced as a whole (:mod:`bascule.core.atomic`), but their beginning stays as it
was: only a resumed run drops rows at the end. So a cursor is an offset and the last line before it.
If that line is no longer there, the file is read from the start again.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bascule.core.errors import UserError
from bascule.core.reading import open_regular

MOST_BYTES = 2**30  # of a file of rows
CHUNK_BYTES = 2**22  # read at once, so that memory stays flat
MOST_LINE_BYTES = 2**20
DIGITS = 6


@dataclass(frozen=True)
class Cursor:
    """A place in a file: ``offset`` bytes, after ``lines`` whole lines.

    length, mark  bytes of the last line before it, and their digest
    """

    offset: int = 0
    lines: int = 0
    length: int = 0
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.offset}.{self.lines}.{self.length}.{self.mark}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The cursor that ``str`` wrote; the start of the file for anything else."""
        parts = text.split(".")
        if len(parts) != 4 or not all(p.isdecimal() and len(p) < 16 for p in parts[:3]):
            return START
        offset, lines, length = map(int, parts[:3])
        found = cls(offset, lines, length, parts[3])
        return found if found.length <= min(found.offset, MOST_LINE_BYTES) else START


START = Cursor()


@dataclass(frozen=True)
class News:
    """Lines that are new. ``again``: they begin at the start of the file, which has changed."""

    lines: list[bytes]
    cursor: Cursor
    again: bool = False


def read_new(path: Path, cursor: Cursor) -> News:
    """The whole lines of ``path`` after ``cursor``, at most ``CHUNK_BYTES`` of them.

    A last line without its end is left for later. No file is an empty file. Raises
    :class:`UserError` for a file that cannot be read.
    """
    try:
        with open_regular(path, MOST_BYTES) as file:
            again = not _stands(file, cursor)
            if again:
                cursor = START
            file.seek(cursor.offset)
            text: bytes = file.read(CHUNK_BYTES)
    except FileNotFoundError:
        return News([], START, again=cursor != START)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path.name}: {error}") from None
    whole = text[: text.rfind(b"\n") + 1]
    if not whole and len(text) >= MOST_LINE_BYTES:
        raise UserError(f"cannot read {path.name}: a line of more than {MOST_LINE_BYTES:,} bytes")
    if not whole:
        return News([], cursor, again)
    lines = whole.split(b"\n")[:-1]
    length = len(lines[-1]) + 1
    at = Cursor(
        cursor.offset + len(whole), cursor.lines + len(lines), length, _mark(whole[-length:])
    )
    return News(lines, at, again)


def _stands(file: Any, cursor: Cursor) -> bool:
    """Whether the last line before the cursor is still there."""
    if cursor == START:
        return True
    file.seek(cursor.offset - cursor.length)
    return _mark(file.read(cursor.length)) == cursor.mark


def _mark(line: bytes) -> str:
    return blake2b(line, digest_size=6).hexdigest()


def last_line(path: Path, most: int = 2**16) -> bytes:
    """The last whole line of a file, without reading what is before it; b"" if there is none."""
    try:
        with open_regular(path, MOST_BYTES) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            text: bytes = file.read(most)
    except FileNotFoundError:
        return b""
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path.name}: {error}") from None
    end = text.rfind(b"\n")
    return text[text.rfind(b"\n", 0, max(end, 0)) + 1 : end] if end >= 0 else b""


def numbers(line: bytes) -> dict[str, float | None]:
    """The scalars of a row, to ``DIGITS`` digits; None for NaN and infinity.

    Raises :class:`UserError` for a line that is no row of numbers.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise UserError(f"not a row of scalars: {line[:40].decode(errors='replace')!r}")
    found: dict[str, float | None] = {}
    for name, value in row.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = _short(value)
    return found


def _short(value: float) -> float | None:
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    try:
        number = float(value)
    except OverflowError:
        return None
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None

"""Safe reading of files from other people: regular files only, up to a size limit.

A device, a pipe or a socket with the name of a file could block for ever or never end.
"""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

from bascule.core.errors import unreadable

MOST_BYTES = 100_000_000
MOST_JSON_BYTES = 16 * 2**20
DEEPEST = 100  # levels of nested lists and objects; a recipe has five


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a regular file of at most ``most`` bytes.

    Raises OSError if the system cannot read it. Raises ValueError, with the reason as its message,
    if it is not a regular file or is larger.
    """
    with open_regular(path, most) as file:
        found: bytes = file.read(most + 1)
    if len(found) > most:  # it grew, or the system did not report its size
        raise ValueError(f"more than {most:,} bytes")
    return found


def needed(path: Path, what: str, remedy: str, most: int = MOST_BYTES) -> bytes:
    """As :func:`read_bytes`, for a file that the program wrote. Raises UserError if it cannot.

    ``what``: the kind of file. ``remedy``: what to do where it is damaged.
    """
    try:
        return read_bytes(path, most)
    except (OSError, ValueError) as error:
        raise unreadable(f"{what} {path}", error, remedy) from None


def open_regular(path: Path, most: int) -> Any:
    """Open a regular file of at most ``most`` bytes in binary mode. Raises as read_bytes."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        folder = stat.S_ISDIR(status.st_mode)
        raise ValueError("a folder" if folder else "not a regular file but a pipe or a device")
    if status.st_size > most:
        raise ValueError(f"{status.st_size:,} bytes; at most {most:,} are read")
    return path.open("rb")


def read_json(path: Path, most: int = MOST_JSON_BYTES) -> dict[str, Any]:
    """The object in a JSON file. Raises as :func:`read_bytes`, and ValueError for other JSON."""
    found = parsed(read_bytes(path, most))
    if not isinstance(found, dict):
        raise ValueError(f"it holds {_kind(found)}; expected an object {{...}}")
    return found


def numbered(folder: Path, suffix: str) -> list[int]:
    """The numbers of the files ``epoch-0020.pt`` (with this ``suffix``) in a folder, ascending.

    Files with any other name, such as ``epoch-0020-best.pt``, are the user's.
    """
    names = re.compile(r"epoch-(0\d{3}|[1-9]\d{3,8})" + re.escape(suffix), re.ASCII)
    found = (names.fullmatch(path.name) for path in folder.glob(f"epoch-*{suffix}"))
    return sorted(int(match[1]) for match in found if match)


def parsed(text: bytes | str) -> Any:
    """The value of a JSON text. Raises ValueError for text that is not JSON or nested too deep."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError(f"lists or objects nested deeper than {DEEPEST}") from None
    level = [found]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return found
    raise ValueError(f"lists or objects nested deeper than {DEEPEST}")


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")

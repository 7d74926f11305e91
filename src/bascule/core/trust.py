"""Whose code a run folder holds: it is executed only if this user made it here, or allows it.

A folder of code that this user's bascule wrote, or that was allowed by ``--trust``, holds a mark:
a hash of its files, keyed by a secret that only this user can read. Another user's mark, a mark
from another machine, or one beside files that were changed, is worth nothing. Packs carry no marks.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.core.reading import read_bytes

MARK = ".trusted"
MOST_BYTES = 2**20  # of a file
KEY_BYTES = 32
_allowed: list[bool] = []


def allow() -> None:
    """Trust the code of every run that this process needs, as ``--trust`` says."""
    _allowed.append(True)


def mark(root: Path, files: list[Path]) -> None:
    """Say that this user made the ``files`` of the folder ``root``, or allows them."""
    atomic.write(root / MARK, _hash(root, files))


def is_trusted(root: Path, files: list[Path]) -> bool:
    """Whether this user marked ``files`` as they are."""
    try:
        told = read_bytes(root / MARK, 1024)
    except (OSError, ValueError):
        return False
    return hmac.compare_digest(told, _hash(root, files).encode())


def check(root: Path, files: list[Path], whose: str, classes: list[str]) -> None:
    """Refuse to execute code that is not trusted. ``whose`` it is, in words.

    Where everything is allowed, it is marked as trusted.
    """
    if is_trusted(root, files):
        return
    if not _allowed:
        names = ", ".join(path.relative_to(root).as_posix() for path in files)
        raise UserError(
            f"{whose} brings Python code that was not made here: {names} would run for "
            f"{', '.join(dict.fromkeys(classes))}; read it, and allow it with --trust"
        )
    with suppress(OSError):  # a folder that is not ours to write to: it is asked for again
        mark(root, files)


def check_now(whose: str, root: Path, classes: list[str]) -> None:
    """Refuse to execute code that can have no mark, unless ``--trust`` was said this time."""
    if not _allowed:
        raise UserError(
            f"{whose} brings Python code: {', '.join(dict.fromkeys(classes))} in {root} would run; "
            "read it, and allow it with --trust"
        )


def _hash(root: Path, files: list[Path]) -> str:
    found = hmac.new(_secret(), digestmod=hashlib.sha256)
    for path in sorted(files):
        for part in (path.relative_to(root).as_posix().encode(), read_bytes(path, MOST_BYTES)):
            found.update(f"{len(part)}:".encode() + part)
    return found.hexdigest()


def _secret() -> bytes:
    path = state_folder() / "trust.key"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_secret(path)
        found = read_bytes(path, 1024)
        if len(found) != KEY_BYTES:
            raise ValueError(f"expected {KEY_BYTES} bytes; delete it")
        return found
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot keep the key of trusted code in {path}: {error}; or point BASCULE_STATE to "
            "a folder of yours"
        ) from None


def _write_secret(path: Path) -> None:
    """Whole or not at all; where another process was faster, its key stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def state_folder() -> Path:
    """Where this user's settings are kept: ``$BASCULE_STATE``, or the platform's own place."""
    if given := os.environ.get("BASCULE_STATE"):
        return Path(given).expanduser()
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "bascule" / "state"
    home = Path.home() / ".local" / "state"
    return Path(os.environ.get("XDG_STATE_HOME") or home) / "bascule"

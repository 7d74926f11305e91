"""Which code of a run folder may be executed: code that this user made here, or has allowed.

bascule puts a mark into every folder of code that it writes or that ``--trust`` allows. The mark
is a hash of the files, keyed by a secret that only this user can read. So a mark of another user,
of another machine, or of files that were changed later is not valid. Packs carry no marks.
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
MOST_BYTES = 2**20  # of one file
KEY_BYTES = 32
_allowed: list[bool] = []


def allow() -> None:
    """Trust the code of every run in this process; this is what ``--trust`` does."""
    _allowed.append(True)


def mark(root: Path, files: list[Path]) -> None:
    """Mark the ``files`` of the folder ``root`` as made or allowed by this user."""
    atomic.write(root / MARK, _hash(root, files))


def is_trusted(root: Path, files: list[Path]) -> bool:
    """Whether this user marked ``files`` with their present content."""
    try:
        told = read_bytes(root / MARK, 1024)
    except (OSError, ValueError):
        return False
    return hmac.compare_digest(told, _hash(root, files).encode())


def check(root: Path, files: list[Path], whose: str, classes: list[str]) -> None:
    """Raise :class:`UserError` unless the code in ``files`` is trusted.

    whose    the owner of the code in words, for the error line
    classes  the classes that would be executed, for the error line

    After :func:`allow`, the files are marked as trusted instead.
    """
    if is_trusted(root, files):
        return
    if not _allowed:
        names = ", ".join(path.relative_to(root).as_posix() for path in files)
        raise UserError(
            f"{whose} brings Python code that was not made here: {names} would run for "
            f"{', '.join(dict.fromkeys(classes))}; read it, then allow it with --trust"
        )
    with suppress(OSError):  # a folder that this user cannot write to: checked again next time
        mark(root, files)


def check_now(whose: str, root: Path, classes: list[str]) -> None:
    """Raise :class:`UserError` unless ``--trust`` was given now; such code can have no mark."""
    if not _allowed:
        raise UserError(
            f"{whose} brings Python code: {', '.join(dict.fromkeys(classes))} in {root} would run; "
            "read it, then allow it with --trust"
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
            f"cannot keep the key of trusted code in {path}: {error}; or set BASCULE_STATE to "
            "a folder of yours"
        ) from None


def _write_secret(path: Path) -> None:
    """Write it completely or not at all; where another process was faster, keep its key."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def state_folder() -> Path:
    """The folder of this user's settings: ``$BASCULE_STATE``, or the default of the platform."""
    if given := os.environ.get("BASCULE_STATE"):
        return Path(given).expanduser()
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "bascule" / "state"
    home = Path.home() / ".local" / "state"
    return Path(os.environ.get("XDG_STATE_HOME") or home) / "bascule"

"""Atomic writes: a file is complete or absent. It is written under another name, then renamed."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bascule.core.errors import UserError

MINUTE, DAY = 60, 24 * 3600  # seconds
_swept: set[Path] = set()  # folders that this process has swept
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write(path: Path, content: str | bytes | Callable[[Path], object], sync: bool = True) -> None:
    """Put ``content`` at ``path``: text (UTF-8), bytes, or a function that writes a file.

    The old file stays in place until the new one is complete on disk. Without ``sync`` a power cut
    may lose the new file; use this for files that are quickly made again. The first file that a
    process writes into a folder also sweeps the folder (:func:`sweep`). Raises
    :class:`UserError` when the disk is full, and when ``path`` is there and no regular file; and
    OSError when the system refuses for another reason.
    """
    if path.is_symlink():
        raise UserError(f"{path} is a link: give the name of the file that it leads to")
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise UserError(f"{path} is {what}: give the name of a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    if (folder := path.parent.absolute()) not in _swept:
        _swept.add(folder)
        sweep(folder)
    try:
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        if sync:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if sync:
            sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if disk_is_full(error):
            raise UserError(
                f"no space left to write {path}: the old file, if any, is kept; "
                "free some space and resume"
            ) from error
        cause = _cause(error) if isinstance(error, OSError | RuntimeError) else None
        if cause and cause.errno and cause.filename is None:  # PyTorch makes a RuntimeError of it
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        raise


def sweep(folder: Path) -> None:
    """Delete what writers that were killed left in ``folder``, not below it.

    That are temporary files of :func:`write` which are more than a minute old and whose process is
    gone, or which are more than a day old.
    """
    for left in folder.glob(".*.partial"):
        number = left.name.split(".")[-2]
        try:
            age = time.time() - left.stat().st_mtime
            if number.isdecimal() and age > (MINUTE if is_gone(int(number)) else DAY):
                left.unlink()
        except OSError:  # another process was first, or we may not
            continue


def is_gone(process: int) -> bool:
    """Whether there is no process of this number any more; False if that cannot be known."""
    if os.name == "nt":  # there, os.kill ends a process, whatever the signal
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return False


def write_png(path: Path, image: Any, sync: bool = True) -> None:
    """Write a Pillow ``image`` to ``path`` as PNG, like :func:`write`."""
    write(path, lambda to: image.save(to, "PNG"), sync)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether ``error``, or an error that caused it, says that the disk is full.

    PyTorch reports a failed write as a RuntimeError, with the OSError as its context.
    """
    return any(
        (isinstance(each, OSError) and each.errno in FULL) or "No space left" in str(each)
        for each in _chain(error)
    )


def _cause(error: BaseException) -> OSError | None:
    """The error of the system that led to ``error``, if one did."""
    return next((each for each in _chain(error) if isinstance(each, OSError)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

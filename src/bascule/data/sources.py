"""Where pictures are imported from: a folder, a zip archive, or an array file.

A source is a list of names with a way to read each. All files are in it, whatever their names end
in, but those that are hidden or that macOS adds (``__MACOSX``): what is a picture is seen when it
is read. Nothing is unpacked to disk, folders that link to one another are visited once, and every
declared size is checked before it is believed.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

import numpy as np

from bascule.core.errors import UserError
from bascule.core.reading import open_regular, read_bytes
from bascule.data.decoding import HEAD_BYTES, NotAPicture, check_format

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".jp2"),
}
MOST_FILE_BYTES = 200 * 2**20
MOST_TOTAL_BYTES = 20 * 2**30
MOST_ARRAY_BYTES = 4 * 2**30
MOST_ENTRIES = 500_000
MOST_RATIO = 200  # pictures are compressed already; only for entries of MANY_BYTES or more
MANY_BYTES = 10 * 2**20


T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """One file of a source, or one array: its name there, and how to read it (bytes or an array).

    ``read`` raises OSError or ValueError when it cannot.
    """

    name: str
    read: Callable[[], bytes | np.ndarray]

    def prepared(self, prepare: Callable[[bytes | np.ndarray], T]) -> T:
        """``prepare`` of what is read.

        Raises ValueError, with the reason, where that fails, and :class:`NotAPicture` where this
        never was to be a picture, neither by its name nor by its content.
        """
        wanted = ValueError if named_as_picture(self.name) else NotAPicture
        try:
            stored = self.read()
        except (OSError, ValueError) as error:
            raise wanted(getattr(error, "strerror", None) or str(error)) from None
        try:
            return prepare(stored)
        except NotAPicture as error:
            raise wanted(str(error)) from None

    @property
    def kind(self) -> str:
        """What its name ends in, to count files by."""
        return PurePosixPath(self.name).suffix.lower() or "without a suffix"


def named_as_picture(name: str) -> bool:
    """Whether a file's name ends as those of pictures do."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


@contextmanager
def open_source(path: Path, single: bool = False) -> Iterator[list[Found]]:
    """What is in ``path``, ordered by name, readable (by any thread) within the block.

    ``path`` is a folder, searched to any depth; a ``.zip``; or an ``.npz`` with a uint8 array
    (N, H, W) or (N, H, W, 1 | 3 | 4) called ``images``, or with a single array. ``single``: or one
    picture. Raises UserError for a missing path, an unknown kind of file, and archives that are
    broken, encrypted, that climb out of their folder, or that claim too much.
    """
    if not os.path.exists(path):  # unlike Path.exists, never raises
        raise UserError(f"no such file or folder: {path}")
    if path.is_dir():
        yield _in_folder(path)
        return
    if not path.is_file():
        raise UserError(f"{path} is not a regular file but a pipe or a device")
    if path.suffix.lower() == ".zip":
        with _opened_zip(path) as archive:
            yield _in_zip(path, archive)
    elif path.suffix.lower() == ".npz":
        yield _in_arrays(path)
    elif single:
        yield [Found(path.name, lambda: _read(path))]
    elif named_as_picture(path.name):
        raise UserError(f"{path} is a single image: give a folder, a .zip or an .npz of many")
    else:
        raise UserError(f"{path}: expected a folder of images, a .zip or an .npz")


def _hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _in_folder(top: Path) -> list[Found]:
    found = []
    seen: set[tuple[int, int]] = set()
    for folder, below, names in os.walk(top, onerror=_unreadable, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link led back here
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not _hidden([name]))
        for file in (Path(folder) / name for name in names if not _hidden([name])):
            name = file.relative_to(top).as_posix()
            found.append(Found(name, lambda file=file: _read(file)))  # type: ignore[misc]
    return sorted(found, key=lambda picture: picture.name)


def _unreadable(error: OSError) -> None:
    raise UserError(f"cannot read the folder {error.filename}: {error.strerror}")


def _read(file: Path) -> bytes:
    if not named_as_picture(file.name):  # a long film is known by its first bytes
        with open_regular(file, most=2**63) as opened:
            check_format(opened.read(HEAD_BYTES))
    return read_bytes(file, MOST_FILE_BYTES)


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable archive: {error}") from None


def _in_zip(path: Path, archive: zipfile.ZipFile) -> list[Found]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MOST_ENTRIES:
        raise UserError(f"{path}: {len(entries):,} files in it; at most {MOST_ENTRIES:,} read")
    for entry in entries:
        _check_entry(path, entry)
    pictures = [e for e in entries if not _hidden(PurePosixPath(e.filename).parts)]
    total = sum(entry.file_size for entry in pictures)
    if total > MOST_TOTAL_BYTES:
        raise UserError(f"{path}: unpacks to {total:,} bytes; at most {MOST_TOTAL_BYTES:,} read")
    return sorted(
        (Found(e.filename, lambda e=e: _read_entry(archive, e)) for e in pictures),  # type: ignore[misc]
        key=lambda picture: picture.name,
    )


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    # ZipInfo cuts names at a zero byte; the original name is the one to judge.
    name = entry.orig_filename
    windows = PureWindowsPath(name)
    if windows.drive or windows.root or ".." in windows.parts:
        raise UserError(f"{path}: the entry {name!r} points outside the archive; not imported")
    if entry.flag_bits & 1:
        raise UserError(f"{path} is encrypted: unpack it first and import the folder")
    ratio = entry.file_size / max(entry.compress_size, 1)
    if entry.file_size > MOST_FILE_BYTES or (entry.file_size >= MANY_BYTES and ratio > MOST_RATIO):
        raise UserError(
            f"{path}: the entry {name!r} unpacks from {entry.compress_size:,} to "
            f"{entry.file_size:,} bytes: this looks like a zip bomb; not imported"
        )


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """At most the declared bytes (zipfile stops there), which were checked to be few."""
    try:
        with archive.open(entry) as file:
            return file.read(entry.file_size)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # zlib.error, lzma.LZMAError: neither is an OSError
        raise ValueError(f"cannot be unpacked: {error}") from None


def _in_arrays(path: Path) -> list[Found]:
    with _opened_zip(path) as archive:
        arrays = {
            entry.filename.removesuffix(".npy"): entry
            for entry in archive.infolist()
            if entry.filename.endswith(".npy")
        }
        key = "images" if "images" in arrays else next(iter(arrays), "")
        if key != "images" and len(arrays) != 1:
            raise UserError(
                f"{path}: expected an array called 'images', or a single array; "
                f"it holds: {', '.join(sorted(arrays)) or 'none'}"
            )
        _check_array(path, archive, arrays[key])
    try:
        with np.load(path, allow_pickle=False) as kept:
            images = kept[key]
    except Exception as error:  # NumPy, zipfile and zlib each have their own kinds
        raise UserError(f"{path}: the array {key!r} cannot be read: {error}") from None
    width = len(str(len(images)))
    found = [
        Found(f"{key}[{i:0{width}d}]", lambda image=image: image)  # type: ignore[misc]
        for i, image in enumerate(images)
    ]
    return found + [Found(f"{other}.npy", _beside) for other in sorted(arrays) if other != key]


def _beside() -> np.ndarray:
    raise NotAPicture("an array beside that of the images")


def _check_array(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read the header alone: a few declared numbers decide how much memory loading would take."""
    try:
        with archive.open(entry) as file:
            major, _ = np.lib.format.read_magic(file)
            read = {
                1: np.lib.format.read_array_header_1_0,
                2: np.lib.format.read_array_header_2_0,
            }[major]
            shape, _, dtype = read(file)
    except Exception as error:  # KeyError, ValueError, RuntimeError (encrypted), zlib.error
        raise UserError(f"{path}: {entry.filename} is not a readable array: {error}") from None
    known = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))
    if dtype != np.uint8 or not known:
        raise UserError(
            f"{path}: {entry.filename} is {dtype} {shape}; expected uint8 (N, H, W) or "
            "(N, H, W, 1 | 3 | 4)"
        )
    declared = int(np.prod(shape, dtype=object))
    if declared > min(MOST_ARRAY_BYTES, entry.file_size):
        raise UserError(
            f"{path}: {entry.filename} declares {declared:,} bytes; the file holds "
            f"{entry.file_size:,} and at most {MOST_ARRAY_BYTES:,} are read"
        )

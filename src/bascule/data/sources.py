"""Reading the files to import: from a folder, an archive, a table or an array file.

A source is a list of names with a function to read each. It lists all files, whatever their
suffix, except hidden ones and those that macOS adds (``__MACOSX``). Whether a file is a picture is
checked when it is read. Nothing is unpacked to disk. Folders that link to each other are visited
once. Declared sizes are checked before anything is read.
"""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from bascule.core.arrays import declared
from bascule.core.errors import UserError
from bascule.core.reading import open_regular, read_bytes
from bascule.data.containers import (
    CONVERTERS,
    EXPECTED,
    in_npy,
    in_parquet,
    in_tar,
    is_pictures,
)
from bascule.data.decoding import HEAD_BYTES, NotAPicture, check_format
from bascule.data.found import (
    MOST_ARRAY_BYTES,
    MOST_ENTRIES,
    MOST_FILE_BYTES,
    Found,
    named_as_picture,
)

MOST_TOTAL_BYTES = 20 * 2**30
MOST_RATIO = 200  # of compression, for entries of MANY_BYTES or more; pictures hardly compress
MANY_BYTES = 10 * 2**20


@contextmanager
def open_source(path: Path, single: bool = False) -> Iterator[list[Found]]:
    """The files in ``path``, sorted by name; any thread may read them inside the block.

    path    a folder, with all its subfolders; a ``.zip``; an ``.npz`` with a uint8 array (N, H, W)
            or (N, H, W, 1 | 3 | 4), which is called ``images`` or is the only array; what
            :mod:`bascule.data.containers` reads; or a folder of such ``.tar`` or ``.parquet`` files
            and without pictures of its own
    single  also accept a single picture

    Raises UserError for a missing path, an unknown kind of file, a library that is not installed,
    and archives that are broken, encrypted or too large, or whose entries point outside.
    """
    if not os.path.exists(path):  # unlike Path.exists, it never raises
        raise UserError(f"no such file or folder: {path}")
    with ExitStack() as opened:
        if path.is_dir():
            yield _in_shards(path, _in_folder(path), opened)
        elif not path.is_file():
            raise UserError(f"{path} is not a regular file but a pipe or a device")
        else:
            yield _in_file(path, single, opened)


def _in_file(path: Path, single: bool, opened: ExitStack) -> list[Found]:
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _in_zip(path, opened.enter_context(_opened_zip(path)))
    if suffix == ".npz":
        return _in_arrays(path)
    if suffix == ".parquet":
        return opened.enter_context(in_parquet(path))
    if suffix in ARRAYS:
        return ARRAYS[suffix](path)
    if suffix in CONVERTERS:
        raise UserError(f"{path} {CONVERTERS[suffix]}")
    if single:
        return [Found(path.name, lambda: _read(path))]
    several = "give a folder, or an archive with several"
    if named_as_picture(path.name):
        raise UserError(f"{path} is a single image: {several}")
    raise UserError(f"{path}: expected a folder of images, or a file {', '.join(READ)}")


ARRAYS = {".tar": in_tar, ".npy": in_npy}
SHARDS = {".tar", ".parquet"}
READ = (".zip", ".tar", ".npz", ".npy", ".parquet")


def _in_shards(path: Path, found: list[Found], opened: ExitStack) -> list[Found]:
    """``found`` in the folder ``path``, or what is in its shards, if it has some."""
    if (path / "data.mdb").is_file():
        raise UserError(f"{path} {CONVERTERS['.mdb']}")
    shards = [file.name for file in found if file.kind in SHARDS]
    if not shards or any(named_as_picture(file.name) for file in found):
        return found
    pictures: list[Found] = []
    for name in shards:
        pictures += _in_file(path / name, False, opened)
    often = Counter(picture.name for picture in pictures).most_common(1)
    if often and often[0][1] > 1:
        raise UserError(f"{path}: several of its archives hold {often[0][0]}: import one of them")
    return pictures


def _hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _in_folder(top: Path) -> list[Found]:
    found = []
    seen: set[tuple[int, int]] = set()
    for folder, below, names in os.walk(top, onerror=_unreadable, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder that was visited
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
    if not named_as_picture(file.name):  # do not read a long film to its end
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
    # ZipInfo cuts names at a zero byte, so the original name must be checked.
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
    """The content of an entry, at most its declared size, which was checked before."""
    try:
        with archive.open(entry) as file:
            return file.read(entry.file_size)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # zlib.error and lzma.LZMAError are not OSErrors
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
    except Exception as error:  # NumPy, zipfile and zlib have errors of their own
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
    """Check the header alone: it declares how much memory loading would need."""
    try:
        with archive.open(entry) as file:
            shape, dtype = declared(file)
    except Exception as error:  # ValueError, RuntimeError (encrypted), zlib.error
        raise UserError(f"{path}: {entry.filename} is not a readable array: {error}") from None
    if not is_pictures(shape, dtype):
        raise UserError(f"{path}: {entry.filename} is {dtype} {shape}; {EXPECTED}")
    bytes_ = int(np.prod(shape, dtype=object))
    if bytes_ > min(MOST_ARRAY_BYTES, entry.file_size):
        raise UserError(
            f"{path}: {entry.filename} declares {bytes_:,} bytes; the file holds "
            f"{entry.file_size:,} and at most {MOST_ARRAY_BYTES:,} are read"
        )

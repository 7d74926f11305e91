"""NumPy's files, read with care: no pickles, and no more memory than the file holds or a limit.

The functions raise OSError if the system cannot read the file, and ValueError, with the reason as
its message, for any other content.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from bascule.core.reading import open_regular

T = TypeVar("T")
MOST_BYTES = 8 * 2**30
_HEADERS = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}


class Rows:
    """Some rows of an array, such as a memory map: NumPy copies them where it needs an array."""

    def __init__(self, array: np.ndarray, places: np.ndarray) -> None:
        self.array, self.places = array, places

    def __len__(self) -> int:
        return len(self.places)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array[self.places], dtype)


def map_array(path: Path, most: int = MOST_BYTES) -> np.ndarray:
    """As :func:`read_array`, but the numbers stay on disk behind a read-only memory map."""
    with open_regular(path, most):
        return _checked(lambda: np.load(path, mmap_mode="r", allow_pickle=False))


def read_array(path: Path, most: int = MOST_BYTES) -> np.ndarray:
    """The array in an ``.npy`` file of at most ``most`` bytes."""
    with open_regular(path, most) as file:
        size = path.stat().st_size
        return _checked(lambda: _read(file, size, path.name))


def read_arrays(path: Path, most: int = MOST_BYTES) -> dict[str, np.ndarray]:
    """The arrays in an ``.npz`` file by name, of at most ``most`` bytes in all, unpacked."""
    with open_regular(path, most) as file:
        return _checked(lambda: _read_all(file, most))


def declared(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type from the header of an array. Raises ValueError if it is none."""
    major, _ = np.lib.format.read_magic(file)
    if major not in _HEADERS:
        raise ValueError(f"version {major} of the format of arrays; expected 1 or 2")
    shape, _, dtype = _HEADERS[major](file)
    return shape, dtype


def _read_all(file: IO[bytes], most: int) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        entries = [e for e in archive.infolist() if e.filename.endswith(".npy")]
        if (total := sum(entry.file_size for entry in entries)) > most:
            raise ValueError(f"it unpacks to {total:,} bytes; at most {most:,} are read")
        found = {}
        for entry in entries:
            with archive.open(entry) as part:
                name = entry.filename.removesuffix(".npy")
                found[name] = _read(part, entry.file_size, entry.filename)
        return found


def _read(file: IO[bytes], size: int, name: str) -> np.ndarray:
    shape, dtype = declared(file)
    if (bytes_ := int(np.prod(shape, dtype=object)) * dtype.itemsize) > size:
        raise ValueError(f"{name} declares {bytes_:,} bytes and holds {size:,}")
    file.seek(0)
    found: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return found


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib, lzma and NumPy raise many classes of errors
        raise ValueError(str(error) or type(error).__name__) from None

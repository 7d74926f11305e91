"""Pictures in a ``.tar``, a ``.parquet`` or a ``.npy``, and what other kinds of files need.

Nothing is unpacked to disk, and no file may run code: pickled objects are never loaded. Pictures
are read one at a time from a ``.tar``, and a row group at a time from a ``.parquet``. The readers
of LMDBs and of ``.mat`` files end the whole process on some damaged files, so they are not called.

- ``.tar``: also a shard of webdataset, whose ``a.cls`` and ``a.json`` tell the labels of ``a.jpg``
- ``.parquet``: rows as Hugging Face writes them: encoded pictures in a column ``image`` or ``img``,
  or in the only such column; every other column of numbers and texts is a label
- ``.npy``: one uint8 array (N, H, W) or (N, H, W, 1 | 3 | 4)
"""

from __future__ import annotations

import functools
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bascule.core.errors import UserError
from bascule.core.reading import parsed
from bascule.data.found import (
    MOST_ARRAY_BYTES,
    MOST_ENTRIES,
    MOST_FILE_BYTES,
    Found,
    named_as_picture,
)

CONVERTERS = {  # what other kinds of files need
    **dict.fromkeys(
        (".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar"),
        "is compressed: unpack it first, and import the folder or the .tar",
    ),
    **dict.fromkeys(
        (".h5", ".hdf5"),
        "is HDF5: write the array of pictures with h5py and numpy.save, and import the .npy",
    ),
    **dict.fromkeys(
        (".tfrecord", ".tfrecords"),
        "holds TensorFlow records: write the pictures to a folder, for example with "
        "tensorflow_datasets, and import that",
    ),
    **dict.fromkeys(
        (".pkl", ".pickle", ".pt", ".pth"),
        "may hold code, which is never run: write the array of pictures with numpy.save, and "
        "import the .npy",
    ),
    ".mat": "is MATLAB's: read it with scipy.io.loadmat, write its pictures with numpy.save, as "
    "uint8 (N, H, W, 3), and import the .npy",
    ".arrow": "is read by Hugging Face datasets: write it with Dataset.to_parquet, and import that",
    ".mdb": "is an LMDB: write its values to files in a folder with the lmdb package, and import "
    "that",
}
LABEL = "label"  # what a file .cls of webdataset tells
PICTURES = ("image", "img")
FEW = 100 * 2**10  # bytes of a file with the labels of one picture


def check_name(path: Path, name: str) -> None:
    """Raise UserError for an entry that points outside its archive."""
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise UserError(f"{path}: the entry {name!r} points outside the archive; not imported")


def in_tar(path: Path) -> list[Found]:
    """The files of a ``.tar``, with the labels of a webdataset."""
    try:
        with tarfile.open(path, "r:") as archive:
            entries = []
            for entry in archive:
                check_name(path, entry.name)
                if entry.isreg() and not entry.issparse():
                    entries.append(entry)
                if len(entries) > MOST_ENTRIES:
                    raise UserError(f"{path}: more than {MOST_ENTRIES:,} files in it; not imported")
            end = archive.offset
        with path.open("rb") as file:  # tarfile itself ends in silence at a header that is none
            file.seek(end)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise ValueError("it has no end mark, so it was cut or damaged; copy it again")
    except (tarfile.TarError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable archive: {error}") from None
    pictures = {_sample(entry.name): entry for entry in entries if named_as_picture(entry.name)}
    labels: dict[str, dict[str, Any]] = {}
    used = set()
    for entry in entries:
        suffix = PurePosixPath(entry.name).name.partition(".")[2]
        if suffix in ("cls", "json") and _sample(entry.name) in pictures and entry.size <= FEW:
            told = _told(_piece(path, entry), suffix)
            if told is not None:
                labels.setdefault(_sample(entry.name), {}).update(told)
                used.add(entry.name)
    return [
        Found(
            entry.name,
            functools.partial(_piece, path, entry),
            labels.get(_sample(entry.name), {}) if named_as_picture(entry.name) else {},
        )
        for entry in sorted(entries, key=lambda entry: entry.name)
        if entry.name not in used
    ]


def _sample(name: str) -> str:
    """What the files of one sample share: the name up to the first dot of its last part."""
    path = PurePosixPath(name)
    return str(path.with_name(path.name.partition(".")[0] or path.name))


def _piece(path: Path, entry: tarfile.TarInfo) -> bytes:
    if entry.size > MOST_FILE_BYTES:
        raise ValueError(f"{entry.size:,} bytes; at most {MOST_FILE_BYTES:,} are read")
    with path.open("rb") as file:  # not the one of the archive, which threads cannot share
        file.seek(entry.offset_data)
        content = file.read(entry.size)
    if len(content) < entry.size:
        raise ValueError("the archive ends within the file")
    return content


def _told(content: bytes, suffix: str) -> dict[str, Any] | None:
    """The labels in a file of a webdataset; None if it holds none."""
    try:
        text = content.decode().strip()
        told = {LABEL: text} if suffix == "cls" else parsed(text)
    except ValueError:
        return None
    return _scalars(told) if isinstance(told, dict) else None


def _scalars(told: Mapping[str, Any]) -> dict[str, Any]:
    return {str(k): v for k, v in told.items() if v is None or isinstance(v, int | float | str)}


@contextmanager
def in_parquet(path: Path) -> Iterator[list[Found]]:
    """The pictures of a ``.parquet``, row by row."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(f'{path} needs pyarrow: pip install "bascule[formats]"') from None
    with ExitStack() as opened:
        try:
            file = opened.enter_context(pyarrow.parquet.ParquetFile(path))
            found = _rows(path, file)
        except (pyarrow.ArrowException, OSError) as error:
            first = str(error).splitlines()[0]
            raise UserError(f"{path}: not a readable parquet file: {first}") from None
        yield found


def _rows(path: Path, file: Any) -> list[Found]:
    import pyarrow
    from pyarrow import types

    schema = file.schema_arrow
    if file.metadata.num_rows > MOST_ENTRIES:
        raise UserError(f"{path}: more than {MOST_ENTRIES:,} rows in it; not imported")
    pictures = [
        column.name
        for column in schema
        if types.is_binary(column.type)
        or types.is_large_binary(column.type)
        or (types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0)
    ]
    chosen = [name for name in PICTURES if name in pictures] or pictures
    if len(chosen) != 1 and (not chosen or chosen[0] not in PICTURES):
        raise UserError(
            f"{path}: expected encoded pictures in a column called image or img, or in a single "
            f"column; it has: {', '.join(schema.names) or 'none'}"
        )
    images, classes = chosen[0], _classes(schema.metadata or {})
    scalar = [
        column.name
        for column in schema
        if column.name not in pictures
        and (
            types.is_integer(column.type)
            or types.is_floating(column.type)
            or types.is_boolean(column.type)
            or types.is_string(column.type)
            or types.is_large_string(column.type)
        )
    ]
    labels: dict[str, list[Any]] = {name: [] for name in scalar}
    places: list[tuple[int, int]] = []
    for group in range(file.num_row_groups):
        about = file.metadata.row_group(group)
        if about.total_byte_size > MOST_ARRAY_BYTES:
            raise UserError(
                f"{path}: a row group unpacks to {about.total_byte_size:,} bytes; at most "
                f"{MOST_ARRAY_BYTES:,} are read: write it with smaller row groups"
            )
        table = file.read_row_group(group, columns=scalar)
        for name in scalar:
            labels[name] += table.column(name).to_pylist()
        places += [(group, row) for row in range(about.num_rows)]
    for name, names in classes.items():
        labels[name] = [
            names[k] if isinstance(k, int) and 0 <= k < len(names) else None
            for k in labels.get(name, [])
        ]
    lock = threading.Lock()

    @functools.lru_cache(maxsize=2)
    def column(group: int) -> Any:
        return file.read_row_group(group, columns=[images]).column(0)

    def read(group: int, row: int) -> bytes:
        try:
            with lock:
                value = column(group)[row].as_py()
        except pyarrow.ArrowException as error:
            raise ValueError(str(error).splitlines()[0]) from None
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise ValueError("the row holds no picture")
        return content

    width = len(str(len(places)))
    return [
        Found(
            f"{path.stem}[{k:0{width}d}]",
            functools.partial(read, *place),
            {name: values[k] for name, values in labels.items()},
            promised=True,
        )
        for k, place in enumerate(places)
    ]


def _classes(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """The names of the classes of each ``ClassLabel``, as Hugging Face writes them."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: [str(one) for one in told["names"]]
            for name, told in features.items()
            if isinstance(told, dict) and isinstance(told.get("names"), list)
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def in_npy(path: Path) -> list[Found]:
    """The pictures of a ``.npy``, which is mapped into memory."""
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy has errors of several classes
        raise UserError(f"{path}: not a readable array: {error}") from None
    if not is_pictures(images.shape, images.dtype):
        raise UserError(f"{path}: is {images.dtype} {images.shape}; {EXPECTED}")
    width = len(str(len(images)))
    return [
        Found(f"{path.stem}[{k:0{width}d}]", functools.partial(np.array, image))
        for k, image in enumerate(images)
    ]


EXPECTED = "expected uint8 (N, H, W) or (N, H, W, 1 | 3 | 4)"


def is_pictures(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether an array may hold pictures."""
    return dtype == np.uint8 and (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4)))

"""Labels that come with pictures: class folders, ``dataset.json``, metadata tables, arrays.

Five forms are read, each as its authors define it:

- class folders, as in torchvision's ImageFolder: if all pictures lie in subfolders, at least two,
  the label ``folder`` is the name of the first one
- ``dataset.json`` of StyleGAN's programs: ``{"labels": [["a/0.png", 3], ...]}``, the label
  ``label``; null stands for a picture without one
- ``metadata.csv`` and ``metadata.jsonl`` of Hugging Face's imagefolder: a column ``file_name``, and
  a label for each other column
- other arrays of one dimension in an ``.npz``, as long as that of the images
- what a ``.tar`` of webdataset and a ``.parquet`` say of each picture
  (:mod:`bascule.data.containers`)

File names are relative to the folder of the file that has the labels. Whole numbers and texts are
categories, kept as text; a label with a fraction somewhere is a number. A picture without a value
has the empty text, or NaN.
"""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bascule.core.errors import UserError
from bascule.core.reading import read_bytes
from bascule.data.found import Found

MOST_BYTES = 200 * 2**20  # of a file with labels
FOLDER, LABEL, FILE_NAME = "folder", "label", "file_name"
Told = dict[str, dict[str, Any]]  # label -> name of a picture -> its value
Labels = dict[str, np.ndarray]


def _told(name: str, read: Callable[[], bytes]) -> Told | None:
    """What a file says; None for a file of another kind that has the same name.

    Raises UserError if it cannot be read as its name promises.
    """
    file = PurePosixPath(name)
    try:
        rows = READERS[file.name](read().decode("utf-8-sig"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(
            f"{name}: not a table of labels ({error}); expected {EXPECTED}; mend or remove it"
        ) from None
    if rows is None:
        return None
    found: Told = {}
    for row in rows:
        picture = (file.parent / str(row.pop(FILE_NAME))).as_posix()
        for label, value in row.items():
            found.setdefault(str(label), {})[picture] = value
    return found


def _stylegan(text: str) -> list[dict[str, Any]] | None:
    told = json.loads(text)
    if not isinstance(told, dict) or "labels" not in told:
        return None
    return [{FILE_NAME: name, LABEL: value} for name, value in told["labels"] or []]


def _table(text: str) -> list[dict[str, Any]] | None:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if FILE_NAME not in (reader.fieldnames or ()):
        return None  # another table
    rows = list(reader)
    if any(None in row or None in row.values() for row in rows):
        raise ValueError("a row with more or fewer fields than the first one")
    return _with_names(rows)


def _lines(text: str) -> list[dict[str, Any]] | None:
    return _with_names([dict(json.loads(line)) for line in text.splitlines() if line.strip()])


def _with_names(rows: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    if not any(FILE_NAME in row for row in rows):
        return None
    if not all(row.get(FILE_NAME) for row in rows):
        raise ValueError(f"a row without {FILE_NAME}")
    return rows


READERS: dict[str, Callable[[str], list[dict[str, Any]] | None]] = {
    "dataset.json": _stylegan,
    "metadata.csv": _table,
    "metadata.jsonl": _lines,
}
EXPECTED = (
    'dataset.json with {"labels": [[FILE, CLASS], ...]}, or metadata.csv or metadata.jsonl with a '
    f"column {FILE_NAME}"
)


def labels_in(path: Path, found: Sequence[Found]) -> tuple[list[Told], list[Found]]:
    """What the files of a source say of labels, and the files that are left.

    Raises UserError for a file whose name promises labels and that holds none.
    """

    def read(file: Found) -> bytes:
        content = read_bytes(path / file.name, MOST_BYTES) if path.is_dir() else file.read()
        assert isinstance(content, bytes)
        return content

    if path.suffix.lower() == ".npz":
        return _of_arrays(path, found)
    files = [file for file in found if PurePosixPath(file.name).name in READERS]
    told = [_told(file.name, lambda file=file: read(file)) for file in files]  # type: ignore[misc]
    kept = [_carried(found), *(table for table in told if table is not None)]
    used = {file.name for file, table in zip(files, told, strict=True) if table is not None}
    return kept, [file for file in found if file.name not in used]


def _carried(found: Sequence[Found]) -> Told:
    """What the source itself says of each picture."""
    told: Told = {}
    for file in found:
        for label, value in file.labels.items():
            told.setdefault(label, {})[file.name] = value
    return told


def of_folders(names: Sequence[str]) -> Told:
    """The label ``folder`` of pictures that all lie in subfolders; empty if they do not."""
    parts = [PurePosixPath(name).parts for name in names]
    while parts and all(len(p) > 2 and p[0] == parts[0][0] for p in parts):
        parts = [p[1:] for p in parts]  # one folder around all others says nothing
    if not all(len(p) > 1 for p in parts) or len({p[0] for p in parts}) < 2:
        return {}
    return {FOLDER: {name: p[0] for name, p in zip(names, parts, strict=True)}}


def _of_arrays(path: Path, found: Sequence[Found]) -> tuple[list[Told], list[Found]]:
    """As :func:`labels_in`, for an ``.npz``, whose pictures come first among ``found``."""
    told: Told = {}
    with zipfile.ZipFile(path) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    beside = [file for file in found if file.name.endswith(".npy")]
    pictures = [file.name for file in found if file not in beside]
    with np.load(path, allow_pickle=False) as arrays:
        for file in beside:
            label = file.name.removesuffix(".npy")
            try:
                values = arrays[label] if sizes[file.name] <= MOST_BYTES else np.empty(0)
            except Exception:  # pickled or damaged: counted as a file that is no picture
                continue
            if values.shape == (len(pictures),) and values.dtype.kind in "iufUb":
                told[label] = dict(zip(pictures, values.tolist(), strict=True))
    return [told], [file for file in found if file.name.removesuffix(".npy") not in told]


def merged(tables: Sequence[Told], names: Sequence[str]) -> Labels:
    """The label arrays (N,) of the pictures ``names``; of a value that is told twice the last."""
    by_label: Told = {}
    for table in tables:
        for label, values in table.items():
            by_label.setdefault(label, {}).update(values)
    known = set(names)
    return {
        label: column([values.get(name) for name in names])
        for label, values in by_label.items()
        if known & values.keys()
    }


def column(values: Sequence[Any]) -> np.ndarray:
    """Values as one label (N,): float64 if some has a fraction, otherwise text."""
    there = [value for value in values if not _is_missing(value)]
    numbers = [number for value in there if (number := _number(value)) is not None]
    if len(numbers) == len(there) and any(number % 1 for number in numbers):
        return np.array([math.nan if _is_missing(value) else float(value) for value in values])
    return np.array(["" if _is_missing(value) else str(value) for value in values])


def _is_missing(value: Any) -> bool:
    return value is None or value == ""


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def joined(first: Labels, second: Labels) -> Labels:
    """The labels of two parts of a set one after the other, where both parts have the label."""
    both = [name for name in first if name in second]
    return {name: column([*first[name].tolist(), *second[name].tolist()]) for name in both}


def missing(labels: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many pictures have no value, of the labels that some lack."""
    counts = {
        name: int(np.isnan(values).sum() if values.dtype.kind == "f" else (values == "").sum())
        for name, values in labels.items()
    }
    return {name: n for name, n in counts.items() if n}

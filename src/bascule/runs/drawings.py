"""Drawings: any number of pictures of a G as a folder of PNG files, a .zip of them, or an .npz.

Pictures are drawn and written a part at a time, so memory stays flat. A drawing that was stopped
goes on when it is asked for again. An archive is made from a hidden folder beside it, when all
pictures are there.
"""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.data.decoding import as_picture, opened
from bascule.data.images import Progress

CREDIT, LABELS = "CREDIT.txt", "metadata.csv"
ARRAY = "images"  # in an .npz: uint8 (N, H, W), (N, H, W, 3) or (N, H, W, 4)
ARCHIVES = (".zip", ".npz")


@dataclass(frozen=True)
class Drawing:
    """What is drawn.

    n        the number of pictures
    part     pictures uint8 (B, C, H, W) from that of a number onwards, at most ``at_once``
    at_once  the number of pictures of a part
    what     one line, which is equal for equal pictures only
    credit   whose images G learned from
    labels   the name of the label that G was told, and the value of each picture
    """

    n: int
    part: Callable[[int], np.ndarray]
    at_once: int
    what: str
    credit: str
    labels: tuple[str, list[str]] | None = None

    def names(self, start: int = 0, most: int | None = None) -> list[str]:
        """The names of the pictures from ``start`` onwards, at most ``most``."""
        end = self.n if most is None else min(self.n, start + most)
        return [f"{k:0{self._digits}d}.png" for k in range(start, end)]

    def has(self, name: str) -> bool:
        """Whether one of the pictures has this name."""
        stem, _, suffix = name.partition(".")
        number = int(stem) if suffix == "png" and stem.isdecimal() else self.n
        return number < self.n and len(stem) == self._digits

    @property
    def _digits(self) -> int:
        return max(5, len(str(self.n - 1)))


def write_drawing(drawing: Drawing, output: Path, force: bool, tell: Progress) -> None:
    """Write ``drawing`` to ``output``: a .zip, an .npz or, with any other name, a folder.

    What is there of the same drawing is kept. Raises UserError for an archive that is there, and a
    folder with other files, unless ``force``; then files of the same names are replaced.
    """
    suffix = output.suffix.lower()
    if suffix not in ARCHIVES or output.is_dir():
        _write_folder(drawing, output, force, tell)
        return
    if output.exists() and not force:
        raise UserError(f"-o {output} is there already: give another name, or --force")
    work = output.with_name(f".{output.name}.drawing")
    if _what(work) != drawing.what:
        shutil.rmtree(work, ignore_errors=True)
    _write_folder(drawing, work, force=True, tell=tell)
    pack = _zip if suffix == ".zip" else _npz
    atomic.write(output, lambda path: pack(drawing, work, path))
    shutil.rmtree(work)


def _write_folder(drawing: Drawing, folder: Path, force: bool, tell: Progress) -> None:
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    there = {name for name in there if not name.endswith(".partial")}  # of a writer that was killed
    mine = _what(folder) == drawing.what
    others = {name for name in there - {CREDIT, LABELS} if not drawing.has(name)}
    if there and not force and (others or not mine):
        raise UserError(
            f"-o {folder} holds files already, which are not of this drawing: give another folder, "
            "or --force"
        )
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / CREDIT, f"{drawing.what}\n{drawing.credit}\n")
    for start in range(0, drawing.n, drawing.at_once):
        names = drawing.names(start, drawing.at_once)
        if not (mine and there.issuperset(names)):
            for name, pixels in zip(names, drawing.part(start), strict=True):
                atomic.write_png(folder / name, as_picture(pixels), sync=False)
        tell(start + len(names), drawing.n)
    if drawing.labels:
        atomic.write(folder / LABELS, _table(drawing, *drawing.labels))


def _what(folder: Path) -> str | None:
    """The line that says what a folder holds; None if there is none."""
    try:
        return (folder / CREDIT).read_text("utf-8").partition("\n")[0]
    except (OSError, ValueError):
        return None


def _table(drawing: Drawing, label: str, values: list[str]) -> str:
    """The labels in the form that `bascule data import` and Hugging Face's imagefolder read."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file_name", label])
    rows.writerows(zip(drawing.names(), values, strict=True))
    return text.getvalue()


def _zip(drawing: Drawing, work: Path, path: Path) -> None:
    names = [CREDIT, *([LABELS] if drawing.labels else []), *drawing.names()]
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.write(work / name, name)


def _npz(drawing: Drawing, work: Path, path: Path) -> None:
    """An .npz with the array ``images``, the labels, and the text ``credit``."""
    beside = {"credit": np.array((work / CREDIT).read_text("utf-8"))}
    if drawing.labels:
        beside[drawing.labels[0]] = np.array(drawing.labels[1])
    pictures = _pictures(drawing, work)
    first = next(pictures)
    header = {"descr": "|u1", "fortran_order": False, "shape": (drawing.n, *first.shape)}
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open(f"{ARRAY}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.write(first.tobytes())
            for picture in pictures:
                file.write(picture.tobytes())
        for name, values in beside.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, values, allow_pickle=False)


def _pictures(drawing: Drawing, work: Path) -> Iterator[np.ndarray]:
    """The pictures of ``work``, (H, W) or (H, W, C)."""
    for name in drawing.names():
        with opened((work / name).read_bytes()) as picture:
            yield np.asarray(picture)

"""The cache of prepared image sets: folders that are complete or absent.

An entry has ``images.npy`` (uint8 (N, C, H, W)), ``labels.npz``, ``held_out.npy`` and
``about.json``. It is written in a hidden folder beside its final place, synced, and renamed. So an
interrupted or concurrent build never leaves an incomplete entry. Generated sets are named by a
hash of the rules that made them; imported sets by name and size.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from bascule.core import atomic
from bascule.core.arrays import read_array, read_arrays
from bascule.core.errors import UserError, unreadable
from bascule.core.reading import open_regular, read_json
from bascule.core.shapes import Shape, square
from bascule.data.images import ImageSet, digest_of, in_chunks
from bascule.data.near_duplicates import HELD_OUT, held_out_split, near_duplicate_groups, twins
from bascule.data.places import root

FORMAT = 1
HEADER_BYTES = 128
MOST_ABOUT_BYTES = 2**30  # of about.json, which lists near duplicates
MOST_BYTES = 2**50
MOST_MADE = 1_000_000  # images of a built-in set; 12 GB at 64 px
STALE_AFTER_SECONDS = 24 * 3600
REPLACED = ".replaced-"  # before the name of an entry while another takes its place
UNWRITABLE = {
    *atomic.FULL,
    *(errno.EROFS, errno.EACCES, errno.EPERM),  # no permission
    *(errno.ENOTDIR, errno.EEXIST),  # a file where a folder should be
}


def made(name: str, rules: Mapping[str, Any]) -> Path:
    """The folder of a generated set: its name and a hash of the rules that decide its pixels."""
    text = json.dumps({"format": FORMAT, **rules}, sort_keys=True)
    return root() / "made" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def about(entry: Path) -> dict[str, Any]:
    """The content of ``about.json`` of ``entry``. Raises UserError if it is missing or damaged."""
    try:
        facts = read_json(entry / "about.json", most=MOST_ABOUT_BYTES)
        if not all(isinstance(facts[fact], str) for fact in ("name", "credit", "digest")):
            raise TypeError("name, credit or digest is no text")
        n, size = int(facts["n"]), int(facts["size"])
        shape = Shape(*map(int, facts.get("shape", square(size))))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(entry, error, "about.json") from None
    if facts.get("format") != FORMAT:
        told = f"format {facts.get('format')}, but this version reads {FORMAT}"
        raise _damaged(entry, ValueError(told))
    return {**facts, "n": n, "size": size, "shape": shape}


def open_entry(entry: Path) -> ImageSet:
    """The image set in ``entry``, with pixels memory-mapped read-only.

    Checks the pixels against their digest (about 0.1 s per 10,000 images of 64 px). Raises
    UserError, which says what to delete, if anything is missing or differs.
    """
    facts = about(entry)
    try:
        with open_regular(entry / "images.npy", MOST_BYTES):  # opening a pipe would wait for ever
            pixels = np.load(entry / "images.npy", mmap_mode="r", allow_pickle=False)
        held_out, labels = read_array(entry / "held_out.npy"), read_arrays(entry / "labels.npz")
    except Exception as error:  # NumPy raises many classes of errors on damaged files
        raise _damaged(entry, error) from None
    if pixels.shape != (facts["n"], *facts["shape"]):
        raise _damaged(entry, ValueError(f"images.npy has shape {pixels.shape}"))
    if digest_of(in_chunks(pixels), pixels.shape) != facts["digest"]:
        raise _damaged(entry, ValueError("images.npy differs from its digest"))
    try:
        return ImageSet(facts["name"], pixels, held_out, labels, facts["digest"], facts["credit"])
    except UserError as error:
        raise _damaged(entry, error) from None


def _damaged(entry: Path, error: Exception, file: str = "") -> UserError:
    remedy = f"delete the folder {entry} and make the set again"
    return unreadable(f"the image set {entry / file}", error, remedy)


class Draft:
    """An entry that is being written in a temporary folder, in any number of pieces."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        self.folder, self.shape, self.n = folder, shape, 0
        self.facts: dict[str, Any] = {}
        self._images = open(folder / "images.npy", "wb")  # noqa: SIM115 (closed by finish or drop)
        self._write_header()

    def _write_header(self) -> None:
        shape = (self.n, *self.shape)
        about_array = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._images, about_array)
        # The length is constant, so that the header can be written again when N is known.
        assert self._images.tell() == HEADER_BYTES

    def add(self, pixels: np.ndarray) -> None:
        """Append images, uint8 (B, C, H, W)."""
        assert pixels.dtype == np.uint8 and pixels.shape[1:] == self.shape
        self._images.write(np.ascontiguousarray(pixels).data)
        self.n += len(pixels)

    def finish(
        self,
        *,
        name: str,
        credit: str,
        labels: Mapping[str, np.ndarray],
        share: float = HELD_OUT,
        held_out: np.ndarray | Callable[[np.ndarray], np.ndarray] | None = None,
        **facts: Any,
    ) -> None:
        """Complete the entry and sync it to disk: header, held-out split, labels and facts.

        share     of held-out images, chosen here
        held_out  bool (N,), the held-out images, if they are given instead, or a function that
                  chooses them from the pixels (N, C, H, W)
        """
        self._images.seek(0)
        self._write_header()
        _sync_and_close(self._images)
        pixels = np.load(self.folder / "images.npy", mmap_mode="r")
        groups = near_duplicate_groups(pixels)
        if held_out is None:
            held_out = held_out_split(groups, share)
        elif callable(held_out):
            held_out = held_out(pixels)
        self.facts = {
            "format": FORMAT,
            "name": name,
            "credit": credit,
            "digest": digest_of(in_chunks(pixels), pixels.shape),
            "n": self.n,
            "size": self.shape.size,
            **({} if self.shape == square(self.shape.size) else {"shape": self.shape}),
            "near_duplicates": twins(groups),
            **facts,
        }
        with open(self.folder / "held_out.npy", "wb") as file:
            np.save(file, held_out)
            _sync_and_close(file)
        with open(self.folder / "labels.npz", "wb") as file:
            # "file" is the name of savez's own first parameter: no label may be called so.
            np.savez_compressed(file, **dict(labels))  # type: ignore[arg-type]
            _sync_and_close(file)
        with open(self.folder / "about.json", "w", encoding="utf-8") as text:
            json.dump(self.facts, text, ensure_ascii=False)
            _sync_and_close(text)

    def drop(self) -> None:
        """Delete the draft."""
        with suppress(OSError):  # closing flushes the file, and the disk may be full
            self._images.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _sync_and_close(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


@contextmanager
def draft(entry: Path, size: int | Shape, replace: bool = False) -> Iterator[Draft]:
    """A draft that becomes ``entry`` when it is finished, and is deleted otherwise.

    ``size``: the side of RGB squares, or another shape of the images.

    It is deleted if the block raises, or ends without :meth:`Draft.finish`. If another process has
    made the entry meanwhile, that one stays and the draft is deleted, unless ``replace``. Raises
    UserError when the disk is full or the cache cannot be written.
    """
    sketch: Draft | None = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        recover(entry)
        folder = entry.parent / f".{entry.name}-{uuid.uuid4().hex[:12]}"
        folder.mkdir()
        sketch = Draft(folder, square(size) if isinstance(size, int) else size)
        yield sketch
        if sketch.facts:  # finished
            _place(folder, entry, replace)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise UserError(
            f"cannot write the image cache {root()}: {error.strerror}. "
            "Free some space there, or set BASCULE_DATA to another folder"
        ) from None
    finally:
        if sketch is not None:
            sketch.drop()


def _place(folder: Path, entry: Path, replace: bool) -> None:
    """Rename the draft ``folder`` to ``entry``; with ``replace`` an older one is deleted last."""
    old = entry.parent / f"{REPLACED}{entry.name}"
    if replace and entry.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.rename(entry, old)
    try:
        os.rename(folder, entry)
    except OSError:
        recover(entry)
        if replace or not entry.is_dir():
            raise
        return  # another process was first, with the same rules
    atomic.sync_folder(entry.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(entry: Path) -> None:
    """Tidy up after killed processes, where we may write.

    An entry whose replacement was killed between two renames is put back, if there is none. Drafts
    and replaced entries that are more than a day old are deleted.
    """
    old = entry.parent / f"{REPLACED}{entry.name}"
    if old.is_dir() and not entry.exists():
        with suppress(OSError):  # read-only, or another process was first
            os.rename(old, entry)
    for left in entry.parent.glob(".*-*"):
        if (
            left.name.startswith(REPLACED)
            and not left.with_name(left.name[len(REPLACED) :]).exists()
        ):
            continue  # the only copy of a set
        with suppress(OSError):
            if left.is_dir() and time.time() - left.stat().st_mtime > STALE_AFTER_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

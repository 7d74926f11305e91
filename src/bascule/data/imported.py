"""Image sets of the user's own: import once, then open by name."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bascule.core.errors import UserError
from bascule.data import cache
from bascule.data.decoding import NotAPicture, decode
from bascule.data.images import ImageSet, Progress
from bascule.data.places import imported_sets, place
from bascule.data.source import DataSource
from bascule.data.sources import Found, open_source

RESERVED = ("faces", "fractals")
SIZES = range(8, 1025)
READ_AT_ONCE = 256


@dataclass(frozen=True)
class Imported(DataSource):
    """The set that was imported as ``name``, at ``size`` pixels a side."""

    name: str
    size: int = 64

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set from the cache; ``progress`` is never called, since nothing is computed.

        Raises UserError when there is no such set or size, or when the entry is damaged.
        """
        entry = place(self.name, self.size)
        if entry.exists():
            return cache.open_entry(entry)
        sets = imported_sets()
        how = f"bascule data import FOLDER --name {self.name} --size {self.size}"
        if self.name in sets:
            sizes = ", ".join(map(str, sets[self.name]))
            raise UserError(
                f"image set {self.name!r} was imported at size {sizes}, not {self.size}; "
                f"use one of these or run: {how}"
            )
        raise UserError(
            f"no image set {self.name!r}; imported: {', '.join(sets) or 'none yet'}. "
            f"To import one: {how}"
        )


@dataclass(frozen=True)
class Report:
    """What an import did.

    found            pictures, those that could not be used included.
    corrupt          (name, why not) of each of these.
    left_out         (kind, what it is, how many) of the files that are no pictures.
    near_duplicates  groups of indices into the set.
    """

    name: str
    size: int
    found: int
    imported: int
    held_out: int
    seconds: float
    reused: bool
    corrupt: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str, int]] = field(default_factory=list)
    near_duplicates: list[list[int]] = field(default_factory=list)


def import_images(
    path: Path | str,
    name: str,
    size: int = 64,
    skip_corrupt: bool = False,
    replace: bool = False,
    credit: str = "",
    progress: Progress | None = None,
) -> Report:
    """Prepare every image of a folder, ``.zip`` or ``.npz`` and keep the set as ``name``.

    Reads the formats of :mod:`decoding`, by content and by its rule. The same content again is
    recognised and reused. Near duplicates are grouped and about a tenth of the images held out,
    whole groups at a time. Files that are no pictures, neither by name nor by content, are left out
    and counted by kind.

    Raises UserError when there are fewer than two images; when some cannot be read, are smaller
    than 8 x 8 or larger than 50 million pixels (``skip_corrupt`` leaves these out); when ``name``
    is taken by other content (``replace`` overwrites it); and for what :func:`open_source` refuses.
    """
    started = time.monotonic()
    entry = place(name, size)
    if name.lower() in RESERVED:
        raise UserError(f"the name {name!r} is that of a built-in set: choose another")
    if size not in SIZES:
        raise UserError(f"size {size}: expected {SIZES[0]} to {SIZES[-1]} pixels")
    path = Path(path).expanduser()
    with open_source(path) as found, cache.draft(entry, size, replace=replace) as draft:
        source_digest, corrupt, left_out = _prepare(found, draft, progress)
        images = draft.n + len(corrupt)
        if not images:
            raise UserError(f"no images in {path}: {told(left_out) or 'it is empty'}")
        if images == 1:
            raise UserError(f"only one image in {path}: at least 2 are needed")
        _check_corrupt(path, draft.n, corrupt, skip_corrupt)
        reused = not _is_new(name, entry, source_digest, replace)
        if not reused:
            draft.finish(
                name=name,
                credit=credit,
                labels={},
                source=path.name,
                source_digest=source_digest,
                corrupt=corrupt,
                left_out=left_out,
            )
    if replace:
        _forget_others(name, source_digest)
    kept = cache.open_entry(entry)
    return Report(
        name=name,
        size=size,
        found=images,
        imported=len(kept),
        held_out=int(kept.held_out.sum()),
        seconds=time.monotonic() - started,
        reused=reused,
        corrupt=corrupt,
        left_out=left_out,
        near_duplicates=cache.about(entry)["near_duplicates"],
    )


def told(left_out: Sequence[tuple[str, str, int]]) -> str:
    """Files that were left out, in words: "3 files .txt (not a picture in a known format)"."""
    return "; ".join(
        f"{n:,} file{'s' if n > 1 else ''} {kind} ({what})" for kind, what, n in left_out
    )


def _prepare(
    found: list[Found], draft: cache.Draft, progress: Progress | None
) -> tuple[str, list[tuple[str, str]], list[tuple[str, str, int]]]:
    """Decode into ``draft``; return the digest of what was read, who is corrupt and why, and how
    many files of which kind are no pictures."""
    digest = hashlib.sha256()
    corrupt: list[tuple[str, str]] = []
    left_out: Counter[tuple[str, str]] = Counter()

    def prepare(stored: bytes | np.ndarray) -> tuple[bytes, np.ndarray]:
        pixels = decode(stored, draft.size)
        # One picture in an array counts with its shape: the bytes alone do not tell it.
        shape = b"" if isinstance(stored, bytes) else repr(stored.shape).encode()
        raw = stored if isinstance(stored, bytes) else np.ascontiguousarray(stored).data
        return hashlib.sha256(shape + raw).digest(), pixels

    def read(picture: Found) -> tuple[bytes, np.ndarray] | ValueError:
        try:
            return picture.prepared(prepare)
        except ValueError as error:
            return error

    # Decoders release the interpreter lock, so threads do help.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for start in range(0, len(found), READ_AT_ONCE):
            part = found[start : start + READ_AT_ONCE]
            good = []
            for picture, result in zip(part, pool.map(read, part), strict=True):
                if isinstance(result, NotAPicture):
                    left_out[picture.kind, str(result)] += 1
                elif isinstance(result, ValueError):
                    corrupt.append((picture.name, str(result)))
                else:
                    digest.update(result[0])
                    good.append(result[1])
            if good:
                draft.add(np.stack(good))
            if progress:
                progress(start + len(part), len(found))
    counted = [(kind, what, n) for (kind, what), n in left_out.most_common()]
    return digest.hexdigest(), corrupt, counted


def _check_corrupt(
    path: Path, good: int, corrupt: list[tuple[str, str]], skip_corrupt: bool
) -> None:
    few = "; ".join(f"{name}: {reason}" for name, reason in corrupt[:3])
    few += f"; and {len(corrupt) - 3} more" if len(corrupt) > 3 else ""
    if corrupt and not skip_corrupt:
        raise UserError(
            f"{len(corrupt)} of {good + len(corrupt)} images in {path} cannot be used: {few}. "
            "To leave them out: --skip-corrupt"
        )
    if good < 2:
        raise UserError(f"{good} usable images in {path} ({few}): at least 2 are needed")


def _is_new(name: str, entry: Path, source_digest: str, replace: bool) -> bool:
    """Whether to write ``entry``. Raises UserError when the name stands for other content."""
    for size in imported_sets().get(name, []):
        other = cache.about(place(name, size))
        if other.get("source_digest") != source_digest and not replace:
            raise UserError(
                f"the name {name!r} is taken by other content ({other['n']} images at size "
                f"{size}, from {other.get('source')!r}): choose another name, or use --replace"
            )
    return not entry.exists() or cache.about(entry).get("source_digest") != source_digest


def _forget_others(name: str, source_digest: str) -> None:
    """Remove the other sizes of ``name`` that were made from what is now replaced."""
    for size in imported_sets().get(name, []):
        if cache.about(place(name, size)).get("source_digest") != source_digest:
            shutil.rmtree(place(name, size))

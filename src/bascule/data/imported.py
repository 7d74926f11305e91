"""Imported image sets: the user's own images, imported once and then opened by name."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from torch.utils.data import ConcatDataset

from bascule.core.errors import UserError
from bascule.core.fields import added_field, brief, check_fields
from bascule.core.shapes import Shape, shape_of, shape_with, square
from bascule.data import cache
from bascule.data.dataset import dataset_of, name_of
from bascule.data.decoding import Decoded, Fit, NotAPicture, Preparation, decode_as
from bascule.data.found import Found
from bascule.data.images import ImageSet, Progress
from bascule.data.items import Items, read_items
from bascule.data.labels import Labels, Told, joined, labels_in, merged, missing, of_folders
from bascule.data.near_duplicates import groups_across
from bascule.data.places import check_free, imported_sets, place
from bascule.data.source import DataSource
from bascule.data.sources import open_source

SIZES = range(8, 1025)
READ_AT_ONCE = 256
DIM = 2**14  # 16-bit images without a brighter pixel seem to have fewer bits


@dataclass(frozen=True)
class Imported(DataSource):
    """The image set that was imported as ``name``, with images of ``size`` pixels a side.

    channels  3: RGB, 1: grey, 4: RGBA
    sides     height and width, of which the shorter one is ``size``; None: both are
    """

    name: str
    size: int = 64
    channels: int = added_field(3, quiet=True)
    sides: tuple[int, int] | None = added_field(None, quiet=True)

    def __post_init__(self) -> None:
        check_fields(self)
        _ = self.shape  # refuses fields that contradict each other

    @property
    def shape(self) -> Shape:
        return shape_with(self.size, self.sides, self.channels, "Imported")

    __repr__ = brief

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set from the cache; ``progress`` is never called, because nothing is computed.

        Raises UserError if there is no such set or size, or if the entry is damaged.
        """
        entry = place(self.name, self.shape)
        cache.recover(entry)
        if entry.exists():
            return cache.open_entry(entry)
        sets = imported_sets()
        how = f"bascule data import FOLDER --name {self.name} {option(self.shape)}"
        if self.name in sets:
            shapes = "; ".join(map(str, sets[self.name]))
            raise UserError(
                f"image set {self.name!r} was imported at {shapes}, not at {self.shape}; "
                f"use one of these or run: {how}"
            )
        raise UserError(
            f"no image set {self.name!r}; imported: {', '.join(sets) or 'none yet'}. "
            f"To import one: {how}"
        )


def option(shape: Shape) -> str:
    """The options of ``bascule data import`` that ask for ``shape``."""
    size = f"--size {shape.width}x{shape.height}" if shape.sides else f"--size {shape.size}"
    return size if shape.channels == 3 else f"{size} --mode {shape.mode}"


def preparation_of(data: Any) -> Preparation:
    """How pictures become like the images of a source: as those of an imported set became."""
    shape = shape_of(data)
    entry = place(data.name, shape) if isinstance(data, Imported) else None
    facts = cache.about(entry).get("preparation", {}) if entry else {}
    try:
        return Preparation(shape, **facts)
    except TypeError as error:
        raise UserError(f"{entry}: about.json: {error}; import the set again") from None


def set_named(name: str, size: int) -> Imported:
    """The set ``name`` as it was imported with the shorter side ``size``; in RGB, if it was so.

    If it was imported in a single shape, that one, whatever its size. Raises UserError if several
    shapes are equally near.
    """
    shapes = imported_sets().get(name, [])
    of_size = [shape for shape in shapes if shape.size == size]
    if not shapes or square(size) in shapes or (not of_size and len(shapes) > 1):
        return Imported(name, size)
    found = of_size or shapes
    if len(found) > 1:
        calls = ", ".join(f"'{_of_shape(name, shape)}'" for shape in found)
        raise UserError(f"image set {name!r} was imported in several shapes: name one of {calls}")
    return _of_shape(name, found[0])


def _of_shape(name: str, shape: Shape) -> Imported:
    return Imported(name, shape.size, shape.channels, shape.sides)


@dataclass(frozen=True)
class Report:
    """The result of an import.

    found            how many pictures there were, including unusable ones
    imported, held_out   how many images the set has, and how many of them are held out
    seconds          how long the import took
    reused           whether the same content had been imported before
    corrupt          (name, reason) of each unusable picture
    left_out         (suffix, what they are, how many) of the files that are not pictures
    near_duplicates  groups of near duplicates, as indices into the set
    across           how many of these groups have images on both sides of a given split
    labels           the number of values of each label; 0 for a number
    unlabelled       the number of images without a value, of the labels that some lack
    cut              (images, of whose area more than 1 % was cut away; the median share of these)
    """

    name: str
    shape: Shape
    found: int
    imported: int
    held_out: int
    seconds: float
    reused: bool
    corrupt: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str, int]] = field(default_factory=list)
    near_duplicates: list[list[int]] = field(default_factory=list)
    across: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    unlabelled: dict[str, int] = field(default_factory=dict)
    cut: tuple[int, float] = (0, 0.0)


def import_images(
    path: Path | str,
    name: str,
    size: int | Shape = 64,
    skip_corrupt: bool = False,
    replace: bool = False,
    credit: str = "",
    progress: Progress | None = None,
    held_out: Path | str | None = None,
    fit: Fit = "crop",
    pixel_art: bool = False,
    bits: int | None = None,
) -> Report:
    """Prepare all images of a folder, ``.zip`` or ``.npz`` and keep them as the set ``name``.

    ``size``: the side of RGB squares, or another shape of the set. Formats and preparation:
    :mod:`bascule.data.decoding`; labels: :mod:`bascule.data.labels`. If
    the same content was imported before in the same way, that set is reused. Near duplicates are
    grouped, and about a tenth of the images is held out, in whole groups. If ``held_out``, another
    such source, is given, exactly its images are held out, with no regard to near duplicates.
    Files that are not pictures, neither by name nor by content, are skipped and counted by kind.

    Raises UserError if there are fewer than two images; if some cannot be read, are smaller than
    8 x 8 or larger than 50 million pixels (``skip_corrupt`` skips these); if all pictures of 16
    bits are dark and ``bits``, those of their numbers, is not given; if ``name`` is used for
    other content (``replace`` overwrites it); and as :func:`open_source`.
    """
    with importing(name, size, replace) as made:
        path, how = Path(path).expanduser(), Preparation(size, fit, pixel_art, bits or 16)
        draft = made.draft
        first = _prepare(path, draft, how, progress)
        parts, corrupt, left_out = [first], first.corrupt, first.left_out
        labels, source_digest = first.labels, first.digest
        images = draft.n + len(corrupt)
        if not images:
            raise UserError(f"no images in {path}: {told(left_out) or 'it is empty'}")
        if images == 1:
            raise UserError(f"only one image in {path}: at least 2 are needed")
        check_corrupt(path, draft.n, corrupt, skip_corrupt)
        mask = None
        if held_out is not None:
            train, held_out = draft.n, Path(held_out).expanduser()
            more = _prepare(held_out, draft, how, progress)
            source_digest = hashlib.sha256((source_digest + more.digest).encode()).hexdigest()
            check_corrupt(held_out, draft.n - train, more.corrupt, skip_corrupt)
            images += draft.n - train + len(more.corrupt)
            corrupt, left_out = corrupt + more.corrupt, left_out + more.left_out
            mask = np.arange(draft.n) >= train
            parts.append(more)
            labels = joined(labels, more.labels)
        if bits is None:
            _check_bright(max((n for part in parts for n in part.brightest), default=DIM))
        made.finish(
            _digest_with(source_digest, how, labels),
            credit=credit,
            labels=labels,
            held_out=mask,
            source=path.name,
            preparation=how.facts,
            corrupt=corrupt,
            left_out=left_out,
        )
    cut = [share for part in parts for share in part.cut if share > 0.01]
    return dataclasses.replace(
        made.report(),
        found=images,
        corrupt=corrupt,
        left_out=left_out,
        labels={
            label: 0 if values.dtype.kind == "f" else len({*values.tolist()} - {""})
            for label, values in labels.items()
        },
        unlabelled=missing(labels),
        cut=(len(cut), median(cut) if cut else 0.0),
    )


def import_dataset(
    of: Any,
    name: str,
    size: int | Shape = 64,
    held_out: Any = None,
    replace: bool = False,
    credit: str = "",
    progress: Progress | None = None,
    fit: Fit = "crop",
    pixel_art: bool = False,
) -> Report:
    """Prepare the images of a dataset of PyTorch or Hugging Face, kept as the set ``name``.

    ``of``, ``held_out``: as in :class:`bascule.data.dataset.FromDataset`; items are as in
    :mod:`bascule.data.items`, and prepared like pictures in files. Exactly the images of
    ``held_out`` are held out, such as those of an official test set, with no regard to near
    duplicates; without it, about a tenth of the images. Raises UserError as
    :func:`import_images` and :func:`bascule.data.items.read_items`.
    """
    started = time.monotonic()
    entry = _checked_place(name, size)
    source = dataset_of(of)
    parts = [source] if held_out is None else [source, dataset_of(held_out)]
    joined = parts[0] if len(parts) == 1 else ConcatDataset(parts)
    items = read_items(name_of(of), joined, Preparation(size, fit, pixel_art), progress)
    trained_on = None if held_out is None else len(source)
    reused = _keep(entry, name, items, of, replace, credit, trained_on)
    return _report(entry, time.monotonic() - started, reused)


def store_dataset(
    of: Any, name: str, size: int | Shape, credit: str = "", progress: Progress | None = None
) -> Imported:
    """As :func:`import_dataset`, under a name that ends in a digest of the content.

    So equal content is stored once, and a recipe with this set names its content.
    """
    shape = square(size) if isinstance(size, int) else size
    items = read_items(name_of(of), dataset_of(of), Preparation(shape), progress)
    called = f"{name}-{items.digest[:8]}"
    _keep(_checked_place(called, shape), called, items, of, False, credit, None)
    return _of_shape(called, shape)


def _keep(
    entry: Path,
    name: str,
    items: Items,
    of: Any,
    replace: bool,
    credit: str,
    trained_on: int | None,
) -> bool:
    """Write the set; whether it was there. ``trained_on``: how many come before held-out ones."""
    if not _is_new(name, entry, items.digest, replace):  # nothing is written, not even a draft
        if replace:
            _forget_others(name, items.digest)
        return True
    with importing(name, Shape(*map(int, items.pixels.shape[1:])), replace) as made:
        made.draft.add(items.pixels)
        made.finish(
            items.digest,
            credit=credit,
            labels=items.labels,
            held_out=None if trained_on is None else np.arange(made.draft.n) >= trained_on,
            source=name_of(of),
        )
    return made.reused


class Importing:
    """A set that is being imported: pixels are added to ``draft``, and :meth:`finish` ends it."""

    def __init__(self, draft: cache.Draft, name: str, entry: Path, replace: bool) -> None:
        self.draft, self.name, self.entry, self.replace = draft, name, entry, replace
        self.began = time.monotonic()
        self.source_digest, self.reused = "", False

    def finish(self, source_digest: str, **facts: Any) -> None:
        """Complete the set, if it is not there already. ``facts``: as of :meth:`Draft.finish`.

        Raises UserError if the name is used for other content.
        """
        self.source_digest = source_digest
        self.reused = not _is_new(self.name, self.entry, source_digest, self.replace)
        if not self.reused:
            self.draft.finish(name=self.name, source_digest=source_digest, **facts)

    def report(self) -> Report:
        """What was imported; to be asked for after the block."""
        return _report(self.entry, time.monotonic() - self.began, self.reused)


@contextmanager
def importing(name: str, size: int | Shape, replace: bool) -> Iterator[Importing]:
    """Import the set ``name`` within this block. Raises UserError if a set cannot be so.

    After it, other sizes of replaced content are gone. Raises UserError if another import has taken
    the name meanwhile.
    """
    entry = _checked_place(name, size)
    with cache.draft(entry, size, replace=replace) as draft:
        made = Importing(draft, name, entry, replace)
        yield made
    _check_kept(name, entry, made.source_digest)
    if replace:
        _forget_others(name, made.source_digest)


def _checked_place(name: str, size: int | Shape) -> Path:
    """The folder of the set ``name`` at ``size``. Raises UserError if a set cannot be so."""
    entry = place(name, size)
    shape = square(size) if isinstance(size, int) else size
    check_free(name)
    check_shape(shape)
    return entry


def check_shape(shape: Shape) -> None:
    """Raise UserError if no image set can have this shape."""
    if shape.size not in SIZES:
        raise UserError(f"size {shape.size}: expected {SIZES[0]} to {SIZES[-1]} pixels")
    shape_with(shape.size, shape.sides, shape.channels, "Imported")


def _report(entry: Path, seconds: float, reused: bool) -> Report:
    """The report of a complete entry."""
    kept, groups = cache.open_entry(entry), cache.about(entry)["near_duplicates"]
    return Report(
        name=kept.name,
        shape=kept.shape,
        found=len(kept),
        imported=len(kept),
        held_out=int(kept.held_out.sum()),
        seconds=seconds,
        reused=reused,
        near_duplicates=groups,
        across=groups_across(groups, kept.held_out),
    )


def told(left_out: Sequence[tuple[str, str, int]]) -> str:
    """Skipped files in words: "3 files .txt (not a picture in a known format)"."""
    return "; ".join(
        f"{n:,} file{'s' if n > 1 else ''} {kind} ({what})" for kind, what, n in left_out
    )


def _digest_with(digest: str, how: Preparation, labels: Mapping[str, np.ndarray]) -> str:
    """A digest of the content, its labels and its preparation; the content's alone by default."""
    if not how.said and not labels:
        return digest
    told = [f"{name} {values.tolist()}" for name, values in sorted(labels.items())]
    return hashlib.sha256(" ".join([digest, how.said, *told]).encode()).hexdigest()


@dataclass(frozen=True)
class _Prepared:
    """What was decoded of a source.

    digest     of the content
    labels     of the images
    cut        the share of each picture that was cut away, 0 to 1
    brightest  the largest number of each picture of 16 bits
    corrupt    (name, reason) of each corrupt picture
    left_out   (suffix, what they are, how many) of files that are not pictures
    """

    digest: str
    labels: Labels
    cut: list[float]
    brightest: list[int]
    corrupt: list[tuple[str, str]]
    left_out: list[tuple[str, str, int]]


def _prepare(
    path: Path, draft: cache.Draft, how: Preparation, progress: Progress | None
) -> _Prepared:
    """Decode the pictures of the source at ``path`` into ``draft``, and read its labels."""
    with open_source(path) as found:
        tables, pictures = labels_in(path, found)
        return _decoded(pictures, tables, draft, how, progress)


def _decoded(
    found: Sequence[Found],
    tables: Sequence[Told],
    draft: cache.Draft,
    how: Preparation,
    progress: Progress | None,
) -> _Prepared:
    digest = hashlib.sha256()
    names: list[str] = []
    cut: list[float] = []
    brightest: list[int] = []
    corrupt: list[tuple[str, str]] = []
    left_out: Counter[tuple[str, str]] = Counter()

    def prepare(stored: bytes | np.ndarray) -> tuple[bytes, Decoded]:
        decoded = decode_as(stored, how)
        # The digest of an array includes its shape, which its bytes do not contain.
        shape = b"" if isinstance(stored, bytes) else repr(stored.shape).encode()
        raw = stored if isinstance(stored, bytes) else np.ascontiguousarray(stored).data
        return hashlib.sha256(shape + raw).digest(), decoded

    def read(picture: Found) -> tuple[bytes, Decoded] | ValueError:
        try:
            return picture.prepared(prepare)
        except ValueError as error:
            return error

    # Decoders release the interpreter lock, so threads make this faster.
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
                    decoded = result[1]
                    good.append(decoded.pixels)
                    names.append(picture.name)
                    cut.append(how.cut_away(decoded.sides))
                    if decoded.brightest is not None:
                        brightest.append(decoded.brightest)
            if good:
                draft.add(np.stack(good))
            if progress:
                progress(start + len(part), len(found))
    counted = [(kind, what, n) for (kind, what), n in left_out.most_common()]
    labels = merged([of_folders(names), *tables], names)
    return _Prepared(digest.hexdigest(), labels, cut, brightest, corrupt, counted)


def check_corrupt(
    path: Path,
    good: int,
    corrupt: Sequence[tuple[str, str]],
    skip_corrupt: bool,
    what: str = "images",
) -> None:
    """Raise UserError for corrupt pictures that are not to be left out, and for too few others.

    ``corrupt``: (name, reason) of each. ``what``: what ``good`` and they are.
    """
    few = "; ".join(f"{name}: {reason}" for name, reason in corrupt[:3])
    few += f"; and {len(corrupt) - 3} more" if len(corrupt) > 3 else ""
    if corrupt and not skip_corrupt:
        raise UserError(
            f"{len(corrupt)} of {good + len(corrupt)} {what} in {path} cannot be used: {few}. "
            "To leave them out: --skip-corrupt"
        )
    if good < 2:
        why = f" ({few})" if few else ""
        raise UserError(f"{good} usable {what} in {path}{why}: at least 2 are needed")


def _check_bright(brightest: int) -> None:
    """Raise UserError if all pictures of 16 bits are so dark that they seem to have fewer bits."""
    if brightest < DIM:
        likely = max(9, brightest.bit_length())
        raise UserError(
            f"the brightest pixel of all 16-bit images is {brightest:,} of 65,535: give "
            f"--bits {likely} if their numbers have {likely} bits, or --bits 16 to keep them dark"
        )


def _is_new(name: str, entry: Path, source_digest: str, replace: bool) -> bool:
    """Whether to write ``entry``. Raises UserError if the name is used for other content."""
    for shape in imported_sets().get(name, []):
        other = cache.about(place(name, shape))
        if other.get("source_digest") != source_digest and not replace:
            raise UserError(
                f"the name {name!r} is used for other content ({other['n']} images at {shape}, "
                f"from {other.get('source')!r}): choose another name, or use --replace"
            )
    return not entry.exists() or cache.about(entry).get("source_digest") != source_digest


def _check_kept(name: str, entry: Path, source_digest: str) -> None:
    """Raise UserError if another import has taken the name meanwhile, with other content."""
    if cache.about(entry).get("source_digest") != source_digest:
        raise UserError(
            f"another import made the set {name!r} from other content meanwhile, and these images "
            "were not kept: choose another name, or use --replace"
        )


def _forget_others(name: str, source_digest: str) -> None:
    """Delete the other sizes of ``name`` that were made from the replaced content."""
    for shape in imported_sets().get(name, []):
        if cache.about(place(name, shape)).get("source_digest") != source_digest:
            shutil.rmtree(place(name, shape))

"""Pairs of the user's own: pictures of equal names in two folders, or two pictures side by side."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data import cache
from bascule.data.decoding import Fit, Preparation, decode_as, halves
from bascule.data.found import Found, named_as_picture
from bascule.data.images import DOMAIN, ImageSet, Progress
from bascule.data.imported import (
    READ_AT_ONCE,
    Imported,
    Report,
    check_corrupt,
    importing,
)
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups
from bascule.data.places import place
from bascule.data.source import PairSource
from bascule.data.sources import open_source

Stored = bytes | np.ndarray


@dataclass(frozen=True)
class OwnPairs(PairSource):
    """The pairs that were imported as ``name``, with images of ``size`` pixels a side.

    Image k of domain "a" is the counterpart of image k of domain "b", among the training images and
    among those that are held out. ``swapped``: "a" are the second pictures instead of the first, so
    that a net learns the other direction.
    """

    name: str
    size: int = 64
    swapped: bool = False

    has_truth: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def paired(self) -> bool:
        return True

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The pairs from the cache; ``progress`` is never called, because nothing is computed.

        The only label is ``domain``. Raises UserError if there is no such set, or one without
        pairs.
        """
        images = Imported(self.name, self.size).load()
        if not cache.about(place(self.name, self.size)).get("pairs"):
            raise UserError(
                f"image set {self.name!r} has no pairs: import them under another name with "
                "bascule data import FOLDER --pairs OTHER_FOLDER, or --side-by-side"
            )
        if not self.swapped:
            return images
        other = np.where(images.labels[DOMAIN] == "a", "b", "a")
        return dataclasses.replace(images, labels={DOMAIN: other})


def import_pairs(
    first: Path | str,
    second: Path | str | None,
    name: str,
    size: int = 64,
    skip_corrupt: bool = False,
    replace: bool = False,
    credit: str = "",
    progress: Progress | None = None,
    fit: Fit = "crop",
    pixel_art: bool = False,
) -> Report:
    """Prepare pairs of pictures and keep them as the set ``name``, in RGB squares of ``size`` px.

    ``first``, ``second``: sources as in :func:`bascule.data.sources.open_source`, whose pictures
    have equal names but for the suffix. ``second`` None: every picture of ``first`` holds both,
    side by side. Both pictures of a pair are prepared alike, as :func:`import_images` does, and are
    held out together. Pairs whose pictures are near duplicates on both sides stay together, too.

    Raises UserError for a picture without a counterpart and for one that cannot be read
    (``skip_corrupt`` leaves these pairs out), and as :func:`import_images`.
    """
    source, corrupt = Path(first).expanduser(), []
    with (
        importing(name, size, replace) as made,
        _pairs(source, None if second is None else Path(second).expanduser()) as (found, alone),
        ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool,
    ):
        how = Preparation(size, fit, pixel_art)
        digest, read = hashlib.sha256(f"pairs {how.said}".encode()), _reader(how)
        corrupt += alone
        for start in range(0, len(found), READ_AT_ONCE // 2):
            part = found[start : start + READ_AT_ONCE // 2]
            good = []
            for pair, result in zip(part, pool.map(read, part), strict=True):
                if isinstance(result, ValueError):
                    corrupt.append((pair.name, str(result)))
                else:
                    digest.update(result[0])
                    good += result[1]
            if good:
                made.draft.add(np.stack(good))
            if progress:
                progress(start + len(part), len(found))
        pairs = made.draft.n // 2
        check_corrupt(source, pairs, corrupt, skip_corrupt, "pairs")
        made.finish(
            digest.hexdigest(),
            credit=credit,
            labels={DOMAIN: np.tile(["a", "b"], pairs)},
            held_out=_held_out,
            pairs=True,
            source=source.name,
            preparation=how.facts,
            corrupt=corrupt,
        )
    return dataclasses.replace(made.report(), found=len(found) + len(alone), corrupt=corrupt)


@dataclass(frozen=True)
class _Pair:
    """A pair that is not read yet. ``second`` None: the first picture holds both."""

    name: str
    first: Found
    second: Found | None


@contextmanager
def _pairs(first: Path, second: Path | None) -> Iterator[tuple[list[_Pair], list[tuple[str, str]]]]:
    """The pairs by name, and (name, reason) of each picture that has no counterpart."""
    with ExitStack() as opened:
        ours = _by_name(first, opened.enter_context(open_source(first)))
        if second is None:
            yield [_Pair(one.name, one, None) for one in ours.values()], []
            return
        theirs = _by_name(second, opened.enter_context(open_source(second)))
        both = sorted(ours.keys() & theirs.keys())
        if not both:
            raise UserError(
                f"no picture of {first} ({_first(ours)}) has a counterpart in {second} "
                f"({_first(theirs)}): expected equal names but for the suffix"
            )
        alone = [
            (f"{folder.name}/{one.name}", f"has no counterpart in {other}")
            for mine, folder, names, other in (
                (ours, first, theirs, second),
                (theirs, second, ours, first),
            )
            for key, one in mine.items()
            if key not in names
        ]
        yield [_Pair(key, ours[key], theirs[key]) for key in both], alone


def _first(named: Mapping[str, Found]) -> str:
    return next((f"such as {one.name}" for one in named.values()), "no pictures")


def _by_name(path: Path, found: Sequence[Found]) -> Mapping[str, Found]:
    """The pictures of a source by their name without its suffix, in order."""
    named: dict[str, Found] = {}
    for one in found:
        if not named_as_picture(one.name) and PurePosixPath(one.name).suffix:
            continue
        key = str(PurePosixPath(one.name).with_suffix(""))
        if key in named:
            raise UserError(
                f"{path}: {named[key].name} and {one.name} differ only in their suffix: expected "
                "one picture for each pair"
            )
        named[key] = one
    return named


def _reader(how: Preparation) -> Callable[[_Pair], Any]:
    """A function that reads a pair: its digest and both pictures, or the ValueError."""

    def prepared(stored: Stored) -> tuple[bytes, np.ndarray]:
        raw = stored if isinstance(stored, bytes) else np.ascontiguousarray(stored).tobytes()
        return hashlib.sha256(raw).digest(), decode_as(stored, how).pixels

    def both(stored: Stored) -> list[tuple[bytes, np.ndarray]]:
        return [prepared(half) for half in halves(stored)]

    def read(pair: _Pair) -> tuple[bytes, list[np.ndarray]] | ValueError:
        try:
            if pair.second is None:
                told = pair.first.prepared(both)
            else:
                told = [one.prepared(prepared) for one in (pair.first, pair.second)]
        except ValueError as error:
            return error
        return b"".join(digest for digest, _ in told), [pixels for _, pixels in told]

    return read


def _held_out(pixels: np.ndarray) -> np.ndarray:
    """The held-out images, bool (2 N,): both of a pair, or none."""
    sides = np.stack([near_duplicate_groups(pixels[k::2]) for k in (0, 1)], 1)
    groups = np.unique(sides, axis=0, return_inverse=True)[1].reshape(-1)
    return np.repeat(held_out_split(groups), 2)

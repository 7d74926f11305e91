"""Cartoon faces: the built-in image set, drawn from vector parts with exact labels for every part.

DiceBear draws them (dicebear-core, MIT; the styles have licences of their own), resvg makes pixels.
Image i of a style depends only on the style, the seed i and the package versions. So a smaller
set is the beginning of a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from bascule.core.errors import UserError, unknown
from bascule.core.fields import added_field, check_fields
from bascule.data import cache
from bascule.data.artist import Artist
from bascule.data.drawing import parts_of
from bascule.data.images import ImageSet, Progress
from bascule.data.near_duplicates import HELD_OUT
from bascule.data.source import DataSource
from bascule.data.styles import OPTIONS

MOST = 2**53  # largest number of a first face


@dataclass(frozen=True)
class Faces(DataSource):
    """Cartoon faces of one style.

    n         how many, at least 2
    size      the side in pixels, 8 to 1024
    style     micah, adventurer, open-peeps or dylan
    held_out  the share of held-out images, in (0, 1)
    first     the number of the first face: Faces(n=600) and Faces(first=600) share no face

    Labels have DiceBear's names: ``hairVariant`` etc. for parts, ``hairColor`` etc. for colours
    (text, ``"none"`` if not drawn), ``flip`` (text), and ``scale, rotate, translateX, translateY``
    (floats: a factor, degrees, per cent, per cent). Labels are exact even for parts that are hardly
    visible at 64 px, such as noses and earrings.
    """

    n: int = 2000
    size: int = 64
    style: str = "micah"
    held_out: float = HELD_OUT
    first: int = added_field(0)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.style not in OPTIONS:
            raise unknown("style of faces", self.style, OPTIONS)
        if not 2 <= self.n <= cache.MOST_MADE or not 8 <= self.size <= 1024:
            raise UserError(
                f"Faces(n={self.n}, size={self.size}): expected n >= 2 and size from 8 to 1024; "
                f"n is at most {cache.MOST_MADE:,}"
            )
        if not 0 < self.held_out < 1:
            raise UserError(f"Faces(held_out={self.held_out}): expected a share between 0 and 1")
        if not 0 <= self.first <= MOST:
            raise UserError(f"Faces(first={self.first}): expected a number from 0 to {MOST}")

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set from the cache; drawn first if needed, in 2 to 6 ms per image at 64 px and core.

        ``progress`` is called with (images done, images in all). Raises UserError when the cache is
        damaged or cannot be written.
        """
        rules: dict[str, Any] = {
            "source": "DiceBear",
            "style": self.style,
            "n": self.n,
            "size": self.size,
            "options": OPTIONS[self.style],
            "packages": {p: version(p) for p in ("dicebear-core", "dicebear-styles", "resvg-py")},
        }
        if self.held_out != HELD_OUT:
            rules["held_out"] = self.held_out
        if self.first:
            rules["first"] = self.first
        entry = cache.made(f"faces-{self.style}-{self.size}px-{self.n}", rules)
        if not entry.exists():
            self._draw(entry, rules, progress)
        return cache.open_entry(entry)

    def _draw(self, entry: Any, rules: dict[str, Any], progress: Progress | None) -> None:
        artist = Artist(self.style)
        resolved: list[dict[str, str | float]] = []
        with cache.draft(entry, self.size) as draft:
            for pixels, labels in parts_of(artist, self.size, self.first, self.n):
                draft.add(pixels)
                resolved += labels
                if progress:
                    progress(len(resolved), self.n)
            draft.finish(
                name=f"faces-{self.style}",
                credit=artist.credit,
                labels={k: np.array([labels[k] for labels in resolved]) for k in resolved[0]},
                share=self.held_out,
                rules=rules,
            )

"""Renders with their labels, drawn apart from every data set: what a classifier learns from.

The seeds are far above those of any :class:`~bascule.data.faces.Faces`, which count from 0, so a
classifier has seen no image that a GAN is trained or judged on. (A style that draws few different
faces is the exception: dylan knows 5,040, and any seed gives one of them.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bascule.data.faces import Artist

LEARNT_FROM = 10_000_000  # first seed of the renders that the classifier is trained on
FRESH = 20_000_000  # ... that it is judged on, and that stand for reals nobody trained on
SELDOM = 50  # per cent: an optional part drawn less often than this is drawn this often


@dataclass(frozen=True, eq=False)
class Renders:
    """N renders: ``pixels`` uint8 (N, 3, size, size), and each attribute's values, (N,) text."""

    pixels: np.ndarray
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.pixels)


def draw(
    style: str,
    size: int,
    first_seed: int,
    n: int,
    enriched: bool = False,
    drawn: Callable[[int], None] | None = None,
) -> Renders:
    """``n`` renders of ``style`` from ``first_seed`` on; ``drawn`` is told 1 after each.

    ``enriched``: every second render shows each optional part with probability 1/2 where the
    style shows it less often, so that a moustache in 2 % of the faces is learnt too.
    Only attributes of text are kept; geometry (floats) is not.
    """
    artist = Artist(style)
    often = seldom_parts(artist) if enriched else {}
    faces = []
    for seed in range(first_seed, first_seed + n):
        faces.append(artist.draw(seed, size, **(often if seed % 2 else {})))
        if drawn:
            drawn(1)
    names = [name for name, value in faces[0][1].items() if isinstance(value, str)]
    return Renders(
        pixels=np.stack([pixels for pixels, _ in faces]),
        labels={name: np.array([labels[name] for _, labels in faces]) for name in names},
    )


def seldom_parts(artist: Artist) -> dict[str, Any]:
    """The options that show every optional part of the style at least half of the time."""
    parts = artist.definition["components"].items()
    return {
        f"{part}Probability": SELDOM
        for part, facts in parts
        if facts.get("probability", 100) < SELDOM
    }

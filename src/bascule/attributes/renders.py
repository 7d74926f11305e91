"""Renders of faces with their labels, the training images of attribute classifiers.

Their seeds are far above those of any :class:`~bascule.data.faces.Faces`, which start at 0. So a
classifier has seen no image that a GAN is trained or evaluated on. (An exception is a style with
few different faces: dylan has 5,040, and any seed gives one of them.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bascule.data.artist import Artist

LEARNT_FROM = 10_000_000  # first seed of the training renders
FRESH = 20_000_000  # first seed of the test renders, which also stand for unseen reals
SELDOM = 50  # per cent: the least probability of optional parts in enriched renders


@dataclass(frozen=True, eq=False)
class Renders:
    """N renders: ``pixels`` uint8 RGB (N, 3, size, size), and labels by attribute, (N,) text."""

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
    """``n`` renders of ``style`` from ``first_seed`` on; ``drawn(1)`` is called after each.

    ``enriched``: in every second render, each optional part has a probability of at least 1/2. So
    a moustache that only 2 % of the faces have is learnt too. Only text labels are kept, not the
    geometry (floats).
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
    """DiceBear options that raise the probability of rare parts to ``SELDOM``."""
    parts = artist.definition["components"].items()
    return {
        f"{part}Probability": SELDOM
        for part, facts in parts
        if facts.get("probability", 100) < SELDOM
    }

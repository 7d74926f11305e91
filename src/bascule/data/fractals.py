"""Fractal dreams: attractors of a two-dimensional map, labelled with its four parameters.

The map is Clifford Pickover's "fractal dream",

    x' = sin(b y) + c sin(b x)        y' = sin(a x) + d sin(a y).

An image shows how often long orbits visit each pixel, as in the Fractal Dream Dataset (FDD).
Departures from the FDD: many starting points on a grid instead of one (the starting point is not a
label, and all coexisting attractors are shown); a fixed window instead of a fitted one (so the size
of the attractor is visible); a >= 0, because (-a, -b, c, d) has the same image; almost empty images
are left out.

Exact symmetries, for tests and for augmentation: (b, a, d, c) gives the transposed image, and
(-a, -b, c, d) the same image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.data import cache
from bascule.data.images import ImageSet, Progress
from bascule.data.source import DataSource

# The ranges of the uniform distributions of a, b, c, d: (low, high).
RANGES = ((0.0, 3.0), (-3.0, 3.0), (-0.5, 1.5), (-0.5, 1.5))
WINDOW = 2.5  # the orbit stays in [-1 - max(|c|, |d|), 1 + max(|c|, |d|)] after one step
STARTS_A_SIDE = 16  # symmetric under transposition and under (x, y) -> (-x, -y)
BURN_IN_STEPS = 100
SHOWN_STEPS = 300  # at 64 px or less; for larger images in proportion to their pixels
LEAST_LIT_SHARE = 0.05
COUNTED_AT_ONCE = 50  # steps
CANDIDATES_AT_ONCE = 64
# From dark to bright, for equalised ranks: black, indigo, violet, coral, amber, cream.
COLOURS = np.array(
    [(6, 8, 20), (48, 34, 110), (136, 48, 138), (232, 96, 92), (252, 178, 76), (255, 248, 214)]
)


@dataclass(frozen=True)
class Fractals(DataSource):
    """The first ``n`` fractal dreams, with ``size`` pixels a side; labels ``a, b, c, d`` (floats).

    n from 2, size from 8 to 512. Image i does not depend on n. Orbits are chaotic, so rounding on
    another processor may change single pixels, but not the parameters.
    """

    n: int = 2000
    size: int = 64

    def __post_init__(self) -> None:
        check_fields(self)
        if not 2 <= self.n <= cache.MOST_MADE or not 8 <= self.size <= 512:
            raise UserError(
                f"Fractals(n={self.n}, size={self.size}): expected n >= 2 and size from 8 to 512; "
                f"n is at most {cache.MOST_MADE:,}"
            )

    def load(self, progress: Progress | None = None) -> ImageSet:
        """The set from the cache; computed first if needed.

        ``progress`` is called with (images done, images in all). Raises UserError when the cache is
        damaged or cannot be written.
        """
        rules = {
            "source": "fractal dream",
            "version": 1,
            "n": self.n,
            "size": self.size,
            "ranges": RANGES,
            "window": WINDOW,
            "starts": STARTS_A_SIDE**2,
            "steps": [BURN_IN_STEPS, _shown_steps(self.size)],
            "least lit share": LEAST_LIT_SHARE,
        }
        entry = cache.made(f"fractals-{self.size}px-{self.n}", rules)
        if not entry.exists():
            self._compute(entry, rules, progress)
        return cache.open_entry(entry)

    def _compute(self, entry: Path, rules: dict[str, Any], progress: Progress | None) -> None:
        kept: list[np.ndarray] = []
        done = 0
        with cache.draft(entry, self.size) as draft:
            for parameters, density in accepted(self.size):
                parameters, density = parameters[: self.n - done], density[: self.n - done]
                draft.add(coloured(equalised(density)))
                kept.append(parameters)
                done += len(parameters)
                if progress:
                    progress(done, self.n)
                if done == self.n:
                    break
            a, b, c, d = np.concatenate(kept).T
            draft.finish(
                name="fractals",
                credit="Computed by bascule; no rights reserved by anyone else.",
                labels={"a": a, "b": b, "c": c, "d": d},
                rules=rules,
            )


def accepted(size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of parameters (K, 4) and counts (K, size, size) of images worth keeping."""
    low, high = np.array(RANGES).T
    batch = 0
    while True:
        rng = np.random.Generator(np.random.PCG64(address("fractals", batch)))
        parameters = rng.uniform(low, high, size=(CANDIDATES_AT_ONCE, 4))
        counts = density(parameters, size)
        lit = (counts > 0).mean((1, 2)) >= LEAST_LIT_SHARE
        yield parameters[lit], counts[lit]
        batch += 1


def step(x: np.ndarray, y: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of the map; ``x, y`` are (B, P) and ``parameters`` (B, 4): a, b, c, d."""
    a, b, c, d = parameters.T[:, :, None]
    return np.sin(b * y) + c * np.sin(b * x), np.sin(a * x) + d * np.sin(a * y)


def density(parameters: np.ndarray, size: int) -> np.ndarray:
    """How often the orbits of ``parameters`` (B, 4) visit each pixel: int64 (B, size, size).

    The indices are image, row, column. x runs along the columns and y along the rows, both from
    -WINDOW to WINDOW.
    """
    b = len(parameters)
    # The sine of float32 is twenty times faster; in a chaotic orbit, precision hardly matters.
    parameters = parameters.astype(np.float32)
    side = np.linspace(-1.0, 1.0, STARTS_A_SIDE, dtype=np.float32)
    x, y = (np.tile(part.ravel(), (b, 1)) for part in np.meshgrid(side, side))
    for _ in range(BURN_IN_STEPS):
        x, y = step(x, y, parameters)
    counts = np.zeros(b * size * size, np.int64)
    first = np.arange(b)[:, None] * size * size
    steps_left = _shown_steps(size)
    while steps_left:
        visited = []
        for _ in range(min(steps_left, COUNTED_AT_ONCE)):
            x, y = step(x, y, parameters)
            visited.append(first + _pixel(y, size) * size + _pixel(x, size))
        counts += np.bincount(np.concatenate(visited, axis=None), minlength=counts.size)
        steps_left -= len(visited)
    return counts.reshape(b, size, size)


def _shown_steps(size: int) -> int:
    return max(SHOWN_STEPS, SHOWN_STEPS * size * size // 64**2)


def _pixel(position: np.ndarray, size: int) -> np.ndarray:
    column = (position / WINDOW + 1.0) * (size / 2)
    return column.astype(np.int64).clip(0, size - 1)


def equalised(counts: np.ndarray) -> np.ndarray:
    """Histogram equalisation of ``counts`` (B, H, W), per image: float64 (B, H, W) in [0, 1].

    A visited pixel gets the share of visited pixels with at most as many visits; others get 0.
    """
    result = np.zeros(counts.shape)
    for picture, shown in zip(counts, result, strict=True):
        visited = picture > 0
        _, inverse, repeats = np.unique(picture[visited], return_inverse=True, return_counts=True)
        shown[visited] = (np.cumsum(repeats) / max(visited.sum(), 1))[inverse]
    return result


def coloured(shares: np.ndarray) -> np.ndarray:
    """``shares`` (B, H, W) in [0, 1] in the colours of the map: uint8 RGB (B, 3, H, W)."""
    stops = np.linspace(0.0, 1.0, len(COLOURS))
    channels = [np.interp(shares, stops, COLOURS[:, k]) for k in range(3)]
    pixels: np.ndarray = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return pixels

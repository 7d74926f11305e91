"""Sample grids on a page: the epochs to show, and the images as embedded data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from bascule.core.reading import numbered
from bascule.data.decoding import own_picture
from bascule.runs.store import Run

AT_MOST_EPOCHS = 12
AT_MOST_BYTES = 5_000_000  # of images in one page, as base64


@dataclass(frozen=True)
class Strip:
    """The grids of one arm: one (epochs done, data URI) for each position of the slider."""

    name: str
    colour: str
    frames: Sequence[tuple[int, str]]

    @property
    def grids(self) -> list[tuple[int, str, int, int]]:
        """Each grid once: epoch, data URI, and the first and the last position that shows it."""
        places = range(len(self.frames))
        runs = [list(of) for _, of in groupby(places, lambda place: self.frames[place][0])]
        return [(*self.frames[of[0]], of[0], of[-1]) for of in runs]

    @property
    def size(self) -> int:
        """The size of its data URIs in bytes."""
        return sum(len(uri) for _, uri, *_ in self.grids)


@dataclass(frozen=True)
class Picture:
    """A grid that is copied next to the page, under the name ``file``."""

    source: Path
    file: str
    caption: str


def sampled_epochs(run: Run) -> list[int]:
    """The numbers of completed epochs with a sample grid, in ascending order."""
    return numbered(run.folder / "samples", ".png")


def shown(runs: Iterable[Run]) -> str:
    """What the sample grids of the runs show, in words."""
    return "; or ".join(dict.fromkeys(run.recipe.sample_caption for run in runs))


def spread(epochs: Sequence[int], at_most: int) -> list[int]:
    """At most ``at_most`` of ``epochs``, evenly spaced, including the first and the last."""
    if len(epochs) <= at_most:
        return list(epochs)
    step = (len(epochs) - 1) / (at_most - 1)
    return [epochs[round(k * step)] for k in range(at_most)]


def at_or_before(epochs: Sequence[int], epoch: int) -> int:
    """The last of ``epochs`` up to ``epoch``, or the first one if there is none."""
    return max((e for e in epochs if e <= epoch), default=epochs[0])


def strips(runs: Mapping[str, Run], colour: Mapping[str, str]) -> tuple[list[int], list[Strip]]:
    """The slider positions (epochs done) and a strip for each run with sample grids.

    A run without a grid at a position shows its latest earlier one. The last grid of each run is
    lossless, if all of these take at most half of the size limit of a page. The other grids are
    compressed with a slight loss of detail. If the images would exceed the limit, there are fewer
    positions.
    """
    sampled = {name: found for name, run in runs.items() if (found := sampled_epochs(run))}
    union = sorted({epoch for epochs in sampled.values() for epoch in epochs})
    last = {name: data_uri(runs[name].sample(epochs[-1])) for name, epochs in sampled.items()}
    exact = sum(map(len, last.values())) <= AT_MOST_BYTES // 2

    @cache
    def frame(name: str, epoch: int) -> str:
        is_last = epoch == sampled[name][-1]
        return last[name] if exact and is_last else data_uri(runs[name].sample(epoch), exact=False)

    at_most = AT_MOST_EPOCHS
    while True:
        places = spread(union, at_most)
        shown_at = {n: [at_or_before(epochs, p) for p in places] for n, epochs in sampled.items()}
        drawn = [
            Strip(name, colour[name], [(epoch, frame(name, epoch)) for epoch in epochs])
            for name, epochs in shown_at.items()
        ]
        if at_most <= 2 or sum(strip.size for strip in drawn) <= AT_MOST_BYTES:
            return places, drawn
        at_most = max(2, at_most * 2 // 3)


def data_uri(picture: Path | np.ndarray, exact: bool = True) -> str:
    """An image as WebP in base64, lossless or (``exact=False``) with a slight loss of detail.

    ``picture``: a file, or uint8 (H, W, 3).
    """
    buffer = io.BytesIO()
    with own_picture(picture) if isinstance(picture, Path) else Image.fromarray(picture) as shown:
        shown.convert("RGB").save(buffer, "WEBP", lossless=exact, quality=85, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def size_of(uri: str) -> tuple[int, int]:
    """Width and height in pixels of an image in a data URI."""
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        return picture.size

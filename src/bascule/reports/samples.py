"""Sample grids on a page: which epochs are shown, and the pictures as text inside the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bascule.data.decoding import opened
from bascule.runs.store import Run

AT_MOST_EPOCHS = 12
AT_MOST_BYTES = 3_500_000  # of pictures in one page, as base64
AT_MOST_SIDE = 640  # pixels


@dataclass(frozen=True)
class Strip:
    """The grids of one arm: one (epochs done, data URI) for each place of the slider."""

    name: str
    colour: str
    frames: Sequence[tuple[int, str]]

    @property
    def size(self) -> int:
        """Bytes of its pictures as text."""
        return sum(len(uri) for _, uri in self.frames)


@dataclass(frozen=True)
class Picture:
    """A grid that is copied beside the page: ``file`` is its name there."""

    source: Path
    file: str
    caption: str


def sampled_epochs(run: Run) -> list[int]:
    """The numbers of epochs done at which the run has a sample grid, ascending."""
    found = (run.folder / "samples").glob("epoch-*.png")
    return sorted(int(path.stem.partition("-")[2]) for path in found)


def shown(runs: Iterable[Run]) -> str:
    """What the sample grids of the runs show, in words."""
    return "; or ".join(dict.fromkeys(run.recipe.drawn for run in runs))


def spread(epochs: Sequence[int], at_most: int) -> list[int]:
    """At most so many of ``epochs``, evenly spaced, the first and the last among them."""
    if len(epochs) <= at_most:
        return list(epochs)
    step = (len(epochs) - 1) / (at_most - 1)
    return [epochs[round(k * step)] for k in range(at_most)]


def at_or_before(epochs: Sequence[int], epoch: int) -> int:
    """The last of ``epochs`` that is not after ``epoch``, or the first of all."""
    return max((e for e in epochs if e <= epoch), default=epochs[0])


def strips(runs: Mapping[str, Run], colour: Mapping[str, str]) -> tuple[list[int], list[Strip]]:
    """The places of the slider (epochs done) and a strip for each run that has sample grids.

    A run without a grid at a place shows its latest before. Fewer places are kept when the
    pictures would make the page heavy.
    """
    sampled = {name: found for name, run in runs.items() if (found := sampled_epochs(run))}
    union = sorted({epoch for epochs in sampled.values() for epoch in epochs})
    at_most = AT_MOST_EPOCHS
    while True:
        places = spread(union, at_most)
        drawn = [
            Strip(name, colour[name], [_frame(runs[name], epochs, place) for place in places])
            for name, epochs in sampled.items()
        ]
        if at_most <= 2 or sum(strip.size for strip in drawn) <= AT_MOST_BYTES:
            return places, drawn
        at_most = max(2, at_most * 2 // 3)


def data_uri(path: Path) -> str:
    """A picture as WebP (quality 85, at most 640 px a side) in base64."""
    with opened(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((AT_MOST_SIDE, AT_MOST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=85, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _frame(run: Run, epochs: Sequence[int], place: int) -> tuple[int, str]:
    epoch = at_or_before(epochs, place)
    return epoch, data_uri(run.sample(epoch))

"""Many faces of one style, drawn by several processes at once: ``python -m bascule.data.drawing``.

A face depends on nothing but its number, so the result is the same with any number of processes.
They are started by a command and not by ``multiprocessing``, which would run a user's script again
in each of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

import numpy as np

from bascule.core.processes import cores
from bascule.data.artist import Artist

AT_ONCE = 250  # faces in a part
WORTH = 500  # faces for a process; its start takes as long as drawing some 200

Labels = dict[str, str | float]
Part = tuple[np.ndarray, list[Labels]]


def parts_of(artist: Artist, size: int, first: int, n: int) -> Iterator[Part]:
    """Faces number ``first`` to ``first + n - 1`` in their order, :data:`AT_ONCE` at a time.

    Each part has uint8 (k, 3, size, size), and the labels of its faces. If a process cannot be
    started, or dies, this one draws the rest.
    """
    parts = [range(k, min(k + AT_ONCE, first + n)) for k in range(first, first + n, AT_ONCE)]
    helpers = min(cores(), n // WORTH)
    running: list[subprocess.Popen[bytes]] = []
    try:
        with suppress(OSError):
            for index in range(helpers if helpers > 1 else 0):
                mine = range(first + index * AT_ONCE, first + n, helpers * AT_ONCE)
                running.append(_started(artist.name, size, mine, AT_ONCE))
        for k, numbers in enumerate(parts):
            helper = running[k % helpers] if len(running) == helpers and helpers else None
            yield (helper and _received(helper, len(numbers), size)) or _drawn(
                artist, size, numbers
            )
    finally:
        for helper in running:
            helper.kill()
            with helper:
                pass


def _started(style: str, size: int, mine: range, at_once: int) -> subprocess.Popen[bytes]:
    words = map(str, (style, size, mine.start, mine.stop, mine.step, at_once))
    return subprocess.Popen(
        [sys.executable, "-m", "bascule.data.drawing", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _received(helper: subprocess.Popen[bytes], n: int, size: int) -> Part | None:
    """The next part that a process has drawn; None if it died."""
    assert helper.stdout is not None
    bytes_ = helper.stdout.read(n * 3 * size * size)
    told = helper.stdout.readline()
    if not told.endswith(b"\n"):
        return None
    return np.frombuffer(bytes_, np.uint8).reshape(n, 3, size, size), json.loads(told)


def _drawn(artist: Artist, size: int, numbers: range) -> Part:
    drawn = [artist.draw(number, size) for number in numbers]
    return np.stack([pixels for pixels, _ in drawn]), [labels for _, labels in drawn]


def main(words: list[str], out: IO[bytes]) -> None:
    """Draw ``at_once`` faces from each of the numbers ``range(start, stop, step)`` to ``out``."""
    artist = Artist(words[0])
    size, start, stop, step, at_once = map(int, words[1:])
    for k in range(start, stop, step):
        pixels, labels = _drawn(artist, size, range(k, min(k + at_once, stop)))
        out.write(pixels.tobytes() + json.dumps(labels).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):  # who asked has ended, or ends
        main(sys.argv[1:], sys.stdout.buffer)

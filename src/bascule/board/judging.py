"""Blind judging: which two pictures a judge sees next, and what the answers say so far.

The answers are those of :mod:`bascule.experiments.judgments`. Pictures are sent without the name of
their run, both in one message, so nothing on the page tells them apart.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from bascule.board.latents import Reals, png
from bascule.core.errors import UserError
from bascule.runs.store import Run

if TYPE_CHECKING:  # the board starts without PyTorch
    import numpy as np

    from bascule.experiments.judgments import Pair, Sheet

DRAWN = 4  # runs whose pictures are kept in memory


class Pictures:
    """What the judges see of runs: fakes, and the real images that no network was trained on."""

    def __init__(self) -> None:
        self._fakes: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._reals = Reals()
        self._lock = Lock()

    def of(self, pair: Pair, runs: list[Run], number: int) -> tuple[np.ndarray, np.ndarray]:
        """Picture ``number`` of the first and of the second side of a pair, each uint8 (3, H, W).

        ``runs``: those of the pair. The second side of the question "real" is a held-out image; if
        there are fewer of them than pictures, they come again.
        """
        fakes = [self._drawn(run, n)[number] for run, n in zip(runs, pair.epochs, strict=True)]
        return fakes[0], fakes[1] if len(fakes) == 2 else self._real(runs[0], number)

    def _drawn(self, run: Run, epochs: int) -> np.ndarray:
        from bascule.experiments.judgments import PICTURES
        from bascule.runs.generate import generate

        key = (run.id, epochs)
        with self._lock:
            if key not in self._fakes:
                made = generate(run, PICTURES)
                if made.epoch != epochs:
                    raise UserError(
                        f"{run.id} has trained {made.epoch} of {epochs} epochs: pictures are "
                        "judged when it is finished"
                    )
                self._fakes[key] = made.pictures
            self._fakes.move_to_end(key)
            while len(self._fakes) > DRAWN:
                self._fakes.popitem(last=False)
            return self._fakes[key]

    def _real(self, run: Run, number: int) -> np.ndarray:
        images = self._reals.images(run)
        held_out = images.indices("held_out")
        if not len(held_out):
            raise UserError(f"{run.id} holds no images out, so its fakes have no reals beside them")
        found: np.ndarray = images.pixels[held_out[number % len(held_out)]]
        return found


def pair_of(runs: list[Run]) -> tuple[Pair, list[Run]]:
    """The pair of two runs, or of one run and reals, and its runs in the order of the pair.

    Raises :class:`UserError` for another number of runs, and for the same run twice.
    """
    from bascule.experiments.judgments import Pair

    if len({run.id for run in runs}) != len(runs) or len(runs) not in (1, 2):
        raise UserError("expected one run, to judge against real pictures, or two different runs")
    pair = Pair.real(runs[0]) if len(runs) == 1 else Pair.better(*runs)
    by_id = {run.id: run for run in runs}
    return pair, [by_id[name] for name in pair.runs]


def shown(pictures: Pictures, sheet: Sheet, runs: list[Run]) -> dict[str, Any]:
    """What a page needs for the next answer: how many there are, and two pictures as data URLs.

    ``left`` and ``right`` are None after the last picture.
    """
    from bascule.experiments.judgments import PICTURES

    count = len(sheet.judgments)
    told: dict[str, Any] = {"count": count, "most": PICTURES, "left": None, "right": None}
    if count < PICTURES:
        first, second = pictures.of(sheet.pair, runs, sheet.picture())
        left, right = (first, second) if sheet.is_left() else (second, first)
        told |= {"left": _data_url(left), "right": _data_url(right)}
    return told


def so_far(root: Path, pair: Pair) -> dict[str, Any]:
    """What the answers of all judges about a pair say: ``n``, ``judges``, and a share or None.

    The share is that of the first side, with its exact interval of 95 %.
    """
    from bascule.experiments.judgments import share, sheets_in

    sheets = [sheet for sheet in sheets_in(root) if sheet.pair == pair]
    told = share(sheets)
    if told is None:
        return {"n": 0, "judges": 0, "share": None}
    interval, n = told
    limits = [interval.mean, interval.low, interval.high]
    return {"n": n, "judges": len(sheets), "share": limits}


def _data_url(picture: np.ndarray) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"

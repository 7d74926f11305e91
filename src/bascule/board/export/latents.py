"""What a G draws around a few random points, drawn beforehand: a page without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bascule.board.latents import Loaded, Place, png, sheet
from bascule.core import atomic
from bascule.runs.store import Run

SEEDS = (0, 1, 2, 3)
PAIRS = ((0, 1), (2, 3))  # of principal directions, the strongest first
STEPS = (-3.0, -2.25, -1.5, -0.75, 0.0, 0.75, 1.5, 2.25, 3.0)  # standard deviations along each
FRAMES = 24  # of each leg of the walk through all seeds


def draw_latents(run: Run, folder: Path) -> dict[str, Any]:
    """Draw the sheets of a run into ``folder``; what their page needs to know.

    ``grid-SEED-PAIR.png`` has a column for each step along the first direction of the pair and a
    row for each step along the second. ``walk.png`` is a closed walk through all seeds, a row for
    each leg. Raises :class:`UserError` if the run has no G that draws from latents, or code that
    the user does not trust.
    """
    drawn = Loaded(run, None)
    about = drawn.about()
    folder.mkdir(parents=True)
    pairs = [pair for pair in PAIRS if max(pair) < len(about["shares"])]
    for k, pair in enumerate(pairs):
        for seed in SEEDS:
            places = [Place(seed, _moves(pair, a, b)) for b in STEPS for a in STEPS]
            pictures = np.concatenate([drawn.draw(place) for place in places])
            atomic.write(folder / f"grid-{seed}-{k}.png", png(sheet(pictures, len(STEPS))))
    walk = drawn.walk([Place(seed) for seed in SEEDS], FRAMES)
    atomic.write(folder / "walk.png", png(sheet(walk, FRAMES)))
    return {**about, "seeds": SEEDS, "pairs": pairs, "steps": STEPS, "frames": FRAMES}


def _moves(pair: tuple[int, int], first: float, second: float) -> tuple[float, ...]:
    by = [0.0] * (max(pair) + 1)
    by[pair[0]], by[pair[1]] = first, second
    return tuple(by)

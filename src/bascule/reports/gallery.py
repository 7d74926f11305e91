"""What every arm draws, a row each: the gallery of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from bascule.data.decoding import opened
from bascule.experiments.schedule import Results
from bascule.gan.recipe import SHOWN_COLUMNS
from bascule.reports.figures import DPI, new_figure, style, wrapped
from bascule.reports.page import Gallery
from bascule.reports.samples import sampled_epochs, shown
from bascule.runs.store import Run
from bascule.training.grid import GAP, grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERO_ROWS = 6  # of pictures, which are seen without scrolling
JUDGED = (
    "What D judged in the last step of each arm, after every rule, seed {seed}: reals to the left, "
    "fakes to the right."
)
CAPTION = (
    "Of each arm the top of its last sample grid, seed {seed}, which shows {shown}. Arms in which "
    "G rested from the switch on show what it drew there."
)


def gallery(results: Results, name: str = "gallery") -> Gallery | None:
    """The last pictures of every arm on the first seed that drew any; None where there are none.

    ``name``: of the drawing, which must be the only one of that name on its page.
    """
    if not (found := _first_that_drew(results)):
        return None
    seed, runs = found
    rows = {arm: row for arm, run in runs.items() if (row := last_rows(run)) is not None}
    alt = f"What every arm of {results.experiment.name} draws, a row an arm"
    caption = CAPTION.format(seed=seed, shown=shown(runs.values()))
    return Gallery(name, list(rows.items()), gallery_figure(rows), alt, caption)


def hero(results: Results, arms: Sequence[str] = ()) -> Gallery | None:
    """What is seen first of a page: the last pictures of a few arms; None where there are none.

    ``arms``: those that matter most, most first; the others follow. Those that are shown keep the
    order of the experiment, and share :data:`HERO_ROWS` rows of pictures. Of an arm with changed
    rules these are the fakes that D judged last, where they were kept, else what G draws.
    """
    if not (found := _first_that_drew(results)):
        return None
    seed, runs = found
    drew = [arm for arm, run in runs.items() if sampled_epochs(run)]
    first = [arm for arm in dict.fromkeys([*arms, *drew]) if arm in drew][:HERO_ROWS]
    picked = [arm for arm in drew if arm in first]
    each = min(HERO_ROWS // len(picked), 3)
    changed = {
        arm: fakes
        for arm in picked
        if runs[arm].recipe.change and (fakes := judged_fakes(runs[arm], each)) is not None
    }
    rows: dict[str, np.ndarray] = {}
    for arm in picked:
        if arm in changed:
            rows[f"{arm}: fakes shown to D"] = changed[arm]
        elif (row := last_rows(runs[arm], each)) is not None:
            rows[f"{arm}: G draws" if changed else arm] = row
    epochs = sorted({sampled_epochs(runs[arm])[-1] for arm in picked})
    after = " and ".join(map(str, epochs)) if len(epochs) < 3 else f"{epochs[0]} to {epochs[-1]}"
    what = "What G draws, and the fakes that D is shown" if changed else "What G draws"
    caption = f"{what}, after {after} epochs, seed {seed}, uncurated."
    alt = f"Pictures of {', '.join(rows)}"
    return Gallery("hero", list(rows.items()), gallery_figure(rows), alt, caption)


def judged(runs: Mapping[str, Run], seed: int) -> Gallery | None:
    """What D judged last in each arm, where it was kept: reals to the left, fakes to the right."""
    rows = {arm: sheet for arm, run in runs.items() if (sheet := _last_judged(run)) is not None}
    if not rows:
        return None
    alt = f"What D judged last in {', '.join(rows)}: reals to the left, fakes to the right"
    return Gallery(
        "judged", list(rows.items()), gallery_figure(rows), alt, JUDGED.format(seed=seed)
    )


def judged_fakes(run: Run, rows: int = 1) -> np.ndarray | None:
    """The fakes that a run's D judged last, as it saw them, uint8 (H, W, 3), eight in a row.

    None where no picture of them was kept with the last sample grid.
    """
    if (sheet := _last_judged(run)) is None:
        return None
    size, columns = run.recipe.data.size, SHOWN_COLUMNS
    right = sheet[:, -(columns * (size + GAP) - GAP) :]
    n = min(len(right) // size * columns, run.recipe.batch, rows * 8)
    places = [divmod(k, columns) for k in range(n)]
    tiles = [
        right[row * (size + GAP) :, column * (size + GAP) :][:size, :size] for row, column in places
    ]
    shown = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2)
    return np.asarray(grid(shown, min(8, n)))


def _last_judged(run: Run) -> np.ndarray | None:
    """The picture beside a run's last sample grid of what D judged; None where there is none."""
    epochs = sampled_epochs(run)
    if not epochs or not run.shown(epochs[-1]).exists():
        return None
    with opened(run.shown(epochs[-1])) as picture:
        return np.asarray(picture.convert("RGB"))


def _first_that_drew(results: Results) -> tuple[int, dict[str, Run]] | None:
    """The first seed of which any run drew pictures, and its runs by arm."""
    for seed in results.seeds if results.experiment.pictures else ():
        runs = {arm: by_seed[seed] for arm, by_seed in results.runs.items() if seed in by_seed}
        if any(map(sampled_epochs, runs.values())):
            return seed, runs
    return None


def last_rows(run: Run, rows: int = 1) -> np.ndarray | None:
    """The telling rows of a run's last sample grid, uint8 (H, W, 3); None where it has no grid.

    ``rows``: how many of a grid whose rows are all alike, which one row would tell.
    """
    epochs = sampled_epochs(run)
    if not epochs:
        return None
    with opened(run.sample(epochs[-1])) as grid:
        n = run.recipe.preview_rows
        n = rows if n == 1 else n
        return np.asarray(grid.convert("RGB"))[: n * (run.recipe.data.size + GAP) - GAP]


def gallery_figure(rows: Mapping[str, np.ndarray]) -> Figure:
    """``rows``: arm -> a strip of pictures, drawn pixel by pixel, with its name to the left."""
    name, gap = 170, 10  # pixels
    wide = name + max(strip.shape[1] for strip in rows.values())
    tall = sum(len(strip) + gap for strip in rows.values()) - gap
    with style():
        figure = new_figure(wide / DPI, tall / DPI)
        figure.set_layout_engine("none")
        top = tall
        for arm, strip in rows.items():
            h, w = strip.shape[:2]
            top -= h
            ax = figure.add_axes((name / wide, top / tall, w / wide, h / tall))
            ax.imshow(strip, interpolation="none", aspect="auto")
            ax.set_axis_off()
            label = wrapped(arm, 20)
            middle = (top + h / 2) / tall
            figure.text((name - 10) / wide, middle, label, ha="right", va="center", fontsize=9.5)
            top -= gap
    return figure

"""What every arm draws, a row each: the gallery of an experiment."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bascule.data.decoding import opened
from bascule.experiments.schedule import Results
from bascule.reports.figures import new_figure, style
from bascule.reports.page import Drawing
from bascule.reports.samples import sampled_epochs, shown
from bascule.runs.store import Run
from bascule.training.grid import GAP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Of each arm the top of its last sample grid, seed {seed}, which shows {shown}. Arms in which "
    "G rested from the switch on show what it drew there."
)


def gallery(results: Results, name: str = "gallery") -> Drawing | None:
    """The last pictures of every arm on the first seed that drew any; None where there are none.

    ``name``: of the drawing, which must be the only one of that name on its page.
    """
    for seed in results.seeds:
        runs = {arm: by_seed[seed] for arm, by_seed in results.runs.items() if seed in by_seed}
        rows = {arm: row for arm, run in runs.items() if (row := last_rows(run)) is not None}
        if rows and results.experiment.pictures:
            return Drawing(
                name,
                gallery_figure(rows),
                gallery_figure(rows, columns=1),
                f"What every arm of {results.experiment.name} draws, a row an arm",
                CAPTION.format(seed=seed, shown=shown(runs.values())),
            )
    return None


def last_rows(run: Run) -> np.ndarray | None:
    """The telling rows of a run's last sample grid, uint8 (H, W, 3); None where it has no grid."""
    epochs = sampled_epochs(run)
    if not epochs:
        return None
    with opened(run.sample(epochs[-1])) as grid:
        n = run.recipe.telling_rows
        return np.asarray(grid.convert("RGB"))[: n * (run.recipe.data.size + GAP) - GAP]


def gallery_figure(rows: Mapping[str, np.ndarray], columns: int = 2) -> Figure:
    """``rows``: arm -> a strip of pictures; names to the left, or above for a phone."""
    wide = columns > 1
    tall = [max(1.0, 8 * len(strip) / strip.shape[1]) for strip in rows.values()]  # in pictures
    with style():
        figure = new_figure(8.2 if wide else 4.4, 0.78 * sum(tall))
        axes = figure.subplots(len(rows), 1, squeeze=False, height_ratios=tall).flat
        for ax, (arm, strip) in zip(axes, rows.items(), strict=True):
            ax.imshow(strip, interpolation="nearest")
            ax.set_axis_off()
            if wide:
                label = textwrap.fill(arm, 18)
                ax.annotate(
                    *(label, (0, 0.5)),
                    xycoords="axes fraction",
                    xytext=(-8, 0),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    fontsize=9.5,
                )
            else:
                ax.set_title(arm, loc="left", fontsize=9, pad=2)
    return figure

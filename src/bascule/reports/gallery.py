"""The gallery of an experiment: a row of images for every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from bascule.core.fields import Placeholder
from bascule.data.decoding import own_picture
from bascule.data.grid import GAP, grid
from bascule.experiments.schedule import Results
from bascule.gan.recipe import SHOWN_COLUMNS
from bascule.interventions import Intervention
from bascule.reports.figures import DPI, new_figure, style, wrapped
from bascule.reports.page import Gallery
from bascule.reports.samples import sampled_epochs, shown
from bascule.runs.store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERO_ROWS = 6  # rows of images that are visible without scrolling
JUDGED = (
    "What D judged in the last step of each arm, after every rule, seed {seed}: reals to the left, "
    "fakes to the right."
)
CAPTION = (
    "Of each arm the top of its last sample grid, seed {seed}, which shows {shown}. Arms in which "
    "G did not learn from the switch on show what it drew there."
)


def gallery(results: Results, name: str = "gallery") -> Gallery | None:
    """The last images of every arm on the first seed that has any; None if there are none.

    ``name``: the name of the drawing, unique on its page.
    """
    if not (found := _first_that_drew(results)):
        return None
    seed, runs = found
    rows = {arm: row for arm, run in runs.items() if (row := last_rows(run)) is not None}
    alt = f"What every arm of {results.experiment.name} draws, a row an arm"
    caption = CAPTION.format(seed=seed, shown=shown(runs.values()))
    return Gallery(name, list(rows.items()), gallery_figure(rows), alt, caption)


def hero(results: Results, arms: Sequence[str] = ()) -> Gallery | None:
    """The images at the top of a page: the last ones of a few arms; None if there are none.

    ``arms``: the most important arms, in this order; the others follow. The arms that are shown
    keep the order of the experiment and share :data:`HERO_ROWS` rows of images. An arm with
    interventions on what D sees shows the last fakes given to D, if they were kept, and otherwise
    G's samples.
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
        if any(map(_alters, runs[arm].recipe.interventions))
        and (fakes := judged_fakes(runs[arm], each)) is not None
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


def _alters(change: Intervention) -> bool:
    """Whether an intervention may change the pictures that D sees."""
    hooks = ("discriminator_batch", "augment")
    own = any(getattr(type(change), hook) is not getattr(Intervention, hook) for hook in hooks)
    return own or isinstance(change, Placeholder)  # of a class that is not loaded


def judged(runs: Mapping[str, Run], seed: int) -> Gallery | None:
    """The last batch shown to D in each arm, if it was kept: reals left, fakes right."""
    rows = {arm: sheet for arm, run in runs.items() if (sheet := _last_judged(run)) is not None}
    if not rows:
        return None
    alt = f"What D judged last in {', '.join(rows)}: reals to the left, fakes to the right"
    return Gallery(
        "judged", list(rows.items()), gallery_figure(rows), alt, JUDGED.format(seed=seed)
    )


def judged_fakes(run: Run, rows: int = 1) -> np.ndarray | None:
    """The last fakes shown to a run's D, as it saw them, uint8 (H, W, 3), eight per row.

    None if no image of them was kept with the last sample grid.
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
    """The image of D's last batch, saved with a run's last sample grid; None if there is none."""
    epochs = sampled_epochs(run)
    if not epochs or not run.shown(epochs[-1]).exists():
        return None
    with own_picture(run.shown(epochs[-1])) as picture:
        return np.asarray(picture.convert("RGB"))


def _first_that_drew(results: Results) -> tuple[int, dict[str, Run]] | None:
    """The first seed on which any run has sample grids, and its runs by arm."""
    for seed in results.seeds if results.experiment.pictures else ():
        runs = {arm: by_seed[seed] for arm, by_seed in results.runs.items() if seed in by_seed}
        if any(map(sampled_epochs, runs.values())):
            return seed, runs
    return None


def last_rows(run: Run, rows: int = 1) -> np.ndarray | None:
    """The preview rows of a run's last sample grid, uint8 (H, W, 3); None if it has no grid.

    ``rows``: the number of rows to take from a grid whose rows are all of the same kind.
    """
    epochs = sampled_epochs(run)
    if not epochs:
        return None
    with own_picture(run.sample(epochs[-1])) as grid:
        n = run.recipe.preview_rows
        n = rows if n == 1 else n
        return np.asarray(grid.convert("RGB"))[: n * (run.recipe.data.size + GAP) - GAP]


def gallery_figure(rows: Mapping[str, np.ndarray]) -> Figure:
    """``rows``: arm -> a strip of images, drawn pixel by pixel, with the arm's name to the left."""
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

"""The page of a ladder: quality against minutes, a row and a line a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.predictions import KID
from bascule.experiments.schedule import Results
from bascule.metrics.measured import Measured
from bascule.reports import facts
from bascule.reports.figures import COLOURS, colours, logarithmic, new_figure, style
from bascule.reports.gallery import gallery
from bascule.reports.note import experiment_page
from bascule.reports.page import Block, Drawing, Page, Section, Table
from bascule.reports.publish import write_page
from bascule.runs.evaluations import evaluations
from bascule.runs.store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# By the beginning of a label; its heading.
MEASURES = (
    ("KID[", "KID"),
    ("coverage[", "coverage"),
    ("coverage of held-out[", "coverage of held-out"),
    ("precision[", "precision"),
    ("recall[", "recall"),
    ("out of vocabulary[", "out of vocabulary"),
    ("mean TV[", "mean TV"),
    ("missing categories[", "missing categories"),
)
STROKES = ("-", "--", ":")
CAPTION = (
    "Mean over seeds ± half its 95 % t interval, at the end of the runs. Minutes: training time of "
    "a run as it was, without probes. Floor: held-out reals in the place of the fakes. The lowest "
    "KID comes first."
)
Point = tuple[float, float]


def write_ladder(results: Results, folder: Path, credit: str, repeat: str) -> Path:
    """Write ``note.md`` and ``note.html`` of a ladder: its own sections before those of a note.

    ``repeat``: the command line that runs it again.
    """
    page = experiment_page(results, credit, repeat)
    own = Section("The ladder", _ladder(results))
    drawn = gallery(results, "rungs")
    look = [Section("Uncurated", [drawn])] if drawn else []
    page = Page(page.kind, page.title, page.lead, [own, *look, *page.sections], page.answer)
    return write_page(page, folder, "note")


def _ladder(results: Results) -> list[Block]:
    way = {
        arm: [points for run in by_seed.values() if (points := kid_by_minutes(run))]
        for arm, by_seed in results.runs.items()
    }
    way = {arm: points for arm, points in way.items() if points}
    blocks: list[Block] = [ladder_table(results)]
    if way:
        blocks.append(
            Drawing(
                "ladder",
                ladder_figure(way),
                ladder_figure(way, wide=False),
                f"{KID} against minutes of training, one colour a recipe",
                "Mean over seeds, each seed a thin line; lower is better.",
            )
        )
    return blocks


def ladder_table(results: Results) -> Table:
    """A row a recipe, the best KID first."""
    last = {
        arm: [found for run in by_seed.values() if (found := _last(run))]
        for arm, by_seed in results.runs.items()
    }
    shown = [
        (start, name)
        for start, name in MEASURES
        if any(_find(e, start) for found in last.values() for e in found)
    ]
    rows = []
    for arm, by_seed in results.runs.items():
        runs = list(by_seed.values())
        if not runs:
            continue
        cells = [
            facts.plus_minus([facts.training_seconds(run) / 60 for run in runs]),
            str(results.experiment.arms[arm].epochs),
            facts.plus_minus([float(np.mean(facts.images_per_s(run))) for run in runs]),
        ]
        cells += [facts.plus_minus(_values(last[arm], start)) for start, _ in shown]
        kids = _values(last[arm], "KID[")
        rows.append((float(np.mean(kids)) if kids else np.inf, (arm, *cells)))
    rows.sort(key=lambda row: row[0])
    floors = [_floor(last, start) for start, _ in shown]
    floor_row = ("floor", "", "", "", *floors)
    columns = ("recipe", "minutes", "epochs", "images/s", *(name for _, name in shown))
    return Table(columns, [*(row for _, row in rows), floor_row], f"{CAPTION} {facts.NUMBERS}")


def kid_by_minutes(run: Run) -> list[Point]:
    """(minutes of training, KID) at each measured epoch of a run, in order."""
    seconds = np.cumsum([row.get("seconds", 0.0) for row in run.rows()])
    points = []
    for evaluation in sorted(evaluations(run.folder), key=lambda e: e.epoch or 0):
        kid, epoch = _find(evaluation, "KID["), evaluation.epoch or len(seconds)
        if kid and 0 < epoch <= len(seconds):
            points.append((float(seconds[epoch - 1]) / 60, kid.value))
    return points


def ladder_figure(way: Mapping[str, Sequence[Sequence[Point]]], wide: bool = True) -> Figure:
    """``way``: recipe -> seed -> its points; the mean over seeds is bold."""
    colour = colours(way)
    with style():
        figure = new_figure(*((8.2, 4.6) if wide else (4.4, 4.8)))
        ax = figure.subplots()
        for place, (arm, seeds) in enumerate(way.items()):
            n = min(len(points) for points in seeds)
            stack = np.array([points[:n] for points in seeds])  # (seeds, points, 2)
            for points in stack:
                ax.plot(*points.T, color=colour[arm], lw=0.6, alpha=0.6)
            stroke = STROKES[place // len(COLOURS) % len(STROKES)]
            ax.plot(*stack.mean(0).T, stroke, color=colour[arm], lw=2, marker="o", ms=4, label=arm)
        every = [point for seeds in way.values() for points in seeds for point in points]
        logarithmic(ax, "x", [minutes for minutes, _ in every])
        logarithmic(ax, "y", [kid for _, kid in every])
        ax.set_xlabel("minutes of training")
        ax.set_ylabel(KID)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(which="both", color="#8A8F98", alpha=0.22, lw=0.6)
        figure.legend(loc="outside upper left", frameon=False, ncols=3 if wide else 2)
    return figure


def _last(run: Run) -> Evaluation | None:
    """What was measured at the end of a run."""
    found = [e for e in evaluations(run.folder) if e.epoch == run.recipe.epochs]
    return found[-1] if found else None


def _find(evaluation: Evaluation, start: str) -> Measured | None:
    """What was measured under the first label that begins so."""
    values = (v.measured for v in evaluation.values if v.label.startswith(start))
    return next(values, None)


def _values(found: Sequence[Evaluation], start: str) -> list[float]:
    return [measured.value for e in found if (measured := _find(e, start))]


def _floor(last: Mapping[str, Sequence[Evaluation]], start: str) -> str:
    every = [e for found in last.values() for e in found]
    floors = (measured.floor for e in every if (measured := _find(e, start)))
    return facts.number(next(floors))

"""The page of a ladder: quality against minutes, with one row and one line per recipe."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bascule.experiments.experiment import Measure
from bascule.experiments.predictions import KID, SPACE
from bascule.experiments.schedule import Results
from bascule.ladder.over_sets import over_sets
from bascule.reports import facts
from bascule.reports.figures import (
    COLOURS,
    HANDLE,
    colours,
    logarithmic,
    new_figure,
    style,
    wrapped,
)
from bascule.reports.gallery import gallery
from bascule.reports.measures import left_out, measures_tables
from bascule.reports.note import MEASURED, experiment_page, write_note
from bascule.reports.page import Block, Data, Drawing, Section
from bascule.runs.evaluations import judged
from bascule.runs.store import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STROKES = ("-", "--", ":")
Point = tuple[float, float]


def write_ladder(results: Results, folder: Path, credit: str, repeat: str) -> Path:
    """Write ``note.md`` and ``note.html`` of a ladder: its own section, then those of a note.

    ``repeat``: the command line that runs it again.
    """
    page = experiment_page(results, credit, repeat)
    own = Section("The ladder", _ladder(results))
    recipe = next(iter(results.experiment.arms.values()))
    scored = over_sets({facts.told(recipe.data): results})
    over = [Section("Over all seeds", scored)] if scored else []
    drawn = gallery(results, "rungs")
    look = [Section("Uncurated", [drawn])] if drawn else []
    rest = [section for section in page.sections if section.title != MEASURED]
    return write_note(replace(page, sections=[own, *over, *look, *rest]), results, folder)


def _ladder(results: Results) -> list[Block]:
    way = {
        arm: [points for run in by_seed.values() if (points := kid_by_minutes(run, results.saw))]
        for arm, by_seed in results.runs.items()
    }
    way = {arm: points for arm, points in way.items() if points}
    measure = results.experiment.measure
    space = measure.space if isinstance(measure, Measure) else SPACE
    kid = str(KID.at(extractor=space))
    blocks: list[Block] = [*measures_tables(results, "recipe", by_kid=True), *left_out(results)]
    if way:
        blocks.append(
            Drawing(
                "ladder",
                ladder_figure(way, kid),
                ladder_figure(way, kid, wide=False),
                f"{kid} against minutes of training, one colour a recipe",
                "Mean over seeds, each seed a thin line; lower is better.",
                Data(
                    ("recipe", "seed", "minutes", kid),
                    [
                        (arm, seed, *point)
                        for arm, by_seed in results.runs.items()
                        for seed, run in by_seed.items()
                        for point in kid_by_minutes(run, results.saw)
                    ],
                ),
            )
        )
    return blocks


def kid_by_minutes(run: Run, saw: Collection[str] = ()) -> list[Point]:
    """(minutes of training, KID) at each evaluated epoch of a run, in order.

    ``saw``: feature networks that other games of the ladder have seen.
    """
    seconds = np.cumsum([row.get("seconds", 0.0) for row in run.rows()])
    points = []
    for evaluation in sorted(judged(run, saw), key=lambda e: e.epoch or 0):
        told = [(v.measurement, v.measured.value) for v in evaluation.values]
        kids = [value for of, value in told if of.plain and of.quantity == KID.quantity]
        epoch = evaluation.epoch or len(seconds)
        if kids and 0 < epoch <= len(seconds):
            points.append((float(seconds[epoch - 1]) / 60, kids[0]))
    return points


def ladder_figure(
    way: Mapping[str, Sequence[Sequence[Point]]], kid: str = str(KID), wide: bool = True
) -> Figure:
    """``way``: recipe -> seed -> (minutes, KID) points; the mean over seeds is bold.

    ``kid``: the label of the measurement.
    """
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
            ax.plot(
                *stack.mean(0).T,
                stroke,
                color=colour[arm],
                lw=2,
                marker="o",
                ms=4,
                label=wrapped(arm, 40),
            )
        every = [point for seeds in way.values() for points in seeds for point in points]
        logarithmic(ax, "x", [minutes for minutes, _ in every])
        logarithmic(ax, "y", [kid for _, kid in every])
        ax.set_xlabel("minutes of training")
        ax.set_ylabel(kid)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(which="both", color="#8A8F98", alpha=0.22, lw=0.6)
        figure.legend(
            loc="outside upper left", frameon=False, handlelength=HANDLE, ncols=3 if wide else 1
        )
    return figure

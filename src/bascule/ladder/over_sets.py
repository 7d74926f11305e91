"""A ladder's recipes over all seeds and image sets: a table, a figure, and a page of all sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bascule.experiments.digits import bracketed
from bascule.experiments.schedule import Results
from bascule.ladder.aggregate import Estimate, Standing, Task, scores, standings, why_no_scores
from bascule.reports.figures import COLOURS, HANDLE, colours, new_figure, style, wrapped
from bascule.reports.made import keep_made, made_of
from bascule.reports.measures import left_out, measures_tables
from bascule.reports.page import Block, Data, Drawing, Lines, Page, Section, Table, Text
from bascule.reports.publish import write_page
from bascule.runs.evaluations import judged
from bascule.runs.store import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUMBERS = {"KID": "lower", "coverage of held-out": "higher", "mean TV": "lower"}
STROKES = ("-", "--", ":")
THRESHOLDS = 101
LOWEST = -1.0  # of the thresholds: below it, a recipe is twice as far from the floor
CAPTION = (
    "A run's score is (x − r) / (f − r) for its number x, the mean r of {reference} on the same "
    "image set, and the floor f: 0 is as good as {reference}, 1 as good as held-out reals, and "
    "higher is better. Score: the interquartile mean over all runs and sets. Better: the "
    "probability that a run is better than one of {reference} on the same set, ties counted half. "
    "In brackets 95 % bootstrap intervals, which draw runs again within each set (Agarwal et al. "
    "2021){few}. Runs that were not finished or not measured are not counted."
)
FEW = "; of fewer than ten runs they are too narrow"


@dataclass(frozen=True)
class Standings:
    """The standings by one number, with the tasks and thresholds that they were made from."""

    number: str
    tasks: Sequence[Task]
    thresholds: np.ndarray
    of: Mapping[str, Standing]


def over_sets(ladders: Mapping[str, Results]) -> list[Block]:
    """The standings of the recipes: a table and a figure. Empty if nothing was measured.

    ``ladders``: name of the image set -> the ladder on it, all of the same recipes.
    """
    reference = next(iter(next(iter(ladders.values())).experiment.arms))
    found, reasons = standings_of(ladders, reference)
    told: list[Block] = [Text(f"{reason}.") for reason in reasons]
    if not found:
        return told
    recipes = dict.fromkeys(recipe for each in found for recipe in each.of)
    order = sorted(recipes, key=lambda r: -found[0].of[r].iqm.value if r in found[0].of else 9.0)
    runs = min(sum(map(len, (t.runs[reference] for t in each.tasks))) for each in found)
    caption = CAPTION.format(reference=reference, few=FEW if runs < 10 else "")
    columns = [f"{each.number}: {what}" for each in found for what in ("score", "better")]
    rows = [
        (recipe, *(cell for each in found for cell in _cells(each, recipe, reference)))
        for recipe in order
    ]
    return [Table(("recipe", *columns), rows, caption), _drawing(found, list(recipes)), *told]


def standings_of(
    ladders: Mapping[str, Results], reference: str
) -> tuple[list[Standings], list[str]]:
    """The standings by each of :data:`NUMBERS` that has scores on every set, and why others not."""
    found, reasons = [], []
    for number, better in NUMBERS.items():
        tasks = [_task(name, results, number) for name, results in ladders.items()]
        missing = [task.name for task in tasks if not len(task.runs.get(reference, ()))]
        if len(missing) == len(tasks):
            continue
        why = [f"on {name} {reference} has no {number}" for name in missing]
        why = why or list(filter(None, (why_no_scores(task, reference, better) for task in tasks)))
        if why:
            reasons.append(f"No scores by {number}: {'; '.join(why)}")
            continue
        every = np.concatenate([x for task in tasks for x in scores(task, reference).values()])
        low, high = max(LOWEST, float(every.min())), max(1.0, float(every.max()))
        thresholds = np.linspace(low - 0.02, high + 0.02, THRESHOLDS)
        found.append(Standings(number, tasks, thresholds, standings(tasks, reference, thresholds)))
    return found, reasons


def _task(name: str, results: Results, number: str) -> Task:
    """The number of every run at its end, on one image set."""
    runs: dict[str, np.ndarray] = {}
    floors: list[float] = []
    for arm, by_seed in results.runs.items():
        values = []
        for run in by_seed.values():
            last = [e for e in judged(run, results.saw) if e.epoch == run.recipe.epochs]
            told = [v for e in last for v in e.values if v.measurement.name == number][:1]
            values += [value.measured.value for value in told]
            floors += [value.measured.floor for value in told]
        runs[arm] = np.array(values)
    return Task(name, runs, float(np.mean(floors)) if floors else np.nan)


def _cells(found: Standings, recipe: str, reference: str) -> tuple[str, str]:
    standing = found.of.get(recipe)
    if standing is None:
        return "–", "–"
    return _told(standing.iqm), "–" if recipe == reference else _told(standing.improvement)


def _told(found: Estimate) -> str:
    half = (found.high - found.low) / 2
    value, limits = bracketed(found.value, found.low, found.high, half)
    return f"{value} {limits}".strip()


def _drawing(found: Sequence[Standings], recipes: Sequence[str]) -> Drawing:
    rows: list[tuple[str | float, ...]] = [
        (each.number, recipe, *map(float, numbers))
        for each in found
        for recipe, standing in each.of.items()
        for numbers in zip(
            each.thresholds, standing.profile, standing.low, standing.high, strict=True
        )
    ]
    return Drawing(
        "profiles",
        profiles_figure(found, recipes),
        profiles_figure(found, recipes, wide=False),
        "Performance profiles: the share of runs above each score, one colour a recipe",
        "Performance profiles: the share of runs, over all sets, with a score above the one at "
        "the bottom; the higher, the better. Bands: 95 % bootstrap intervals of each share. "
        "Dotted: the reference (0) and held-out reals (1).",
        Data(("number", "recipe", "score", "share", "low", "high"), rows),
    )


def profiles_figure(
    found: Sequence[Standings], recipes: Sequence[str], wide: bool = True
) -> Figure:
    """One panel for each number: the share of runs above each score."""
    colour = colours(recipes)
    n = len(found)
    with style():
        figure = new_figure(*((1.6 + 3.4 * n, 3.9) if wide else (4.4, 1.2 + 2.9 * n)))
        panels = figure.subplots(1, n, squeeze=False) if wide else figure.subplots(n, squeeze=False)
        for ax, each in zip(panels.flat, found, strict=True):
            for recipe, standing in each.of.items():
                stroke = STROKES[recipes.index(recipe) // len(COLOURS) % len(STROKES)]
                ax.step(
                    each.thresholds,
                    standing.profile,
                    stroke,
                    color=colour[recipe],
                    lw=1.8,
                    label=wrapped(recipe, 40),
                )
                if isfinite(standing.iqm.low):
                    limits = standing.low, standing.high
                    ax.fill_between(
                        each.thresholds, *limits, step="pre", color=colour[recipe], alpha=0.1, lw=0
                    )
            for end in (0.0, 1.0):
                ax.axvline(end, color="#8A8F98", lw=0.8, ls=":")
            ax.set_title(each.number, loc="left", fontsize=9.5)
            ax.set_xlabel("score")
            ax.set_ylabel("share of runs above it")
            ax.set_ylim(-0.02, 1.02)
            ax.spines[["top", "right"]].set_visible(False)
        lines = (line for ax in panels.flat for line in ax.get_lines())
        handles = {str(line.get_label()): line for line in lines}
        handles = {name: line for name, line in handles.items() if not name.startswith("_")}
        figure.legend(
            handles=list(handles.values()),
            loc="outside upper left",
            frameon=False,
            handlelength=HANDLE,
            ncols=3 if wide else 1,
        )
    return figure


def write_over_sets(ladders: Mapping[str, Results], folder: Path, repeat: str) -> Path:
    """Write ``note.md`` and ``note.html`` about the same recipes on several image sets.

    The note of each set is in a folder of its name in ``folder``. ``repeat``: the command line that
    runs all of them again. Returns the HTML file.
    """
    first = next(iter(ladders.values()))
    seeds = ", ".join(map(str, first.seeds))
    lead = [
        ("Question", Text(first.experiment.question)),
        ("Image sets", Text(f"{', '.join(ladders)}; seeds {seeds} on each.")),
    ]
    sections = [Section("Over all sets", over_sets(ladders))]
    for name, results in ladders.items():
        verdict = results.verdict
        where = Text(f"{verdict.word}: {verdict.why}. Its note: {slug(name)}/note.md.")
        tables = measures_tables(results, "recipe", by_kid=True)
        sections.append(Section(name, [where, *tables, *left_out(results)]))
    sections.append(Section("Reproduce", [Lines(repeat, code=True)]))
    title = f"{len(first.experiment.arms)} recipes on {len(ladders)} image sets"
    written = write_page(Page("ladder", title, lead, sections), folder, "note")
    keep_made(folder, "note", made_of(r for each in ladders.values() for r in each.every_run))
    return written

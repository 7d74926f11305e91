"""The note of a search: the trials, the important fields, and a test of the best settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bascule.experiments.schedule import Results
from bascule.reports import facts
from bascule.reports.figures import logarithmic, new_figure, style
from bascule.reports.note import experiment_page, write_note
from bascule.reports.page import Block, Data, Drawing, Lines, Page, Section, Table, Text
from bascule.runs import codec
from bascule.runs.evaluations import judged
from bascule.tuning.search import Tuning, best_of, ended, importances

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna import Study
    from optuna.trial import FrozenTrial

SHOWN = 10  # number of best trials in the table
COLOUR, PALE = "#2F6DB5", "#8A8F98"
CURSE = (
    "In the search: one run, whose seed and images were among those that chose it, so that the "
    "best of many is lucky. Afresh: mean over {seeds} other seeds ± half its 95 % t interval, "
    "against the images that were held out all along. The search trains on {share:.0%} fewer "
    "images."
)


def write_tuning(
    tuning: Tuning,
    study: Study,
    results: Results | None,
    preset: Path,
    folder: Path,
    credit: str,
    repeat: str,
) -> Path:
    """Write ``note.md`` and ``note.html``. ``results``: the final test, None if not run."""
    own = [Section("Worth it?", _worth(tuning, study, results))]
    own.append(Section("What mattered", _mattered(tuning, study)))
    own.append(Section("The trials", _trials(tuning, study)))
    own.append(Section("The best settings", _settings(tuning, study, preset)))
    if results is None:
        lead = [("Question", Text(tuning.question))]
        told = [Section("Reproduce", [Lines(repeat, code=True), Lines(credit)])]
        page = Page("tuning", tuning.name, lead, [*own, *told])
    else:
        page = experiment_page(results, credit, repeat)
        page = replace(page, sections=[*own, *page.sections])
    return write_note(page, results, folder)


def _worth(tuning: Tuning, study: Study, results: Results | None) -> list[Block]:
    best = best_of(study)
    start = [t for t in ended(study) if t.user_attrs.get("start") and t.values]
    columns = ("settings", "KID in the search", "KID afresh", "coverage afresh")
    rows = []
    for arm, trials in (("start", start), ("best", [best])):
        inside = facts.number(trials[0].values[0]) if trials else "–"
        rows.append((arm, inside, *(_afresh(results, arm, str(of)) for of in tuning.final)))
    caption = CURSE.format(seeds=len(tuning.fresh_seeds), share=tuning.choosing)
    found: list[Block] = [Table(columns, rows, f"{caption} {facts.NUMBERS}")]
    if results is None:
        found.append(Text("No trial beat the start, so there was nothing to judge afresh."))
    return found


def _settings(tuning: Tuning, study: Study, preset: Path) -> list[Block]:
    best = tuning.recipe(best_of(study).params)
    rows = [
        (path, facts.told(before), facts.told(after))
        for path, (before, after) in codec.differences(tuning.start, best).items()
    ]
    told = Text(f"As a preset: `bascule train {preset.name}`, from the folder of the search.")
    return [Table(("field", "start", "best"), rows), told]


def _afresh(results: Results | None, arm: str, label: str) -> str:
    runs = results.runs.get(arm, {}).values() if results else ()
    found = [e for run in runs for e in judged(run)[-1:]]
    values = [e[label].measured.value for e in found if label in {v.label for v in e.values}]
    return facts.plus_minus(values) if values else "–"


def _mattered(tuning: Tuning, study: Study) -> list[Block]:
    found = importances(study)
    if not found:
        return [Text("Too few trials finished to say which field matters.")]
    rows = [(path, facts.number(share), _told(tuning.space[path])) for path, share in found.items()]
    caption = (
        "Share of the spread of KID over the finished trials that each field explains by itself "
        "(PED-ANOVA, Watanabe et al. 2023). A few dozen trials make it a hint and no more."
    )
    return [Table(("field", "importance", "tried"), rows, caption)]


def _told(choice: Any) -> str:
    if hasattr(choice, "values"):
        return ", ".join(map(str, choice.values))
    return f"{choice.low:g} to {choice.high:g}" + (", log" if choice.log else "")


def _trials(tuning: Tuning, study: Study) -> list[Block]:
    trials = ended(study)
    states = Counter(t.state.name.lower() for t in trials)
    names = {"complete": "finished", "pruned": "ended early", "fail": "failed"}
    told = ", ".join(f"{states[state]} {name}" for state, name in names.items() if states[state])
    seconds = sum(t.user_attrs.get("seconds", 0.0) for t in trials)
    intro = f"{len(trials)} trials: {told}. {facts.duration(seconds)} of training in all."
    reasons = Counter(
        t.user_attrs["why"] for t in trials if t.user_attrs.get("why", "hopeless") != "hopeless"
    )
    why = [Text(f"{n} of them: {facts.without_paths(reason)}") for reason, n in reasons.items()]
    done = sorted((t for t in trials if t.values), key=lambda t: t.values[0])[:SHOWN]
    columns = ("trial", "KID", "coverage", "seconds", *tuning.space)
    rows = [
        (
            f"{t.number}{' (start)' if t.user_attrs.get('start') else ''}",
            facts.number(t.values[0]),
            facts.number(t.user_attrs["coverage"]),
            facts.number(t.user_attrs["seconds"]),
            *(_value(t.params[path]) for path in tuning.space),
        )
        for t in done
    ]
    caption = f"The {len(rows)} lowest KID against the images that choose. {facts.NUMBERS}"
    drawn: list[Block] = []
    if done:
        time = "seconds" in tuning.minimise
        figure = front_figure if time else history_figure
        alt = "KID against seconds of training" if time else "KID of each trial, in their order"
        told = "Each dot a finished trial; "
        told += "line: nothing else is better in both." if time else "line: the lowest so far."
        numbers = [
            (t.number, t.values[0], t.user_attrs["coverage"], t.user_attrs["seconds"])
            for t in ended(study)
            if t.values
        ]
        data = Data(("trial", "KID", "coverage", "seconds"), numbers)
        drawn = [Drawing("search", figure(trials), figure(trials, wide=False), alt, told, data)]
    return [Text(intro), *why, *drawn, Table(columns, rows, caption)]


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def history_figure(trials: Sequence[FrozenTrial], wide: bool = True) -> Figure:
    """KID of the finished trials in the order of their start, and the lowest so far."""
    done = [t for t in trials if t.values]
    numbers, kids = [t.number for t in done], np.array([t.values[0] for t in done])
    return _figure(numbers, kids, numbers, np.minimum.accumulate(kids), "trial", wide)


def front_figure(trials: Sequence[FrozenTrial], wide: bool = True) -> Figure:
    """KID against seconds of training, with the Pareto front."""
    done = sorted((t for t in trials if t.values), key=lambda t: t.values[1])
    seconds, kids = [t.values[1] for t in done], np.array([t.values[0] for t in done])
    return _figure(seconds, kids, seconds, np.minimum.accumulate(kids), "seconds", wide)


def _figure(x: Any, y: Any, line_x: Any, line_y: Any, told: str, wide: bool) -> Figure:
    from matplotlib.ticker import MaxNLocator

    with style():
        figure = new_figure(*((8.2, 3.6) if wide else (4.4, 3.8)))
        ax = figure.subplots()
        ax.plot(x, y, "o", ms=4, color=PALE)
        ax.step(line_x, line_y, where="post", color=COLOUR, lw=1.6)
        logarithmic(ax, "y", y)
        if told == "trial":
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel(told)
        ax.set_ylabel("KID, images that choose")
        ax.spines[["top", "right"]].set_visible(False)
    return figure

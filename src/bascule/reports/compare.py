"""Runs side by side: in what they differ, how they went, what they drew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.errors import Refusal
from bascule.experiments.schedule import curve
from bascule.reports import facts
from bascule.reports.curves import Change, curves_drawing, panels_of
from bascule.reports.figures import colours
from bascule.reports.page import Block, Drawing, Page, Samples, Section, Table, Text
from bascule.reports.paired import paired_differences, paired_table
from bascule.reports.publish import write_page
from bascule.reports.samples import Picture, sampled_epochs, strips
from bascule.runs import codec
from bascule.runs.store import Run, slug

if TYPE_CHECKING:
    from rich.table import Table as RichTable


def _columns(runs: Sequence[Run]) -> tuple[str, ...]:
    return ("state", "epochs", *_scalars(runs), "images/s", "fork of")


def _scalars(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for run in runs for name in run.recipe.scalars))


def write_comparison(runs: Sequence[Run], folder: Path, credit: str) -> Path:
    """Write ``compare.md`` and ``compare.html`` into ``folder``; returns the HTML file.

    A fork is drawn from its branch on, and its past once, as its parent's. Raises
    :class:`Refusal` for fewer than two runs.
    """
    names = _expect_two(runs)
    rows = [
        (name, *_numbers(run, runs), _origin(run)) for name, run in zip(names, runs, strict=True)
    ]
    scale = f"Each scalar: the {facts.LAST}. {facts.NUMBERS}"
    sections = [
        Section("Differences", [_differences(runs, names)]),
        Section("Scalars", [Table(("run", *_columns(runs)), rows, scale)]),
        Section("Paired differences", _paired(runs)),
        Section("Curves", [curves_of(runs, names)]),
        Section("Samples", _samples(runs, names, credit)),
        Section(
            "Where they come from",
            [
                Table(("fact", "value"), facts.provenance(runs), plain=True),
                Table(("run", "id"), [(n, r.id) for n, r in zip(names, runs, strict=True)]),
            ],
        ),
    ]
    lead = [("Runs", Text("; ".join(names)))]
    page = Page("comparison", f"{len(runs)} runs side by side", lead, sections)
    return write_page(page, folder, "compare")


def comparison_table(runs: Sequence[Run]) -> RichTable:
    """The same for a terminal: one column a run, its settings where they differ. Same refusal."""
    from rich.markup import escape
    from rich.table import Table as RichTable

    names = _expect_two(runs)
    table = RichTable("", *map(escape, names))
    settings = [(field, *(_setting(run, field) for run in runs)) for field in _differing(runs)]
    columns = zip(*((*_numbers(run, runs), _origin(run)) for run in runs), strict=True)
    numbers = [(name, *cells) for name, cells in zip(_columns(runs), columns, strict=True)]
    for row in (*settings, *numbers):
        table.add_row(*map(escape, row))
    return table


def _paired(runs: Sequence[Run]) -> list[Block]:
    found, reasons = paired_differences(runs)
    blocks: list[Block] = [paired_table(found)] if found else []
    return [*blocks, *(Text(reason) for reason in reasons)] or [Text("The runs are of one arm.")]


def curves_of(runs: Sequence[Run], names: Sequence[str]) -> Drawing:
    """The curves of all runs in one drawing; a fork leaves its parent at its branch."""
    named = dict(zip(names, runs, strict=True))
    known = {run.id for run in runs}
    curves = {name: {run.recipe.seed: curve(run)} for name, run in named.items() if run.rows()}
    branches = {
        name: run.fork.epoch for name, run in named.items() if run.fork and run.fork.parent in known
    }
    marks = {change.epoch: change.label for change in facts.changes([r.recipe for r in runs])}
    for epoch in set(branches.values()):
        marks[epoch] = f"branch: {marks[epoch]}" if marks.get(epoch) else "branch"
    changes = [Change(epoch, marks[epoch]) for epoch in sorted(marks)]
    scalars = _scalars(runs)
    panels = panels_of(scalars, [run.recipe for run in runs])
    blind = " Dotted: where a D that cannot tell stands." if "D_x" in scalars else ""
    caption = (
        "The mean of each epoch's batches, one colour a run. Dashed: a changed rule begins to "
        "act, or a fork leaves its parent, whose past it shares bit for bit (dot)."
    )
    return curves_drawing(
        "curves",
        curves,
        f"Learning curves of {', '.join(scalars)}, one colour a run",
        caption + blind,
        changes,
        branches,
        panels=panels,
    )


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """The runs' names, or their ids where two share a name."""
    names = [run.name for run in runs]
    return [run.id if names.count(run.name) > 1 else run.name for run in runs]


def _expect_two(runs: Sequence[Run]) -> list[str]:
    if len({run.id for run in runs}) < max(2, len(runs)):
        given = ", ".join(run.id for run in runs) or "none"
        raise Refusal(f"a comparison needs at least two different runs, given: {given}")
    return distinct_names(runs)


def _differing(runs: Sequence[Run]) -> list[str]:
    """The recipe's fields in which any run differs from the first."""
    first = runs[0].recipe
    return list(dict.fromkeys(f for run in runs[1:] for f in codec.differences(first, run.recipe)))


def _setting(run: Run, path: str) -> str:
    """The value of a dotted field; a dash where the run's recipe has no such field."""
    value: object = run.recipe
    for part in path.split("."):
        value = getattr(value, part, "–")
    return facts.told(value)


def _differences(runs: Sequence[Run], names: Sequence[str]) -> Table | Text:
    fields = _differing(runs)
    if not fields:
        return Text("The recipes are the same.")
    rows = [(field, *(_setting(run, field) for run in runs)) for field in fields]
    return Table(("field", *names), rows)


def _numbers(run: Run, among: Sequence[Run]) -> list[str]:
    epochs = f"{len(run.rows())}/{run.recipe.epochs}"
    return [
        run.status["state"],
        epochs,
        *facts.finals([curve(run)], _scalars(among)),
        facts.speed(run),
    ]


def _origin(run: Run) -> str:
    return str(run.fork or "")


def _samples(runs: Sequence[Run], names: Sequence[str], credit: str) -> list[Samples | Text]:
    named = dict(zip(names, runs, strict=True))
    places, drawn = strips(named, colours(names))
    if not drawn:
        return [Text("No sample grid yet.")]
    pictures = []
    for place, (name, run) in enumerate(named.items()):
        if epochs := sampled_epochs(run):
            file = f"{place}-{slug(name)[:60]}-epoch-{epochs[-1]:04d}.png"
            caption = f"{name}, after {epochs[-1]} epochs"
            pictures.append(Picture(run.sample(epochs[-1]), file, caption))
    told = Text("Of a run without a grid at the slider's epoch, the latest before is shown.")
    return [told, Samples(places, drawn, pictures, credit)]

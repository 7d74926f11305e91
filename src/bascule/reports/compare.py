"""Arms side by side: their settings, curves and samples. The first arm is the control.

Runs whose recipes differ only in the seed form one arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bascule.core.errors import UserError
from bascule.experiments.factors import without_seed
from bascule.experiments.paired import arms_of
from bascule.experiments.schedule import curve
from bascule.reports import facts
from bascule.reports.curves import Change, curves_drawing, panels_of
from bascule.reports.figures import colours
from bascule.reports.made import keep_made, made_of
from bascule.reports.page import Block, Drawing, Lines, Page, Samples, Section, Table, Text
from bascule.reports.paired import AS_COLUMNS, numbers_table, paired_differences
from bascule.reports.publish import write_page
from bascule.reports.samples import Picture, sampled_epochs, strips
from bascule.runs import codec
from bascule.runs.store import Run, slug

Arms = Mapping[str, Mapping[int, Run]]  # name -> seed -> run


def write_comparison(runs: Sequence[Run], folder: Path, credit: str, repeat: str) -> Path:
    """Write ``compare.md`` and ``compare.html`` into ``folder``; returns the HTML file.

    The curves of a fork start at its branch; its past is drawn only once, for its parent.
    ``repeat``: the command line that makes this comparison again. Raises :class:`UserError` for
    fewer than two runs.
    """
    arms = _expect_two(runs)
    found, reasons = paired_differences(runs)
    sections = [
        Section("Differences", [differing_table(arms)]),
        Section("Numbers", [numbers_table(runs, found), *map(Text, reasons)]),
        Section("Curves", [curves_of(arms)]),
        Section("Samples", _samples(arms, credit)),
        Section(
            "Reproduce",
            [
                Lines(repeat, code=True),
                Text(facts.reproducibility(runs, "Where they come from")),
            ],
        ),
        Section(
            "Where they come from",
            [_runs(arms), Table(("fact", "value"), facts.provenance(runs), plain=True)],
        ),
    ]
    control, *others = arms
    lead = [
        ("Control", Text(control)),
        *([("Beside it", Text("; ".join(others)))] if others else []),
    ]
    title = f"{len(arms)} arms side by side" if others else f"{control}: {len(runs)} seeds"
    page = write_page(Page("comparison", title, lead, sections), folder, "compare")
    keep_made(folder, "compare", made_of(runs))
    return page


def comparison_tables(runs: Sequence[Run]) -> list[Table]:
    """The same comparison for a terminal of 80 columns. Raises as :func:`write_comparison`."""
    arms = _expect_two(runs)
    found, _ = paired_differences(runs)
    differing = differing_table(arms)
    numbers = numbers_table(runs, found, "each" if len(arms) > 2 else "")
    return [*([differing] if isinstance(differing, Table) else []), _states(arms), numbers]


def differing_table(arms: Arms) -> Table | Text:
    """The settings in which each arm differs from the first."""
    recipes = {arm: without_seed(next(iter(runs.values())).recipe) for arm, runs in arms.items()}
    control, *others = arms
    base = recipes[control]
    differing = [field for arm in others for field in codec.differences(base, recipes[arm])]
    fields = list(dict.fromkeys(differing))
    if not fields:
        return Text("The recipes are the same.")
    if len(arms) <= AS_COLUMNS:
        rows = [(field, *(_setting(recipes[arm], field) for arm in arms)) for field in fields]
        return Table(("field", *arms), rows)
    rows = [(arm, facts.recipe_differences(base, recipes[arm])) for arm in others]
    return Table(("arm", f"differs from “{control}” in"), rows)


def curves_of(arms: Arms) -> Drawing:
    """The curves of all arms in one drawing. The curve of a fork starts at its branch."""
    curves = {
        arm: {seed: curve(run) for seed, run in runs.items() if run.rows()}
        for arm, runs in arms.items()
    }
    curves = {arm: found for arm, found in curves.items() if found}
    recipes = [run.recipe for runs in arms.values() for run in runs.values()]
    branches = {arm: at for arm, at in facts.branches(arms).items() if arm in curves}
    marks = {change.epoch: change.label for change in facts.changes(recipes)}
    for epoch in set(branches.values()):
        marks[epoch] = f"branch: {marks[epoch]}" if marks.get(epoch) else "branch"
    changes = [Change(epoch, marks[epoch]) for epoch in sorted(marks)]
    every = [run for runs in arms.values() for run in runs.values()]
    scalars = list(dict.fromkeys(name for run in every for name in facts.scalars_of(run)))
    panels = panels_of(scalars, recipes)
    several = any(len(found) > 1 for found in curves.values())
    caption = (
        ("Thin: one seed. Bold: the mean over seeds. " if several else "")
        + "The mean of each epoch's batches, one colour an arm. Dashed: a changed rule begins to "
        "act, or a fork leaves its parent, whose past it shares bit for bit (dot)."
        + (" Dotted: where a D that cannot tell stands." if "D_x" in scalars else "")
    )
    return curves_drawing(
        "curves",
        curves,
        f"Learning curves of {', '.join(scalars)}, one colour an arm",
        caption,
        changes,
        branches,
        panels=panels,
    )


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """The runs' names, or their ids where two share a name."""
    names = [run.name for run in runs]
    return [run.id if names.count(run.name) > 1 else run.name for run in runs]


def _expect_two(runs: Sequence[Run]) -> dict[str, dict[int, Run]]:
    """The arms of at least two different runs."""
    if len({run.id for run in runs}) < max(2, len(runs)):
        given = ", ".join(run.id for run in runs) or "none"
        raise UserError(f"a comparison needs at least two different runs, given: {given}")
    return arms_of(runs)


def _setting(recipe: object, path: str) -> str:
    """The value of a dotted field; a dash if the recipe has no such field."""
    value = recipe
    for part in path.split("."):
        value = getattr(value, part, "–")
    return facts.told(value)


def _states(arms: Arms) -> Table:
    """State and number of epochs of the runs of every arm."""
    rows = []
    for arm, runs in arms.items():
        every = list(runs.values())
        states = "; ".join(dict.fromkeys(run.status["state"] for run in every))
        epochs = "; ".join(dict.fromkeys(f"{len(r.rows())}/{r.recipe.epochs}" for r in every))
        forks = "; ".join(dict.fromkeys(str(run.fork) for run in every if run.fork))
        rows.append((arm, " ".join(map(str, runs)), states, epochs, forks))
    return Table(("arm", "seeds", "state", "epochs", "fork of"), rows)


def _runs(arms: Arms) -> Table:
    """A table of all runs with their last scalars."""
    rows = []
    every = [run for runs in arms.values() for run in runs.values()]
    scalars = list(dict.fromkeys(name for run in every for name in run.recipe.scalars))
    for arm, runs in arms.items():
        for seed, run in runs.items():
            epochs = f"{len(run.rows())}/{run.recipe.epochs}"
            told = (run.id, arm, str(seed), run.status["state"], epochs)
            last = facts.finals([curve(run)], scalars)
            rows.append((*told, *last, facts.speed(run), str(run.fork or "")))
    columns = ("run", "arm", "seed", "state", "epochs", *scalars, "images/s", "fork of")
    return Table(columns, rows, f"Each scalar: the {facts.LAST}.")


def _samples(arms: Arms, credit: str) -> list[Block]:
    """The grids of every arm on one seed: the control's first seed, or else the arm's first."""
    first = next(iter(next(iter(arms.values()))))
    named = {arm: runs.get(first) or next(iter(runs.values())) for arm, runs in arms.items()}
    places, drawn = strips(named, colours(named))
    if not drawn:
        return [Text("No sample grid yet.")]
    pictures = []
    for place, (arm, run) in enumerate(named.items()):
        if epochs := sampled_epochs(run):
            file = f"{place}-{slug(arm)[:60]}-epoch-{epochs[-1]:04d}.png"
            caption = f"{arm}, seed {run.recipe.seed}, after {epochs[-1]} epochs"
            pictures.append(Picture(run.sample(epochs[-1]), file, caption))
    seeds = sorted({run.recipe.seed for run in named.values()})
    told = Text(
        f"Seed {' and '.join(map(str, seeds))}. Of a run without a grid at the slider's epoch, the "
        "latest before is shown."
    )
    return [told, Samples(places, drawn, pictures, credit)]

"""The note of one run: its recipe, curves, pictures and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bascule.experiments.predictions import SCALARS
from bascule.experiments.schedule import curve
from bascule.reports import facts
from bascule.reports.compare import curves_of, distinct_names
from bascule.reports.figures import colours
from bascule.reports.page import Lines, Page, Samples, Section, Table, Text
from bascule.reports.publish import write_page
from bascule.reports.samples import Picture, sampled_epochs, strips
from bascule.runs.store import Run


def write_run_note(run: Run, credit: str, relatives: Sequence[Run] = ()) -> Path:
    """Write ``note.md`` and ``note.html`` into the run's folder; returns the HTML file.

    ``relatives``: runs whose curves are drawn too, such as the parent of a fork.
    """
    names = distinct_names([run, *relatives])
    status = run.status
    state = f"{status['state']}, {len(run.rows())} of {run.recipe.epochs} epochs"
    if status.get("message"):
        state += f": {facts.without_paths(status['message'])}"
    lead = [("State", Text(state))]
    if run.fork:
        past = f"the first {run.fork.epoch} epochs are those of {run.fork.parent}"
        lead.append(("Fork", Text(past)))
    parent = next((r for r in relatives if run.fork and r.id == run.fork.parent), None)
    if parent:
        told = facts.recipe_differences(parent.recipe, run.recipe)
        lead.append(("Differs from its parent in", Text(told)))
    sections = [
        Section("Curves", [curves_of([run, *relatives], names)]),
        Section("Last scalars", [_scalars(run)]),
        Section("Samples", _samples(run, credit)),
        Section(
            "Recipe",
            [
                Table(("field", "value"), [*facts.recipe_rows(run.recipe), _seed(run)], plain=True),
                Lines(credit),
            ],
        ),
        Section("Where it comes from", [_provenance(run)]),
    ]
    return write_page(Page("run", run.name, lead, sections), run.folder, "note")


def _scalars(run: Run) -> Table | Text:
    rows = run.rows()
    if not rows:
        return Text("No epoch is complete yet.")
    averages, last = facts.finals([curve(run)]), rows[-1]
    cells = [
        (
            scalar,
            averages[place],
            *(
                facts.number(last[name]) if name in last else "–"
                for name in (scalar, f"{scalar}_std", f"{scalar}_min", f"{scalar}_max")
            ),
        )
        for place, scalar in enumerate(SCALARS)
    ]
    columns = ("scalar", facts.LAST, "last epoch", "its deviation", "lowest batch", "highest batch")
    return Table(columns, cells, facts.NUMBERS)


def _samples(run: Run, credit: str) -> list[Samples | Text]:
    epochs = sampled_epochs(run)
    if not epochs:
        return [Text("No sample grid yet.")]
    places, drawn = strips({run.name: run}, colours([run.name]))
    source = run.sample(epochs[-1])
    picture = Picture(source, source.name, f"{run.name}, after {epochs[-1]} epochs")
    return [Samples(places, drawn, [picture], credit)]


def _seed(run: Run) -> tuple[str, str]:
    return "seed", str(run.recipe.seed)


def _provenance(run: Run) -> Table:
    speed = facts.speed(run)
    rows = [
        ("run", run.id),
        ("images/s", f"{speed} in the mean over epochs" if speed != "–" else speed),
        ("images trained on", f"{facts.images_trained(run):,}"),
        *facts.provenance([run]),
    ]
    return Table(("fact", "value"), rows, plain=True)

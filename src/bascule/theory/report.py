"""The page of the theory bench: a table, a figure, and the numbers as JSON."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.reports import markdown
from bascule.reports.figures import png
from bascule.reports.page import Table
from bascule.theory.check import Budget, Check, Section
from bascule.theory.figure import theory_figure
from bascule.theory.mixtures import PUBLISHED

READING = """\
*agrees*: the measurement lies within the tolerance of the prediction, a share of it or, where 0 is
predicted, a difference. *bound holds*: no measurement may pass this number by more than the
tolerance, which is three standard errors, or what the quadrature costs. *reference*: what others
measured with more training; it judges nothing. Everything is measured with the losses that runs are
trained with where the program has them, and the rings and grids are played by its own step."""


def prepare(folder: Path) -> None:
    """Create the output folder and check that it is writable, before the work starts."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"cannot write into {folder}: {error.strerror}; give another folder with -o"
        ) from error


def summary(sections: Sequence[Section]) -> str:
    """One line: the number of predictions that are met."""
    words = Counter(check.word for section in sections for check in section.checks)
    met = words["agrees"] + words["bound holds"]
    judged = met + words["differs"]
    others = f"; {words['reference']} numbers are for reference" if words["reference"] else ""
    return f"{met} of {judged} predictions are met, {words['differs']} differ{others}"


def section_table(section: Section, sources: bool = True) -> Table:
    """A table of a section's checks; ``sources`` adds a column with sources."""
    columns = ["", "predicted", "measured", "error", "tolerance", "verdict"]
    rows = [_row(check, sources) for check in section.checks]
    return Table([*columns, "source"] if sources else columns, rows)


def _row(check: Check, sources: bool) -> list[str]:
    exact = check.kind == "equals" and check.tolerance < 1e-6
    digits = 10 if exact else 6
    predicted = f"{check.predicted:.{digits}g}"
    measured = f"{check.measured:.{digits}g}" + (f" ({check.note})" if check.note else "")
    signs = {"equals": "", "at most": "≤ ", "at least": "≥ ", "reference": ""}
    share = check.kind == "equals" and check.predicted != 0
    tolerance = f"{check.tolerance:.2g}" if not share else f"{100 * check.tolerance:.2g} %"
    row = [
        check.name,
        signs[check.kind] + predicted,
        measured,
        f"{100 * check.error:+.2g} %" if check.predicted else f"{check.error:+.1e}",
        "" if check.kind == "reference" else tolerance,
        check.word,
    ]
    return [*row, check.source] if sources else row


def write_theory(
    sections: Sequence[Section], budget: Budget, about: Mapping[str, str], folder: Path
) -> Path:
    """Write theory.md, theory.png and theory.json into ``folder``; returns the path of theory.md.

    ``about``: facts on the machine and the run, name -> text.
    """
    parts = [
        "# Theory bench",
        f"**{summary(sections)}.**",
        markdown.table(("", ""), [*about.items()]),
        "![measured beside predicted](theory.png)",
        READING,
    ]
    for section in sections:
        parts += [f"## {section.title}", markdown.table(*_cells(section_table(section)))]
    parts += ["## How the rings and grids were played", _schedule(budget)]
    atomic.write(folder / "theory.png", png(theory_figure(sections)))
    atomic.write(folder / "theory.json", json.dumps(_plain(sections, about), indent=1) + "\n")
    atomic.write(folder / "theory.md", "\n\n".join(parts) + "\n")
    return folder / "theory.md"


def _cells(table: Table) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    return table.columns, table.rows


def _schedule(budget: Budget) -> str:
    used = budget.mixtures
    told = (
        f"{len(budget.seeds)} seeds; {used.steps:,} steps of batch {used.batch}, G of width "
        f"{used.width_G}, D of width {used.width_D}, first weights N(0, {used.std}²), Adam "
        f"{used.lr:g}{' falling linearly to 0' if used.falls else ''}, beta1 0.8."
    )
    if used == PUBLISHED:
        return f"{told} This is the schedule of Lin et al. 2018, but for their ten seeds."
    return (
        f"{told} Published: {PUBLISHED.steps:,} steps, widths {PUBLISHED.width_G} and "
        f"{PUBLISHED.width_D}, N(0, {PUBLISHED.std}²), {PUBLISHED.lr:g}, ten seeds "
        "(`bascule theory --full` plays that on three). In both, D moves first and G answers, "
        "where theirs move at once."
    )


def _plain(sections: Sequence[Section], about: Mapping[str, str]) -> dict[str, object]:
    return {
        "about": dict(about),
        "checks": [
            {
                "section": section.title,
                "name": check.name,
                "kind": check.kind,
                "predicted": check.predicted,
                "measured": check.measured,
                "error": check.error,
                "tolerance": check.tolerance,
                "verdict": check.word,
                "source": check.source,
                "note": check.note,
            }
            for section in sections
            for check in section.checks
        ],
    }

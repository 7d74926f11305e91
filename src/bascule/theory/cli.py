"""The verb that compares the program with theory: theory."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bascule.cli.arguments import add_output
from bascule.cli.verbs import Verbs

if TYPE_CHECKING:
    from bascule.theory.check import Shares


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    theory = verbs.add_parser(
        "theory",
        help="compare measurements with predictions of theory (two minutes)",
        description="Compare what the program measures with what theory predicts. The exit code is "
        "1 when a prediction is not met.",
        examples=["bascule theory", "bascule theory --full -o theory"],
    )
    add_output(theory, "DIR", "folder of the page (default: notes/theory in the folder of runs)")
    theory.add_argument(
        "--full",
        action="store_true",
        help="train on rings and grids for as long as in the papers (hours)",
    )
    theory.set_defaults(do=do_theory)


def do_theory(args: argparse.Namespace) -> int:
    from bascule.core.processes import cores
    from bascule.reports.terminal import console, rich_table
    from bascule.theory import bench
    from bascule.theory import report as report
    from bascule.training.hardware import describe

    folder = args.output or args.runs / "notes" / "theory"
    report.prepare(folder)
    budget = bench.FULL if args.full else bench.TWO_MINUTES
    start = time.monotonic()
    with _progress() as tell:
        sections = bench.measure(budget, cores(), tell)
    about = {
        **describe(),
        "budget": budget.name,
        "time": f"{time.monotonic() - start:.0f} s, {cores()} processes of one thread",
    }
    page = report.write_theory(sections, budget, about, folder)
    out = console()
    for section in sections:
        out.print(f"\n{section.title}", style="bold", markup=False, highlight=False)
        out.print(rich_table(report.section_table(section, sources=False)))
    print(report.summary(sections))
    print(f"page: {page}")
    return int(any(check.word == "differs" for s in sections for check in s.checks))


@contextmanager
def _progress() -> Iterator[Callable[[Shares], None]]:
    """A bar over all jobs; one line a minute where there is no terminal."""
    from bascule.cli.progress import counter

    with counter("theory bench, %") as bar:
        yield lambda shares: bar(int(100 * sum(shares.values()) / len(shares)), 100)

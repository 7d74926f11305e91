"""The verb that plays a lesson: show."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bascule.cli.verbs import Verbs

if TYPE_CHECKING:
    from bascule.cli.experiment import Watching
    from bascule.lessons.shown import Shown
    from bascule.runs.store import Store

NAMES = ("healthy", "d-too-strong", "mode-collapse", "memorisation", "oscillation")


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    show = verbs.add_parser(
        "show",
        help="a lesson of two minutes on how training goes well, or fails",
        description="Train a small game that fails on purpose, beside a healthy one, and say what "
        "to look at: its numbers, its diagnosis, its pictures, and what to try. The same call "
        "shows it again without training.",
        examples=["bascule show mode-collapse", "bascule show healthy"],
    )
    show.add_argument("lesson", help=", ".join(NAMES), completer=lambda **_: list(NAMES))
    show.set_defaults(do=do_show)


def do_show(args: argparse.Namespace) -> int:
    from bascule.cli.experiment import interrupted
    from bascule.reports.page import Table
    from bascule.reports.terminal import console, rich_table
    from bascule.runs.store import Store

    shown = play(args.lesson, Store(args.runs))
    if shown is None:
        return interrupted()
    out = console()
    out.print(f"\n{shown.lesson.title}", style="bold", markup=False, highlight=False)
    out.print(shown.lesson.about, markup=False, highlight=False)
    out.print(rich_table(Table(shown.columns, shown.numbers)))
    for heading, text in shown.said():
        out.print(f"{heading}: {text}", markup=False, highlight=False, soft_wrap=True)
    return 0


def play(name: str, store: Store, bars: Watching | None = None) -> Shown | None:
    """Train what is missing of a lesson; None if interrupted. Raises :class:`UserError`.

    ``bars``: what shows how far it is, if not the terminal's.
    """
    from bascule.cli.experiment import train_all
    from bascule.core.errors import UserError
    from bascule.experiments.schedule import plan
    from bascule.lessons.lesson import lesson
    from bascule.lessons.shown import Shown

    chosen = lesson(name)
    found = chosen.experiment()
    jobs, data = plan(found, found.seeds), chosen.recipe.data
    if not train_all(found, jobs, {data: data.load()}, store, bars=bars):
        return None
    runs = {}
    for job in jobs:
        if job.run is None or job.state != "finished":
            raise UserError(f"the game \u201c{job.arm}\u201d of the lesson failed: {job.message}")
        runs[job.arm] = job.run
    return Shown(chosen, runs[chosen.title], runs["healthy"])

"""The verbs that look at runs: list, compare."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from bascule.runs.store import Run, Store

LATER = ("loss_G", "loss_D", "images/s", "fork of", "D_Gz", "D_x")  # the first to be left out


def add(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this file to the command line."""
    listing = verbs.add_parser("list", help="list the runs")
    listing.set_defaults(do=do_list)

    compare = verbs.add_parser("compare", help="runs side by side: differences, curves, pictures")
    compare.add_argument("run", nargs="+", help="run ids, parts of them, or folders")
    compare.add_argument("-o", "--output", type=Path, metavar="DIR", help="where the page goes")
    compare.set_defaults(do=do_compare)


def do_list(args: argparse.Namespace) -> int:
    from bascule.reports.terminal import console, fitted, width_of

    store = Store(args.runs)
    runs, unreadable = store.scan()
    if not runs and not unreadable:
        print(f"no runs in {store.root}")
        return 0
    out = console()
    rows = _rows(runs, unreadable, short=False)
    if out.is_terminal and width_of(rows) > out.width:
        rows = _rows(runs, unreadable, short=True)
    out.print(fitted(rows, out.width, LATER, cut="name"))
    for name, why in unreadable.items():
        print(f"{name} is unreadable: {' '.join(why.split())}")
    return 0


def _rows(runs: Sequence[Run], unreadable: Mapping[str, str], short: bool) -> list[dict[str, str]]:
    rows = [_facts(run, runs, short) for run in runs]
    columns = ("state", "epochs", "loss_D", "loss_G", "D_x", "D_Gz", "images/s", "fork of")
    for folder in unreadable:
        called = {"run": "", "name": folder} if short else {"run": folder}
        rows.append({**called, **dict.fromkeys(columns, ""), "state": "unreadable"})
    return rows


def _facts(run: Run, runs: Sequence[Run], short: bool) -> dict[str, str]:
    """What the list says of a run. ``short``: its key, by which it is found, and its name."""
    done, last = run.last_row()
    called = {"run": short_id(run, runs), "name": run.name} if short else {"run": run.id}
    branch = run.fork
    parent = next((r for r in runs if branch and r.id == branch.parent), None)
    fork_of = f"{short_id(parent, runs)} at {branch.epoch}" if short and parent and branch else ""
    return {
        **called,
        "state": run.status["state"],
        "epochs": f"{done}/{run.epochs}",
        **{n: f"{last[n]:.3f}" if n in last else "" for n in ("loss_D", "loss_G", "D_x", "D_Gz")},
        "images/s": f"{last['images_per_s']:.0f}" if "images_per_s" in last else "",
        "fork of": fork_of or str(branch or ""),
    }


def short_id(run: Run, runs: Sequence[Run]) -> str:
    """The key at the end of a run's id where no other run has it in its id or name, or the id."""
    key = run.id.rpartition("-")[2]
    others = (other for other in runs if other.id != run.id)
    return run.id if any(key in other.id or key in other.name for other in others) else key


def do_compare(args: argparse.Namespace) -> int:
    from rich.markup import escape

    from bascule.data.images import credits_of
    from bascule.reports.compare import comparison_table, write_comparison
    from bascule.reports.paired import paired_differences, paired_table
    from bascule.reports.terminal import console, rich_table

    store = Store(args.runs)
    runs = [store.find(text) for text in args.run]
    folder = args.output or store.root / "notes" / "compare"
    data = dict.fromkeys(run.recipe.data for run in runs)
    page = write_comparison(runs, folder, credits_of(each.load(None).credit for each in data))
    out = console()
    out.print(comparison_table(runs))
    differences, reasons = paired_differences(runs)
    if differences:
        out.print(rich_table(paired_table(differences)))
    for reason in reasons:
        out.print(f"not compared: {escape(reason)}", highlight=False)
    print(f"page: {page}")
    return 0

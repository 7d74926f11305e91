"""The verbs that look at runs: list, compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from bascule.runs.store import Store


def add(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this file to the command line."""
    listing = verbs.add_parser("list", help="list the runs")
    listing.set_defaults(do=do_list)

    compare = verbs.add_parser("compare", help="runs side by side: differences, curves, pictures")
    compare.add_argument("run", nargs="+", help="run ids, parts of them, or folders")
    compare.add_argument("-o", "--output", type=Path, metavar="DIR", help="where the page goes")
    compare.set_defaults(do=do_compare)


def do_list(args: argparse.Namespace) -> int:
    from rich.table import Table

    from bascule.reports.terminal import console

    store = Store(args.runs)
    runs, unreadable = store.scan()
    if not runs and not unreadable:
        print(f"no runs in {store.root}")
        return 0
    table = Table(
        "run", "state", "epochs", "loss_D", "loss_G", "D_x", "D_Gz", "images/s", "fork of"
    )
    for run in runs:
        done, last = run.last_row()
        numbers = [
            f"{last[n]:.3f}" if n in last else "" for n in ("loss_D", "loss_G", "D_x", "D_Gz")
        ]
        speed = f"{last['images_per_s']:.0f}" if "images_per_s" in last else ""
        branch = str(run.fork or "")
        epochs = f"{done}/{run.epochs}"
        table.add_row(run.id, run.status["state"], epochs, *numbers, speed, branch)
    for name in unreadable:
        table.add_row(name, "unreadable")
    console().print(table)
    for name, why in unreadable.items():
        print(f"{name} is unreadable: {' '.join(why.split())}")
    return 0


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

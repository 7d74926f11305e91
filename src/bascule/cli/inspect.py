"""The verbs that look at runs: list, check, compare."""

from __future__ import annotations

import argparse
import hashlib
import shlex
from collections.abc import Iterable, Sequence

from bascule.cli import completion
from bascule.cli.arguments import add_output
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError
from bascule.runs.store import Run, Store, slug

SCALARS = ("loss_D", "loss_G", "D_x", "D_Gz")
COLUMNS = ("epochs", *SCALARS, "images/s", "fork of")
LATER = (
    "loss_G",
    "loss_D",
    "images/s",
    "fork of",
    "D_Gz",
    "D_x",
)  # columns that a narrow terminal omits, in this order


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    listing = verbs.add_parser("list", help="list the runs", examples=["bascule list"])
    listing.set_defaults(do=do_list)

    check = verbs.add_parser(
        "check",
        help="read every file of runs, and compare check sums",
        examples=["bascule check", "bascule check dcgan64-light"],
    )
    check.add_argument(
        "run",
        nargs="*",
        help="ids of runs, parts of them, or folders (default: all runs)",
        completer=completion.runs,
    )
    check.set_defaults(do=do_check)

    compare = verbs.add_parser(
        "compare",
        help="compare runs: differences of recipes, curves, pictures",
        examples=["bascule compare dcgan64-light sngan64-light --name nets"],
    )
    compare.add_argument(
        "run",
        nargs="+",
        help="ids of runs, parts of them, or folders; the first one is the control",
        completer=completion.runs,
    )
    add_output(compare, "DIR", "folder of the page (default: in notes/compare/)")
    compare.add_argument("--name", help="name of the comparison (default: made from the runs)")
    compare.add_argument("--force", action="store_true", help="replace a page about other runs")
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


def do_check(args: argparse.Namespace) -> int:
    from bascule.runs.integrity import problems

    store = Store(args.runs)
    runs, unreadable = store.scan()
    if args.run:
        runs, unreadable = [store.find(text) for text in args.run], {}
    damaged = {name: [why] for name, why in unreadable.items()}
    damaged |= {run.id: found for run in runs if (found := problems(run))}
    for name, found in damaged.items():
        for why in found:
            print(f"{name}: {' '.join(why.split())}")
    print(
        f"{len(runs) + len(unreadable) - len(damaged):,} runs are whole, {len(damaged):,} are not"
    )
    return 2 if damaged else 0


def _rows(runs: Sequence[Run], unreadable: Iterable[str], short: bool) -> list[dict[str, str]]:
    """A row for every run, and for every folder that cannot be read as a run."""
    rows = [_facts(run, runs, short) for run in runs]
    for name in unreadable:
        called = {"run": "", "name": name} if short else {"run": name}
        rows.append(called | {"state": "unreadable"} | dict.fromkeys(COLUMNS, ""))
    return rows


def _facts(run: Run, runs: Sequence[Run], short: bool) -> dict[str, str]:
    """The row of a run. ``short``: with its key and its name instead of its id."""
    done, last = run.last_row()
    whole = run.id if slug(run.name) in run.id else f"{run.id} ({run.name})"
    called = {"run": short_id(run, runs), "name": run.name} if short else {"run": whole}
    branch = run.fork
    parent = next((r for r in runs if branch and r.id == branch.parent), None)
    fork_of = f"{short_id(parent, runs)} at {branch.epoch}" if short and parent and branch else ""
    return {
        **called,
        "state": run.status["state"],
        "epochs": f"{done}/{run.epochs}",
        **{n: f"{last[n]:.3f}" if n in last else "" for n in SCALARS},
        "images/s": f"{last['images_per_s']:.0f}" if "images_per_s" in last else "",
        "fork of": fork_of or str(branch or ""),
    }


def short_id(run: Run, runs: Sequence[Run]) -> str:
    """The key at the end of a run's id; the whole id where another run contains that key."""
    key = run.id.rpartition("-")[2]
    others = (other for other in runs if other.id != run.id)
    return run.id if any(key in other.id or key in other.name for other in others) else key


def do_compare(args: argparse.Namespace) -> int:
    from rich.markup import escape

    from bascule.data.images import credits_of
    from bascule.reports.compare import comparison_tables, write_comparison
    from bascule.reports.made import found_made
    from bascule.reports.paired import paired_differences
    from bascule.reports.terminal import console, rich_table

    store = Store(args.runs)
    runs = [store.find(text) for text in args.run]
    tables = comparison_tables(runs)
    folder = args.output or store.root / "notes" / "compare" / _called(args.name, runs)
    there = found_made(folder, "compare")
    if there and set(there.ids) != {run.id for run in runs} and not args.force:
        raise UserError(
            f"{folder / 'compare.md'} compares other runs ({', '.join(there.ids) or 'unknown'}): "
            "give another --name or --output, or --force to replace it"
        )
    data = dict.fromkeys(run.recipe.data for run in runs)
    credit = credits_of(each.load(None).credit for each in data)
    page = write_comparison(runs, folder, credit, _command(args, runs, store))
    out = console()
    for table in tables:
        out.print(rich_table(table))
    for reason in paired_differences(runs)[1]:
        out.print(f"not compared: {escape(reason)}", highlight=False)
    print(f"page: {page}")
    return 0


def _called(name: str | None, runs: Sequence[Run]) -> str:
    """The folder of a comparison: ``name``, or the names of its arms and a digest of its runs."""
    from bascule.experiments.paired import arms_of

    if name:
        return slug(name)
    digest = hashlib.sha256(" ".join(run.id for run in runs).encode()).hexdigest()[:6]
    return f"{slug(' vs '.join(arms_of(runs)))[:60]}-{digest}"


def _command(args: argparse.Namespace, runs: Sequence[Run], store: Store) -> str:
    """The command that makes this page again, with ids of the runs that are in ``store``."""
    inside = [(store.root / run.id).resolve() == run.folder.resolve() for run in runs]
    words = [
        run.id if here else text for run, here, text in zip(runs, inside, args.run, strict=True)
    ]
    name = ["--name", args.name] if args.name else []
    return shlex.join(["bascule", "compare", *words, *name])

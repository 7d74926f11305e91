"""The verb that deletes runs: rm."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bascule.cli import completion
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError
from bascule.runs.disk import size_of
from bascule.runs.store import Run, Store


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "rm",
        help="delete runs",
        examples=["bascule rm dcgan64-tiny", "bascule rm first second --yes"],
    )
    verb.add_argument(
        "run", nargs="+", help="ids of runs, or parts of them", completer=completion.runs
    )
    verb.add_argument("--yes", action="store_true", help="do not ask first")
    verb.set_defaults(do=do_remove)


def do_remove(args: argparse.Namespace) -> int:
    store = Store(args.runs)
    runs = list({run.id: run for text in args.run for run in [_found(store, text)]}.values())
    for run in runs:
        if run.is_locked():
            raise UserError(f"{run.id} is being trained: stop it first")
    _check_forks(store, runs)
    told = [f"{run.id} ({size_of(run.folder) / 1e6:.1f} MB)" for run in runs]
    if not args.yes:
        if not sys.stdin.isatty():
            raise UserError(f"rm {', '.join(told)}: nobody can be asked here; give --yes to delete")
        print("\n".join(told), file=sys.stderr)
        print(f"delete {_count(runs)}? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nothing is deleted", file=sys.stderr)
            return 2
    for run, line in zip(runs, told, strict=True):
        _remove(run)
        print(f"deleted {line}")
    return 0


def _found(store: Store, text: str) -> Run:
    """The run in the store that ``text`` names.

    A damaged run is found by its whole id. A run behind a link is refused.
    """
    inside = store.root / Path(text).name
    if inside.is_dir() and text in (inside.name, str(inside)):
        known = any((inside / name).exists() for name in ("recipe.json", "run.json"))
        run = Run(inside) if known else store.find(text)
    else:
        run = store.find(text)
    place = store.root / run.id
    if place.is_symlink() or run.folder.resolve() != place.resolve() or not place.is_dir():
        raise UserError(f"{run.folder} is no folder in {store.root}: delete it yourself")
    return Run(place)


def _check_forks(store: Store, runs: Sequence[Run]) -> None:
    """Refuse to delete the parent of a fork that is not deleted, too."""
    going = {run.id for run in runs}
    for other in store.runs():
        try:
            parent = other.fork.parent if other.fork else ""
        except UserError:  # a fork that cannot be read needs no parent
            continue
        if parent in going and other.id not in going:
            raise UserError(f"{other.id} is a fork of {parent}: delete it first, or name both")


def _remove(run: Run) -> None:
    """Rename the folder, so that it is gone at once, then delete it. Links are not followed."""
    with run.lock():
        gone = run.folder.with_name(f".{run.id}.{os.getpid()}.deleted")
        run.folder.rename(gone)
    shutil.rmtree(gone)


def _count(runs: Sequence[Run]) -> str:
    return "this run" if len(runs) == 1 else f"these {len(runs)} runs"

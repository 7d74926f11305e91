"""The verbs that tidy up: rm, rename, gc."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bascule.cli import completion
from bascule.cli.arguments import add_run
from bascule.cli.verbs import Verbs
from bascule.core.disk import size_of
from bascule.core.errors import UserError
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

    verb = verbs.add_parser(
        "rename",
        help="give a run another name",
        description="Give a run another name, by which verbs find it. Its id stays as it is, "
        "because notes and forks refer to it.",
        examples=["bascule rename dcgan64-tiny portraits"],
    )
    add_run(verb)
    verb.add_argument("name", help="the new name")
    verb.set_defaults(do=do_rename)

    verb = verbs.add_parser(
        "gc",
        help="free the space of what can go: leftovers, and what is made again when needed",
        description="Free the space of what can go: built-in image sets and features, which are "
        "made again when they are needed, runs in the trash of the board, and what processes that "
        "were killed have left. It says first what it would delete.",
        examples=["bascule gc", "bascule gc --yes"],
    )
    verb.add_argument("--yes", action="store_true", help="do not ask first")
    verb.set_defaults(do=do_gc)


def do_remove(args: argparse.Namespace) -> int:
    store = Store(args.runs)
    runs = list({run.id: run for text in args.run for run in [_found(store, text)]}.values())
    for run in runs:
        if run.is_locked():
            raise UserError(f"{run.id} is being trained: stop it first")
    _check_forks(store, runs)
    told = [f"{run.id} ({size_of(run.folder) / 1e6:.1f} MB)" for run in runs]
    if not agreed("rm", told, f"delete {_count(runs)}?", args.yes):
        return 2
    for run, line in zip(runs, told, strict=True):
        _remove(run)
        print(f"deleted {line}")
    return 0


def agreed(verb: str, told: Sequence[str], question: str, yes: bool) -> bool:
    """Whether the user agrees to delete what ``told`` lists; ``yes``: they did already.

    Raises UserError if nobody can be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UserError(f"{verb} {', '.join(told)}: nobody can be asked here; give --yes to delete")
    print("\n".join(told), file=sys.stderr)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    print("nothing is deleted", file=sys.stderr)
    return False


def do_rename(args: argparse.Namespace) -> int:
    run = Store(args.runs).find(args.run)
    if (run.folder / "train.json").exists():
        raise UserError(f"{run.id} is a run of an experiment, which finds it by its name")
    old = run.name
    with run.lock():
        run.rename(args.name)
    print(f"{run.id}: {old} is now called {args.name}")
    return 0


def do_gc(args: argparse.Namespace) -> int:
    from bascule.data.stored import delete, disposable
    from bascule.runs.leftovers import leftovers

    found = [(why, path, size_of(path)) for why, path in (*disposable(), *leftovers(args.runs))]
    if not found:
        print("nothing can go")
        return 0
    told = []
    for reason in dict.fromkeys(why for why, _, _ in found):
        sizes = [size for why, _, size in found if why == reason]
        told.append(f"{reason}: {len(sizes)} ({sum(sizes) / 1e6:.1f} MB)")
    if not agreed("gc", told, "delete these?", args.yes):
        return 2
    for _, path, _ in found:
        with suppress(FileNotFoundError):  # its owner was first
            delete(path)
    print("\n".join(f"deleted {line}" for line in told))
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

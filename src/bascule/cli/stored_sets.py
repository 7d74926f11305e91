"""The verbs that tidy up imported image sets: data rm, data rename."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bascule.cli import completion
from bascule.cli.remove import agreed
from bascule.cli.verbs import Verbs
from bascule.core.disk import size_of
from bascule.core.errors import UserError
from bascule.core.reading import read_json
from bascule.runs.store import Store


def add(parts: Verbs) -> None:
    """Add the verbs of this file to ``bascule data``."""
    verb = parts.add_parser(
        "rm",
        help="delete imported image sets, in all their sizes",
        examples=["bascule data rm my-faces", "bascule data rm first second --yes"],
    )
    verb.add_argument("name", nargs="+", help="names of sets", completer=completion.shown_sets)
    verb.add_argument("--yes", action="store_true", help="do not ask first")
    verb.set_defaults(do=do_remove)

    verb = parts.add_parser(
        "rename",
        help="give an imported image set another name",
        examples=["bascule data rename my-faces portraits"],
    )
    verb.add_argument("name", help="name of the set", completer=completion.shown_sets)
    verb.add_argument("new", help="the new name")
    verb.set_defaults(do=do_rename)


def do_remove(args: argparse.Namespace) -> int:
    from bascule.data import stored

    folders = {name: stored.folder_of(name) for name in args.name}
    told = []
    for name, folder in folders.items():
        runs = users_of(args.runs, name)
        lost = f"; without it {_count(runs)} neither train nor are measured" if runs else ""
        told.append(f"{name} ({size_of(folder) / 1e6:.1f} MB{lost})")
    if not agreed("data rm", told, "delete?", args.yes):
        return 2
    for folder, line in zip(folders.values(), told, strict=True):
        stored.delete(folder)
        print(f"deleted {line}")
    return 0


def do_rename(args: argparse.Namespace) -> int:
    from bascule.data import stored

    stored.folder_of(args.name)
    if runs := users_of(args.runs, args.name):
        raise UserError(
            f"{args.name} is named in the recipe of {_count(runs)}, such as {runs[0]}: import it "
            "once more under the new name, or delete them first"
        )
    stored.rename(args.name, args.new)
    print(f"{args.name} is now called {args.new}")
    return 0


def users_of(root: Path, name: str) -> list[str]:
    """The ids of the runs in ``root`` whose recipe names the imported set ``name``."""
    return [
        run.id
        for run in Store(root).runs()
        if any(
            value.get("name") == name and str(value.get("is")).endswith("Imported")
            for value in _objects(read_json(run.folder / "recipe.json"))
        )
    ]


def _objects(plain: Any) -> Iterator[dict[str, Any]]:
    """All JSON objects within ``plain``."""
    if isinstance(plain, dict):
        yield plain
    for inner in plain.values() if isinstance(plain, dict) else plain:
        if isinstance(inner, dict | list):
            yield from _objects(inner)


def _count(runs: list[str]) -> str:
    return f"{len(runs)} run" if len(runs) == 1 else f"{len(runs)} runs"

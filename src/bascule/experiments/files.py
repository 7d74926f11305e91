"""Where the files of experiments are. They are found by their names, and not executed here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bascule
from bascule.core.errors import UserError, unknown

FOLDER = Path("experiments")


def places() -> list[Path]:
    """Where experiments are found by name: in ``experiments/`` here, then among those that ship.

    These are in the package, or beside it in a checkout.
    """
    package = Path(bascule.__file__).parent
    shipped = (package / "shipped" / FOLDER, package.parents[1] / FOLDER)
    found = [FOLDER, *[place for place in shipped if place.is_dir()][:1]]
    return [found[0]] if found[0].resolve() == found[-1].resolve() else found


def find_files(text: str) -> list[Path]:
    """The files of an experiment, or of a folder of experiments, in the order of their names.

    ``text``: a path, or the name of a file or folder in one of :func:`places`.
    """
    folders = [each for each in (Path(text), *(p / text for p in places())) if each.is_dir()]
    for each in folders:
        if found := sorted(p for p in each.glob("*.py") if not p.name.startswith("_")):
            return found
    if folders:
        raise UserError(f"no experiment in the folder {folders[0]}: expected .py files")
    return [find_file(text)]


def known_files() -> dict[str, Path]:
    """The files in all :func:`places` by their names, in order; the first place counts."""
    found: dict[str, Path] = {}
    for place in places():
        for path in sorted(place.rglob("*.py")):
            if not path.name.startswith("_"):
                name = path.relative_to(place).with_suffix("").as_posix().replace("_", "-")
                found.setdefault(name, path)
    return found


def find_file(text: str) -> Path:
    """The experiment's file: a path, or the name of a file in one of :func:`places`."""
    if text.endswith(".py"):
        path = Path(text)
        if not path.exists():
            raise UserError(f"no such experiment file: {text}")
        return path
    for place in places():
        path = place / f"{text.replace('-', '_')}.py"
        if path.exists():
            return path
    raise unknown("experiment", text, known_files())


def verb_and_question(path: Path) -> tuple[str, str]:
    """The verb that takes a file, and the first sentence of its docstring.

    The verb is "run" for an experiment, "tune" for a tuning, "" for other files. The file is read
    as text.
    """
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return "", ""
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    verb = "tune" if "tuning" in assigned else "run" if "experiment" in assigned else ""
    return verb, first_sentence(ast.get_docstring(tree) or "")


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, in one line; at most its first paragraph.

    >>> first_sentence("Does ``D`` win,\\nor G? Nobody knows.")
    'Does `D` win, or G?'
    """
    line = " ".join(text.strip().partition("\n\n")[0].split()).replace("``", "`")
    found = re.match(r".+?[.?!](?=\s+[A-Z]|$)", line)
    return found.group() if found else line

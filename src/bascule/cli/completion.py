"""What a shell completes: verbs, options, runs, presets, experiments, image sets, classes, fields.

Nothing of the user's is executed: files are read as text. What the package and its plug-ins define
is kept in the cache folder, since PyTorch, which is needed to find it out, takes seconds to load.
It is found out anew when a file of the package or of a plug-in has changed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bascule
from bascule.cli.verbs import Parser, Verbs
from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.data.places import imported_sets, root
from bascule.runs import recipe_format

SHELLS = ("bash", "zsh", "fish", "powershell")
CACHE = "completion.json"

Completer = Callable[..., Iterable[str]]  # a mapping has a description of each


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "completion",
        help="print the code that lets a shell complete bascule",
        examples=[
            "bascule completion bash >> ~/.bashrc",
            "bascule completion zsh >> ~/.zshrc",
            "bascule completion fish > ~/.config/fish/completions/bascule.fish",
        ],
    )
    verb.add_argument("shell", choices=SHELLS, help="the shell that you use")
    verb.set_defaults(do=do_completion)


def do_completion(args: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["bascule"], shell=args.shell))
    return 0


def answer(parser: Parser) -> None:
    """Tell the shell the completions that it asks for, and end this process.

    Returns at once where no shell asks.
    """
    if "_ARGCOMPLETE" in os.environ:
        from argcomplete import autocomplete

        autocomplete(parser, always_complete_options=False, default_completer=_paths)  # type: ignore[arg-type]


def runs(parsed_args: argparse.Namespace, prefix: str, **_: Any) -> dict[str, str]:
    """Ids of runs with their names.

    After a prefix also ids without their date, which name a run as well, and folders.
    """
    found = {}
    for folder in sorted(_runs_folder(parsed_args).glob("[!.]*/recipe.json")):
        name = _read(folder.with_name("run.json")).get("name", "")
        found[folder.parent.name] = str(name)
        if prefix:
            found[folder.parent.name.partition("-")[2]] = str(name)
    return found | dict.fromkeys(_files(prefix), "") if "/" in prefix else found


def runs_and_folders(parsed_args: argparse.Namespace, prefix: str, **_: Any) -> dict[str, str]:
    """As :func:`runs`, and folders of pictures."""
    return runs(parsed_args, prefix) | (dict.fromkeys(_files(prefix), "") if prefix else {})


def presets(prefix: str, **_: Any) -> dict[str, str]:
    """What ``train`` takes: presets, recipes in files."""
    return _about("presets") | dict.fromkeys(_in_file(prefix, ".json"), "")


def ranked_presets(**_: Any) -> dict[str, str]:
    """What ``ladder`` takes."""
    known = _known().get("ranked", ())
    return {name: about for name, about in _about("presets").items() if name in known}


def sdpc_presets(**_: Any) -> dict[str, str]:
    """What ``sdpc fit`` takes."""
    return _about("sdpc")


def experiments(prefix: str, **_: Any) -> dict[str, str]:
    """Experiments and folders of them, by their names or as files."""
    found = _files_of("run", prefix)
    return found | {name.rpartition("/")[0]: "" for name in found if name.count("/") == 1}


def tunings(prefix: str, **_: Any) -> dict[str, str]:
    """Searches for settings, by their names or as files."""
    return _files_of("tune", prefix)


def _files_of(verb: str, prefix: str) -> dict[str, str]:
    from bascule.experiments.files import known_files, verb_and_question

    told = {name: verb_and_question(path) for name, path in known_files().items()}
    found = {name: question for name, (its, question) in told.items() if its == verb}
    return found | dict.fromkeys(_files(prefix, ".py") if prefix else (), "")


def image_sets(prefix: str, **_: Any) -> list[str]:
    """Image sets, two of them as ``humans+faces``, and what a file of the user's defines."""
    first, plus, _second = prefix.rpartition("+")
    known = [first + plus + name for name in ("faces", "fractals", *imported_sets())]
    return [*known, *_in_file(prefix)]


def shown_sets(**_: Any) -> list[str]:
    """Image sets that are at hand, built in or imported."""
    return ["faces", "fractals", *imported_sets()]


def extractors(prefix: str, **_: Any) -> list[str]:
    """Feature extractors of the package, and those in a file of the user's."""
    return [*_known().get("extractors", ()), *_in_file(prefix)]


def classes(prefix: str, **_: Any) -> list[str]:
    """What a file of the user's defines, as ``my_metrics.py:Eyes``."""
    return _in_file(prefix)


def trackers(prefix: str, **_: Any) -> list[str]:
    """Names of trackers, and what a file of the user's defines."""
    from bascule.tracking.services import SERVICES

    return [*SERVICES, *_in_file(prefix)]


def interventions(**_: Any) -> dict[str, str]:
    """Interventions, each as the beginning of a call where it needs values."""
    return _about("interventions")


def fields(parsed_args: argparse.Namespace, prefix: str, **_: Any) -> list[str]:
    """Fields of the recipe that the verb is about, as ``model.width=``.

    After ``interventions=``: interventions.

    An experiment's recipes are known to its file alone, so there the fields of all presets count.
    """
    if prefix.startswith("interventions="):
        return [f"interventions={rule}" for rule in interventions()]
    paths = _fields_of(parsed_args)
    return [f"{path}=" for path in paths if prefix or "." not in path]


def _fields_of(args: argparse.Namespace) -> list[str]:
    recipes = {**_known().get("presets", {}), **_known().get("sdpc", {})}
    if run := getattr(args, "run", None):
        ids = [path.parent.name for path in _runs_folder(args).glob("*/recipe.json")]
        found = [name for name in ids if run in name]
        folder = _runs_folder(args) / found[0] if found else Path(run)
        return list(_paths_in(_read(folder / "recipe.json")))
    if (name := getattr(args, "preset", None)) in recipes:
        return list(recipes[name]["fields"])
    if name and name.endswith(".json"):
        return list(_paths_in(_read(Path(name))))
    return list(dict.fromkeys(path for each in recipes.values() for path in each["fields"]))


# what the package and plug-ins define


def _known() -> dict[str, Any]:
    """What the package and its plug-ins define, from the cache where that is up to date."""
    path, now = root() / CACHE, _changed()
    if (kept := _read(path)).get("changed") == now:
        return kept
    try:
        found = {"changed": now, **_loaded()}
    except UserError:  # of a plug-in that does not load: other verbs say so
        return {}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, json.dumps(found))
    return found


def _loaded() -> dict[str, Any]:
    """As :func:`_known`, by loading it."""
    from bascule.cli.one_line import call_of, facts, summary
    from bascule.features.extractors import EXTRACTORS
    from bascule.interventions.known import known_interventions
    from bascule.presets import SDPC_PRESETS, ranked, trained
    from bascule.runs import codec

    def told(recipe: Any) -> dict[str, Any]:
        return {"about": facts(recipe), "fields": [*_paths_in(codec.encode(recipe))]}

    return {
        "presets": {name: told(recipe) for name, recipe in trained().items()},
        "ranked": [*ranked()],
        "sdpc": {name: told(recipe) for name, recipe in SDPC_PRESETS.items()},
        "interventions": {
            call_of(kind): {"about": summary(kind)} for kind in known_interventions()
        },
        "extractors": [*EXTRACTORS],
    }


def _about(kind: str) -> dict[str, str]:
    return {name: told["about"] for name, told in _known().get(kind, {}).items()}


def _paths_in(plain: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of the fields of a recipe that is written as JSON."""
    for name, value in plain.items():
        if name not in ("is", "facts", recipe_format.KEY):
            yield f"{prefix}{name}"
            if isinstance(value, dict):
                yield from _paths_in(value, f"{prefix}{name}.")


def _changed() -> list[Any]:
    """When the package and its plug-ins were changed last; nothing of them is loaded."""
    from bascule.core.class_names import PLUGINS

    plugins = {entry.module.partition(".")[0] for entry in entry_points(group=PLUGINS)}
    times = [[bascule.__version__, _newest(Path(bascule.__file__).parent)]]
    for name in sorted(plugins):
        spec = find_spec(name)
        origin = Path(spec.origin) if spec and spec.origin else Path()
        times.append([name, _newest(origin.parent if origin.stem == "__init__" else origin)])
    return times


def _newest(path: Path) -> int:
    """When a module, or the newest one of a package, was changed, in nanoseconds."""
    modules = [path, *path.rglob("*.py")] if path.is_dir() else [path]
    return max(module.stat().st_mtime_ns for module in modules)


# files


def _runs_folder(args: argparse.Namespace) -> Path:
    return Path(getattr(args, "runs", "runs"))


def _read(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_file(prefix: str, *more: str) -> list[str]:
    """``my_metrics.py:Eyes`` and all else that the file before the colon defines.

    Without a colon: Python files, and files that end as ``more`` says.
    """
    file, colon, _ = prefix.partition(".py:")
    if not colon:
        return _files(prefix, ".py", *more) if prefix else []
    try:
        tree = ast.parse(Path(f"{file}.py").expanduser().read_text("utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return []
    names = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [f"{file}.py:{name}" for name in names if not name.startswith("_")]


def _paths(prefix: str, action: argparse.Action, **_: Any) -> list[str]:
    """Files and folders, where the argument is a path."""
    return _files(prefix, "") if action.type is Path else []


def _files(prefix: str, *endings: str) -> list[str]:
    """Folders, and files that end so; hidden ones only where the prefix asks for them."""
    folder = prefix[: prefix.rfind("/") + 1]
    found = []
    with suppress(OSError):
        for path in sorted(Path(folder or ".").expanduser().iterdir()):
            if path.name.startswith(".") and not prefix[len(folder) :].startswith("."):
                continue
            if path.is_dir():
                found.append(f"{folder}{path.name}/")
            elif path.name.endswith(endings):
                found.append(f"{folder}{path.name}")
    return found

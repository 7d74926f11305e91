"""The verbs that list what can be named: presets, experiments, interventions, predictions.

Everything is read from the code, of plug-ins too. Experiments are read as text, and not executed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from bascule.cli import completion
from bascule.cli.arguments import add_output
from bascule.cli.verbs import Verbs
from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.experiments.files import find_file, known_files, verb_and_question


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    presets = verbs.add_parser(
        "presets",
        help="list the presets that `train` and `sdpc fit` take",
        examples=["bascule presets"],
    )
    presets.set_defaults(do=do_presets)
    experiments = verbs.add_parser(
        "experiments",
        help="list the experiments that `run` and `tune` take",
        description="List the experiments that `run` and `tune` take, or copy one to begin your "
        "own from.",
        examples=["bascule experiments", "bascule experiments copy perfect-g"],
    )
    experiments.set_defaults(do=do_experiments)
    parts = experiments.add_subparsers(dest="experiments_verb", metavar="VERB")
    copy = parts.add_parser(
        "copy",
        help="copy the file of an experiment here, to begin your own from",
        examples=[
            "bascule experiments copy perfect-g",
            "bascule experiments copy notebook/lying -o my_question.py",
        ],
    )
    copy.add_argument(
        "name",
        help="an experiment that `bascule experiments` lists",
        completer=completion.experiments,
    )
    add_output(copy, "FILE", "file to write (default: of the same name, in this folder)")
    copy.set_defaults(do=do_copy)
    interventions = verbs.add_parser(
        "interventions",
        help="list the interventions, with their fields and ranges",
        examples=["bascule interventions"],
    )
    interventions.set_defaults(do=do_interventions)
    predictions = verbs.add_parser(
        "predictions",
        help="list what an experiment can predict",
        examples=["bascule predictions"],
    )
    predictions.set_defaults(do=do_predictions)


def do_presets(args: argparse.Namespace) -> int:
    from bascule.cli.one_line import facts
    from bascule.presets import ABOUT, SDPC_PRESETS, trained

    recipes = trained() | SDPC_PRESETS
    wide = max(map(len, recipes))
    for name, recipe in recipes.items():
        verb = "sdpc fit" if name in SDPC_PRESETS else "train"
        about = f". {ABOUT[name]}" if name in ABOUT else ""  # a plug-in's preset has none
        _tell(f"{verb:8} {name:{wide}}", facts(recipe) + about)
    return 0


def do_experiments(args: argparse.Namespace) -> int:
    files = known_files()
    if not files:
        print("no experiments: there is no folder experiments/ here")
    wide = max(map(len, files), default=0)
    for name, path in files.items():
        verb, question = verb_and_question(path)
        if verb:
            _tell(f"{verb:4} {name:{wide}}", question)
    return 0


def do_copy(args: argparse.Namespace) -> int:
    source = find_file(args.name)
    verb, _ = verb_and_question(source)
    if not verb:
        raise UserError(f"{args.name}: this file holds no experiment, so `bascule run` takes none")
    target = args.output or Path(source.name)
    if target.suffix != ".py":
        raise UserError(f"-o {target}: expected a file name.py")
    if target.exists():
        raise UserError(f"{target} exists already: give another file with -o")
    atomic.write(target, source.read_text("utf-8"))
    print(f"{target}: edit it, then `bascule {verb} {target}`")
    return 0


def do_interventions(args: argparse.Namespace) -> int:
    from bascule.interventions.known import known_interventions

    return _tell_classes(known_interventions())


def do_predictions(args: argparse.Namespace) -> int:
    from bascule import experiments
    from bascule.core.class_names import plugin_classes

    known = [getattr(experiments, name) for name in experiments.__all__]
    known += plugin_classes().values()
    return _tell_classes(kind for kind in known if hasattr(kind, "claim"))


def _tell_classes(kinds: Iterable[type]) -> int:
    """Each class with its first sentence, and its fields below it."""
    from bascule.cli.one_line import summary
    from bascule.core.described import described

    for kind in kinds:
        _tell(kind.__name__, summary(kind))
        fields = described(kind)
        wide = max((len(f.name) for f in fields), default=0)
        for f in fields:
            _tell(f"    {f.name:{wide}}", str(f), indent=8)
    return 0


def _tell(name: str, what: str, indent: int = 4) -> None:
    """One line; on a terminal that is too narrow for it, the name and then the rest, indented."""
    line = f"{name}  {what}"
    if not sys.stdout.isatty():  # whole lines for grep
        print(line)
        return
    from rich.console import Console
    from rich.padding import Padding

    console = Console()
    if len(line) <= console.width:
        print(line)
        return
    print(name.rstrip())
    console.print(Padding(what, (0, 0, 0, indent)), markup=False, highlight=False)

"""The verbs that list what there is: presets, experiments, interventions, predictions.

All of it is read from the code; experiments are read as text, and not executed.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import re
import sys
from collections.abc import Iterable
from typing import Any

from bascule.cli.verbs import Verbs


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    presets = verbs.add_parser("presets", help="what `train` knows by name")
    presets.set_defaults(do=do_presets)
    experiments = verbs.add_parser("experiments", help="what `run` and `tune` know by name")
    experiments.set_defaults(do=do_experiments)
    interventions = verbs.add_parser("interventions", help="rules to change the game by")
    interventions.set_defaults(do=do_interventions)
    predictions = verbs.add_parser("predictions", help="what an experiment can predict")
    predictions.set_defaults(do=do_predictions)


def do_presets(args: argparse.Namespace) -> int:
    from bascule.cli.train import trained
    from bascule.presets import SDPC_PRESETS

    recipes = trained() | SDPC_PRESETS  # the latter are learnt by `sdpc fit`
    wide = max(map(len, recipes))
    for name, recipe in recipes.items():
        kind = type(recipe).__name__.removesuffix("Recipe") or "GAN"
        objective = getattr(recipe, "objective", "")
        plays = f"{kind}, {getattr(objective, 'kind', objective)}".removesuffix(", ")
        what = f"{recipe.data.size} px, {_net(recipe.model)}, {plays}, batch {recipe.batch}"
        _tell(f"{name:{wide}}", what)
    return 0


def _net(model: Any) -> str:
    """``DCGAN(width=16)``: the model with what differs from its defaults."""
    fields = [f for f in dataclasses.fields(model) if f.init and f.name != "layers"]
    told = [f"{f.name}={v!r}" for f in fields if (v := getattr(model, f.name)) != f.default]
    return f"{type(model).__name__}({', '.join(told)})".removesuffix("()")


def do_experiments(args: argparse.Namespace) -> int:
    from bascule.experiments.experiment import known_files

    files = known_files()
    if not files:
        print("no experiments: there is no folder experiments/ here")
    wide = max(map(len, files), default=0)
    for name, path in files.items():
        tree = ast.parse(path.read_text("utf-8"))
        assigned = {t.id for node in tree.body for t in _targets(node)}
        verb = "tune" if "tuning" in assigned else "run"
        if "experiment" in assigned or verb == "tune":
            _tell(f"{verb:4} {name:{wide}}", _first_sentence(ast.get_docstring(tree) or ""))
    return 0


def do_interventions(args: argparse.Namespace) -> int:
    from bascule.core.class_names import plugin_classes
    from bascule.interventions import INTERVENTIONS, Intervention

    more = (kind for kind in plugin_classes().values() if issubclass(kind, Intervention))
    return _tell_classes((*INTERVENTIONS, *more))


def do_predictions(args: argparse.Namespace) -> int:
    from bascule import experiments

    known = [getattr(experiments, name) for name in experiments.__all__]
    return _tell_classes(kind for kind in known if hasattr(kind, "claim"))


def _tell_classes(kinds: Iterable[type]) -> int:
    for kind in kinds:
        _tell(_signature(kind), _first_sentence(kind.__doc__ or ""))
    return 0


def _signature(kind: Any) -> str:
    """``PerfectG(at_epoch, sigma=0.0)``: the values that it takes, with their defaults."""
    told = []
    for f in dataclasses.fields(kind):
        if f.init:
            told.append(f.name if f.default is dataclasses.MISSING else f"{f.name}={f.default!r}")
    return f"{kind.__name__}({', '.join(told)})"


def _first_sentence(text: str) -> str:
    told = " ".join(text.split()).replace("``", "")
    found = re.match(r".+?[.?!](?=\s+[A-Z]|$)", told)
    return found.group() if found else told


def _targets(node: ast.stmt) -> list[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target for target in targets if isinstance(target, ast.Name)]


def _tell(name: str, what: str) -> None:
    """One line; on a terminal that is too narrow for it, more, indented."""
    from rich.console import Console
    from rich.padding import Padding

    line = f"{name}  {what}"
    console = Console()
    if not sys.stdout.isatty() or len(line) <= console.width:
        print(line)
        return
    print(name.rstrip())
    console.print(Padding(what, (0, 0, 0, 4)), markup=False, highlight=False)

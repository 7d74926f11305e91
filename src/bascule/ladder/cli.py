"""The verb that compares recipes at equal time: ladder."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.cli import completion
from bascule.cli.experiment import (
    add_jobs,
    check_seeds,
    interrupted,
    judged,
    may_replace,
    say,
    train_all,
)
from bascule.cli.numbers import a_seed, real, whole
from bascule.cli.train import load, named_data
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError, unknown
from bascule.runs.store import Store, slug

if TYPE_CHECKING:
    from bascule.data.images import ImageSet
    from bascule.experiments.experiment import Experiment
    from bascule.experiments.schedule import Results
    from bascule.training.recipe import Recipe


def default() -> list[str]:
    """The presets that are compared where none is named."""
    from bascule.presets import PRESETS

    light = [n for n in PRESETS if n.endswith(("64-light", "64-hinge", "64-tuned"))]
    return ["dcgan-w9-light", *light]


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "ladder",
        help="compare presets at equal training time",
        examples=[
            'bascule ladder --data "Faces(n=2000)" --minutes 10',
            "bascule ladder dcgan64-light sngan64-light --data faces simpsons",
        ],
    )
    verb.add_argument(
        "preset",
        nargs="*",
        help="presets that draw, the first one is the baseline (default: the light ones)",
        completer=completion.ranked_presets,
    )
    verb.add_argument(
        "--data",
        nargs="+",
        default=["Faces(n=2000)"],
        metavar="NAME",
        help="image sets; several get a note each, and a page about all of them "
        "(default: Faces(n=2000))",
        completer=completion.image_sets,
    )
    verb.add_argument(
        "--minutes",
        type=real(100_000),
        default=10.0,
        metavar="M",
        help="training time of each run (default: 10)",
    )
    verb.add_argument(
        "--seeds",
        type=a_seed,
        nargs="+",
        default=[0, 1, 2, 3, 4],
        metavar="S",
        help="seeds of each preset (default: 0 1 2 3 4)",
    )
    verb.add_argument(
        "-n",
        type=whole(1_000_000),
        default=2000,
        metavar="N",
        help="fakes to measure (default: 2000)",
    )
    add_jobs(verb, "runs at once (default: 1 on a GPU, else one per core)")
    verb.add_argument(
        "--no-attributes", action="store_true", help="do not measure the attributes of faces"
    )
    verb.add_argument(
        "--name", help="name of the ladder (default: made from the data and the minutes)"
    )
    verb.add_argument(
        "--note", type=Path, metavar="DIR", help="folder of the note (default: in notes/)"
    )
    verb.set_defaults(do=do_ladder)


def do_ladder(args: argparse.Namespace) -> int:
    from bascule.experiments.launchers import LocalLauncher
    from bascule.experiments.schedule import plan
    from bascule.ladder.over_sets import write_over_sets
    from bascule.ladder.report import write_ladder
    from bascule.presets import ranked

    names, presets = list(dict.fromkeys(args.preset)) or default(), ranked()
    for name in names:
        if name not in presets:
            raise unknown("preset", name, presets)
    if len(names) < 2:
        raise UserError(f"a ladder with {names[0]} alone: expected at least two presets")
    check_seeds(args.seeds)
    if not args.minutes > 0 or args.n < 2:
        raise UserError(
            f"--minutes {args.minutes:g} -n {args.n}: expected minutes > 0 and at least 2 fakes"
        )
    launcher, store = LocalLauncher(args.jobs), Store(args.runs)
    planned = _planned(args, names, store)
    several = len(planned) > 1
    top = args.note or store.root / "notes" / slug(args.name or _called(planned, args))
    repeat = _command(args, names)
    seen: dict[str, Results] = {}
    for name, (found, images) in planned.items():
        jobs = plan(found, args.seeds)
        sets: dict[object, ImageSet] = {found.arms[names[0]].data: images}
        if not train_all(found, jobs, sets, store, launcher):
            return interrupted()
        seen[name] = results = judged(found, jobs, sets, store, args.seeds)
        folder = top / slug(name) if several else top
        if not may_replace(folder, "note", [results], train=True):
            return 2
        say(results, write_ladder(results, folder, images.credit, repeat))
    if several:
        if not may_replace(top, "note", list(seen.values()), train=True):
            return 2
        print(f"all sets: {write_over_sets(seen, top, repeat)}")
    return 2 if any(results.failures for results in seen.values()) else 0


def _called(sets: Iterable[str], args: argparse.Namespace) -> str:
    """The name of a ladder on these image sets, where none is given."""
    return f"ladder {' '.join(sets)} {args.minutes:g} min"


def _planned(
    args: argparse.Namespace, names: Sequence[str], store: Store
) -> dict[str, tuple[Experiment, ImageSet]]:
    """The ladder on each image set, and its images, by the name of the set.

    All sets are loaded and checked before any pace is measured.
    """
    from bascule.experiments.measurable import will_be_left_out
    from bascule.ladder.experiment import ladder
    from bascule.presets import ranked
    from bascule.training.hardware import resolve_auto

    told: dict[str, tuple[dict[str, Recipe], ImageSet]] = {}
    for text in dict.fromkeys(args.data):
        data = named_data(text, 64)
        recipes = {n: resolve_auto(ranked()[n].replace(data=data, threads=1)) for n in names}
        images = load(recipes[names[0]])
        lost = will_be_left_out(recipes[names[0]], images, args.n)
        if "KID" in lost:
            raise UserError(
                f"a ladder ranks by KID, which {lost['KID']}; give more images or fakes"
            )
        told[text if images.name in told else images.name] = recipes, images
    found: dict[str, tuple[Experiment, ImageSet]] = {}
    for name, (recipes, images) in told.items():
        called = args.name or _called([name], args)
        called = f"{called} {name}" if args.name and len(told) > 1 else called
        rungs = _rungs(store.root / "ladders" / f"{slug(called)}.json", recipes, images, args)
        covers = "coverage of held-out" not in will_be_left_out(recipes[names[0]], images, args.n)
        attributes = not args.no_attributes
        made = ladder(called, rungs, args.minutes, args.n, attributes, covers)
        found[name] = made, images
    return found


def _rungs(
    path: Path, recipes: dict[str, Recipe], images: ImageSet, args: argparse.Namespace
) -> dict[str, Recipe]:
    """The rungs in the plan at ``path``; measured and written there first, if there is none."""
    from bascule.ladder.experiment import read_plan, write_plan

    data = next(iter(recipes.values())).data
    rungs = read_plan(path, list(recipes), args.minutes)
    if rungs is None:
        rungs = _measured(recipes, images, args.minutes)
        write_plan(path, rungs, args.minutes)
    first = next(iter(rungs.values()))
    if first.data != data:
        raise UserError(f"the ladder in {path} is of {first.data}: give another --name")
    return rungs


def _measured(recipes: dict[str, Recipe], images: ImageSet, minutes: float) -> dict[str, Recipe]:
    """The recipes with as many epochs as fit into ``minutes`` on this machine."""
    from bascule.cli.progress import counter
    from bascule.experiments.pace import pace
    from bascule.ladder.experiment import rung

    n = len(images.indices("train"))
    rungs = {}
    with counter("measuring the pace of each recipe") as tell:
        for done, (name, recipe) in enumerate(recipes.items()):
            tell(done, len(recipes))
            rungs[name] = rung(recipe, pace(recipe, images), n, minutes)
        tell(len(recipes), len(recipes))
    return rungs


def _command(args: argparse.Namespace, names: Sequence[str]) -> str:
    words = ["bascule", "ladder", *names, "--data", *args.data, "--minutes", f"{args.minutes:g}"]
    words += ["--seeds", *map(str, args.seeds), "-n", str(args.n)]
    words += ["--no-attributes"] if args.no_attributes else []
    return shlex.join(words + (["--name", args.name] if args.name else []))

"""The verb that compares recipes at equal time: ladder."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from bascule.cli.experiment import check_seeds, interrupted, may_replace, say, train_all
from bascule.cli.play import load, named_data
from bascule.cli.progress import counter
from bascule.data.images import ImageSet
from bascule.errors import Refusal, unknown
from bascule.experiments.ladder import ladder, pace, read_plan, rung, write_plan
from bascule.experiments.schedule import gather, plan
from bascule.presets import PRESETS
from bascule.runs.store import Store, slug
from bascule.training.machine import settle
from bascule.training.recipe import Recipe

DEFAULT = (
    "dcgan-w9-light",
    *(n for n in PRESETS if n.endswith(("64-light", "64-hinge", "64-tuned"))),
)


def add(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser("ladder", help="compare presets at equal minutes on one image set")
    verb.add_argument(
        "preset", nargs="*", help=f"the first is the one to beat (default: {' '.join(DEFAULT)})"
    )
    verb.add_argument("--data", default="Faces(n=2000)", help="an image set (Faces(n=2000))")
    verb.add_argument("--minutes", type=float, default=10.0, help="of each run (default: 10)")
    verb.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="S")
    verb.add_argument("-n", type=int, default=2000, metavar="N", help="fakes (default: 2000)")
    verb.add_argument("--no-attributes", action="store_true", help="skip the exact attributes")
    verb.add_argument("--name", help="what to call it (default: from the data and the minutes)")
    verb.add_argument("--note", type=Path, metavar="DIR", help="where the note goes")
    verb.set_defaults(do=do_ladder)


def do_ladder(args: argparse.Namespace) -> int:
    names = list(dict.fromkeys(args.preset)) or list(DEFAULT)
    for name in names:
        if name not in PRESETS:
            raise unknown("preset", name, PRESETS)
    if len(names) < 2:
        raise Refusal(f"a ladder of {names[0]} alone: give at least two presets")
    check_seeds(args.seeds)
    if not args.minutes > 0 or args.n < 2:
        raise Refusal(f"--minutes {args.minutes:g} -n {args.n}: expected > 0, and at least 2 fakes")
    data = named_data(args.data, 64)
    recipes = {name: settle(PRESETS[name].but(data=data, threads=1)) for name in names}
    images = load(recipes[names[0]])
    called = args.name or f"ladder {images.name} {args.minutes:g} min"
    store = Store(args.runs)
    path = store.root / "ladders" / f"{slug(called)}.json"
    rungs = read_plan(path, names, args.minutes)
    if rungs is not None and rungs[names[0]].data != data:
        raise Refusal(f"the ladder in {path} is of {rungs[names[0]].data}: give another --name")
    if rungs is None:
        rungs = _measured(recipes, images, args.minutes)
        write_plan(path, rungs, args.minutes)
    found = ladder(called, rungs, args.minutes, args.n, not args.no_attributes)
    jobs = plan(found, args.seeds)
    if not train_all(found, jobs, {data: images}, store):
        return interrupted()
    from bascule.reports.ladder import write_ladder

    results = gather(jobs, found, args.seeds)
    folder = args.note or store.root / "notes" / slug(called)
    if not may_replace(folder, "note", [results], train=True):
        return 2
    say(results, write_ladder(results, folder, images.credit, _command(args, names)))
    return 2 if results.failures else 0


def _measured(recipes: dict[str, Recipe], images: ImageSet, minutes: float) -> dict[str, Recipe]:
    """The rungs, by the pace of each recipe on this machine."""
    n = len(images.indices("train"))
    rungs = {}
    with counter("measuring the pace of each recipe") as tell:
        for done, (name, recipe) in enumerate(recipes.items()):
            tell(done, len(recipes))
            rungs[name] = rung(recipe, pace(recipe, images), n, minutes)
        tell(len(recipes), len(recipes))
    return rungs


def _command(args: argparse.Namespace, names: Sequence[str]) -> str:
    words = ["bascule", "ladder", *names, "--data", args.data, "--minutes", f"{args.minutes:g}"]
    words += ["--seeds", *map(str, args.seeds), "-n", str(args.n)]
    words += ["--no-attributes"] if args.no_attributes else []
    return shlex.join(words + (["--name", args.name] if args.name else []))

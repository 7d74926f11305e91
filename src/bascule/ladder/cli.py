"""The verb that compares recipes at equal time: ladder."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.cli import completion
from bascule.cli.experiment import add_jobs, check_seeds, interrupted, may_replace, say, train_all
from bascule.cli.numbers import a_seed, real, whole
from bascule.cli.train import load, named_data
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError, unknown
from bascule.runs.store import Store, slug

if TYPE_CHECKING:
    from bascule.data.images import ImageSet
    from bascule.gan.recipe import GANRecipe


def default() -> list[str]:
    """The presets that are compared where none is named."""
    from bascule.presets import PRESETS

    light = [n for n in PRESETS if n.endswith(("64-light", "64-hinge", "64-tuned"))]
    return ["dcgan-w9-light", *light]


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "ladder",
        help="compare presets at equal training time on one image set",
        examples=[
            'bascule ladder --data "Faces(n=2000)" --minutes 10',
            "bascule ladder dcgan64-light sngan64-light --data simpsons --minutes 30",
        ],
    )
    verb.add_argument(
        "preset",
        nargs="*",
        help="presets of GANs, the first one is the baseline (default: the light ones)",
        completer=completion.gan_presets,
    )
    verb.add_argument(
        "--data",
        default="Faces(n=2000)",
        metavar="NAME",
        help="image set (default: Faces(n=2000))",
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
        default=[0, 1, 2],
        metavar="S",
        help="seeds of each preset (default: 0 1 2)",
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
    from bascule.experiments.measurable import will_be_left_out
    from bascule.experiments.schedule import gather, plan
    from bascule.ladder.experiment import ladder, read_plan, write_plan
    from bascule.presets import PRESETS
    from bascule.training.hardware import resolve_auto

    names = list(dict.fromkeys(args.preset)) or default()
    for name in names:
        if name not in PRESETS:
            raise unknown("preset", name, PRESETS)
    if len(names) < 2:
        raise UserError(f"a ladder with {names[0]} alone: expected at least two presets")
    check_seeds(args.seeds)
    if not args.minutes > 0 or args.n < 2:
        raise UserError(
            f"--minutes {args.minutes:g} -n {args.n}: expected minutes > 0 and at least 2 fakes"
        )
    launcher = LocalLauncher(args.jobs)
    data = named_data(args.data, 64)
    recipes = {name: resolve_auto(PRESETS[name].replace(data=data, threads=1)) for name in names}
    images = load(recipes[names[0]])
    lost = will_be_left_out(recipes[names[0]], images, args.n)
    if "KID" in lost:
        raise UserError(f"a ladder ranks by KID, which {lost['KID']}; give more images or fakes")
    covers = "coverage of held-out" not in lost
    called = args.name or f"ladder {images.name} {args.minutes:g} min"
    store = Store(args.runs)
    path = store.root / "ladders" / f"{slug(called)}.json"
    rungs = read_plan(path, names, args.minutes)
    if rungs is not None and rungs[names[0]].data != data:
        raise UserError(f"the ladder in {path} is of {rungs[names[0]].data}: give another --name")
    if rungs is None:
        rungs = _measured(recipes, images, args.minutes)
        write_plan(path, rungs, args.minutes)
    found = ladder(called, rungs, args.minutes, args.n, not args.no_attributes, covers)
    jobs = plan(found, args.seeds)
    if not train_all(found, jobs, {data: images}, store, launcher):
        return interrupted()
    from bascule.ladder.report import write_ladder

    results = gather(jobs, found, args.seeds)
    folder = args.note or store.root / "notes" / slug(called)
    if not may_replace(folder, "note", [results], train=True):
        return 2
    say(results, write_ladder(results, folder, images.credit, _command(args, names)))
    return 2 if results.failures else 0


def _measured(
    recipes: dict[str, GANRecipe], images: ImageSet, minutes: float
) -> dict[str, GANRecipe]:
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
    words = ["bascule", "ladder", *names, "--data", args.data, "--minutes", f"{args.minutes:g}"]
    words += ["--seeds", *map(str, args.seeds), "-n", str(args.n)]
    words += ["--no-attributes"] if args.no_attributes else []
    return shlex.join(words + (["--name", args.name] if args.name else []))

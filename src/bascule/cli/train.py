"""The verbs that train a single run: train, resume, fork."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bascule.cli import completion
from bascule.cli.arguments import add_run
from bascule.cli.numbers import an_epoch, whole
from bascule.cli.verbs import Parser, Verbs
from bascule.core.errors import UserError, unknown
from bascule.core.processes import processes
from bascule.core.reading import read_json
from bascule.runs.store import Run, Store

if TYPE_CHECKING:
    from bascule.core.distributed import ProcessGroup
    from bascule.core.shapes import Shape
    from bascule.data.images import ImageSet
    from bascule.data.source import Data, DataSource, PairSource
    from bascule.evaluation.evaluation import Evaluation
    from bascule.tracking.tracker import Tracker
    from bascule.training.loop import Callback
    from bascule.training.recipe import Recipe


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    train = verbs.add_parser(
        "train",
        help="train a preset, or a recipe of your own",
        examples=[
            "bascule train sngan64-light --data my-faces --name first --set epochs=100",
            "bascule train my_recipe.py",
            "bascule train dcgan64-light --data other-faces --from first",
        ],
    )
    train.add_argument(
        "preset",
        help="a preset (`bascule presets` lists them), a recipe's .json file, or my_recipe.py",
        completer=completion.presets,
    )
    train.add_argument(
        "--data",
        metavar="NAME",
        help="faces, fractals, an imported set, or my_data.py:MySet; for translation SET+SET, or "
        "imported pairs",
        completer=completion.image_sets,
    )
    train.add_argument("--name", help="name of the run")
    train.add_argument(
        "--from",
        dest="start_from",
        metavar="RUN",
        help="start from the trained G (the averaged one) and D of a run with the same model",
        completer=completion.runs,
    )
    train.add_argument(
        "--only",
        choices=["G", "D"],
        help="with --from: start from this player alone; the other has random weights",
    )
    add_settings(train)
    add_callbacks(train)
    train.set_defaults(do=do_train)

    resume = verbs.add_parser(
        "resume",
        help="go on with a run that was stopped",
        examples=["bascule resume dcgan64-light", "bascule resume dcgan64-light --epochs 300"],
    )
    add_run(resume)
    resume.add_argument(
        "--epochs",
        type=an_epoch,
        metavar="E",
        help="train a longer run, of E epochs in all, that begins with this one; the result is "
        "that of a run of E epochs from the start",
    )
    add_callbacks(resume)
    resume.set_defaults(do=do_resume)

    forks = verbs.add_parser(
        "fork",
        help="continue a run from one of its epochs with a changed recipe",
        examples=[
            'bascule fork first --at-epoch 60 --change "PerfectG(at_epoch=60)"',
            "bascule fork first --at-epoch 60 --set lr_D=1e-4 --epochs 40",
        ],
    )
    add_run(forks)
    forks.add_argument(
        "--at-epoch",
        type=an_epoch,
        required=True,
        metavar="E",
        help="branch off after E complete epochs",
    )
    forks.add_argument(
        "--change",
        action="append",
        default=[],
        metavar="CHANGE",
        help="an intervention to add (`bascule interventions` lists them); may be repeated",
        completer=completion.interventions,
    )
    forks.add_argument(
        "--epochs", type=an_epoch, metavar="N", help="epochs after the branch (default: the rest)"
    )
    forks.add_argument("--name", help="name of the fork")
    add_settings(forks)
    add_callbacks(forks)
    forks.set_defaults(do=do_fork)


def add_callbacks(verb: Parser) -> None:
    """Add ``--quality-every``, ``--callback`` and ``--track`` to a verb that trains."""
    verb.add_argument(
        "--quality-every",
        type=whole(1_000_000),
        metavar="EPOCHS",
        help="after so many epochs, compare 500 fakes with held-out images: KID and coverage, some "
        "seconds, kept with the run",
    )
    verb.add_argument(
        "--callback",
        action="append",
        default=[],
        metavar="FILE:NAME",
        help="a callback of your own, such as my_callbacks.py:Count; may be repeated",
        completer=completion.classes,
    )
    add_track(verb)


def add_track(verb: Parser) -> None:
    """Add ``--track`` to a verb that trains."""
    verb.add_argument(
        "--track",
        action="append",
        default=[],
        metavar="TRACKER[:PLACE]",
        help="tell another program of it: tensorboard[:FOLDER], trackio[:PROJECT], "
        "wandb[:PROJECT], mlflow[:URI], or a class of yours, my_tracker.py:Mine; may be repeated",
        completer=completion.trackers,
    )


def add_settings(
    verb: Parser,
    example: str = "epochs=50 model.width=32 'interventions=InstanceNoise(0.1)'",
) -> None:
    """Add ``--set`` to a verb."""
    verb.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help=f"change fields of the recipe, such as {example}",
        completer=completion.fields,
    )


def settings(pairs: list[str], option: str = "--set") -> dict[str, str]:
    """``["epochs=50"]`` as ``{"epochs": "50"}``; ``option``: the option that gave them."""
    found = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            usual = "FIELD=VALUE, e.g. --set epochs=50"
            told = usual if option == "--set" else f"NAME=VALUE, e.g. {option} timeout_min=60"
            raise UserError(f"{option} {pair}: expected {told}")
        found[name.strip()] = value
    return found


def load(recipe: Recipe) -> ImageSet:
    """The images of a recipe, with a progress bar if they must be made first."""
    images = load_images(recipe.data)
    n = len(images.indices("train"))
    if n < recipe.batch:
        raise UserError(
            f"{images.name} has {n} training images, fewer than one batch of {recipe.batch}: "
            f"give more images, or --set batch={max(n // 2, 2)}"
        )
    recipe.labels_of(images)  # refuses labels that the set lacks, before a run is created
    return images


def load_images(data: Data) -> ImageSet:
    """An image set, with a progress bar if it must be made first."""
    from bascule.cli.progress import counter

    with counter("making the images") as tell:
        return data.load(tell)


def do_train(args: argparse.Namespace) -> int:
    from bascule.runs import codec
    from bascule.training.hardware import resolve_auto

    recipe, extra = preset_and_classes(args.preset)
    given, words = recipe.model, settings(args.set)
    if args.data:
        named = named_sets if recipe.image_sets == 2 else named_data
        recipe = recipe.replace(data=named(args.data, recipe.data.size))
    recipe = resolve_auto(codec.changed(recipe, words, extra))
    shape = ("model", "model.size", "model.channels", "model.sides")
    if _shape(recipe.model) != _shape(given) and not words.keys() & {*shape}:
        print(f"the model follows the images: {recipe.model}", file=sys.stderr)
    recipe.check_processes(processes())
    store = Store(args.runs)
    if args.only and not args.start_from:
        raise UserError(f"--only {args.only} needs --from, the run to start from")
    if args.start_from:
        from bascule.runs.weights import start_from

        recipe = recipe.replace(start=start_from(store.find(args.start_from), args.only or "GD"))

    def create(images: ImageSet) -> Run:
        name = args.name or f"{Path(args.preset).stem} {images.name} s{recipe.seed}"
        return store.create(recipe, name, images.digest, processes=processes())

    return train_run(create, recipe, store, args)


def _shape(model: Any) -> Shape | None:
    from bascule.core.shapes import shape_of

    return shape_of(model) if hasattr(model, "size") else None


def preset(name: str) -> Recipe:
    """The recipe that ``name`` names: a preset, a .json file, or a .py file of the user's."""
    return preset_and_classes(name)[0]


def preset_and_classes(name: str) -> tuple[Recipe, tuple[type, ...]]:
    """As :func:`preset`, and the classes that are known in the user's file.

    ``my_recipe.py`` names what the file calls ``recipe``, ``my_recipe.py:light`` its ``light``.
    """
    from bascule.presets import trained
    from bascule.training.recipe import as_recipe

    classes: tuple[type, ...] = ()
    file, _, word = name.partition(".py")
    if name.endswith(".json"):
        recipe = _written_recipe(Path(name))
    elif name.endswith(".py") or word.startswith(":"):
        from bascule.core.user_code import classes_of, load_file

        word = word[1:] or "recipe"
        module = load_file(Path(f"{file}.py").expanduser())
        wrong = f"{file}.py defines no recipe {word!r}: expected `{word} = Recipe(...)`"
        recipe, classes = as_recipe(getattr(module, word, None), wrong), classes_of(module)
    else:
        known = trained()
        if name not in known:
            raise unknown("preset", name, known)
        recipe = known[name]
    return recipe, classes


def _written_recipe(path: Path) -> Recipe:
    """The recipe in a JSON file. The code that it needs is in ``code/`` beside it, or beside it."""
    from bascule.core import trust
    from bascule.core.user_code import code_at
    from bascule.runs import codec
    from bascule.training.recipe import as_recipe

    try:
        plain = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    code = None
    if needed := [cls.written for cls in codec.unloaded(codec.decode(plain, to_look=()))]:
        folder = path.parent / "code"
        code = code_at(folder if folder.is_dir() else path.parent)
        trust.check_now(f"the recipe {path}", code.root, needed)
    recipe = codec.decode(plain, code=code)
    return as_recipe(recipe, f"{path} holds no recipe: expected a file that `bascule tune` wrote")


def named_data(name: str, size: int) -> DataSource:
    """The image set that a text names: a built-in or imported one, a call like ``Faces(n=500)``,
    or a class, function or dataset in a file of the user's, ``my_data.py:MySet``."""
    from bascule.core.fields import hints
    from bascule.core.user_code import load_named
    from bascule.data.dataset import FromDataset
    from bascule.data.faces import Faces
    from bascule.data.fractals import Fractals
    from bascule.data.imported import set_named
    from bascule.data.places import imported_sets
    from bascule.data.source import DataSource
    from bascule.runs import codec

    if name == "faces":
        return Faces(size=size)
    if name == "fractals":
        return Fractals(size=size)
    if "(" in name:
        data = codec.parse(name)
    elif ".py:" in name:
        data = load_named(name)
        if isinstance(data, type) and issubclass(data, DataSource):
            data = codec.build(data, {"size": size} if "size" in hints(data) else {})
        elif not isinstance(data, DataSource):
            data = FromDataset(data, size)
    elif Path(name).is_dir() and name not in imported_sets():
        raise UserError(
            f"--data {name}: this is a folder; import it once with `bascule data import {name} "
            "--name my-set`, then give --data my-set"
        )
    else:
        data = set_named(name, size)
    if not isinstance(data, DataSource):
        raise UserError(
            f"--data {name}: expected faces, fractals, Faces(n=500), a set's name, or "
            "my_data.py:MySet"
        )
    return data


def named_sets(name: str, size: int) -> PairSource:
    """The two sets that a text names: ``humans+faces``, pairs ``maps``, ``CartoonPair(n=500)``."""
    from bascule.data.places import imported_sets
    from bascule.data.source import PairSource
    from bascule.runs import codec
    from bascule.translation.domains import TwoSets
    from bascule.translation.own_pairs import OwnPairs

    if "+" in name:
        one, _, other = name.partition("+")
        return TwoSets(named_data(one.strip(), size), named_data(other.strip(), size))
    if name in (sets := imported_sets()):
        sizes = [shape.size for shape in sets[name]]
        return OwnPairs(name, sizes[0] if len(sizes) == 1 else size)
    data = codec.parse(name) if "(" in name or ".py:" in name else None
    if not isinstance(data, PairSource):
        raise UserError(
            f"--data {name}: expected two sets, such as humans+faces, imported pairs, or "
            "CartoonPair(n=500)"
        )
    return data


def do_resume(args: argparse.Namespace) -> int:
    from bascule.runs.fork import lengthened, longer

    store = Store(args.runs)
    run = store.find(args.run)
    if args.epochs is None:
        return train_run(lambda images: run, run.playable, store, args)
    recipe, at_epoch = longer(run, args.epochs)
    recipe.check_processes(processes())
    if at_epoch < len(run.rows()):
        print(
            f"the rates fall towards the end of {run.id}: the longer run leaves it after "
            f"{at_epoch} epochs, before that",
            file=sys.stderr,
        )
    return train_run(
        lambda images: lengthened(store, run, recipe, at_epoch, processes()), recipe, store, args
    )


def do_fork(args: argparse.Namespace) -> int:
    from bascule.runs.fork import changed_recipe, fork, name_of_fork

    store = Store(args.runs)
    parent = store.find(args.run)
    recipe = changed_recipe(parent, args.at_epoch, args.change, settings(args.set), args.epochs)
    name = args.name or name_of_fork(parent, args.at_epoch, args.change + args.set, recipe)
    recipe.check_processes(processes())

    def create(images: ImageSet) -> Run:
        return fork(store, parent, args.at_epoch, recipe, name, processes=processes())

    return train_run(create, recipe, store, args)


def train_run(
    create: Callable[[ImageSet], Run],
    recipe: Recipe,
    store: Store,
    args: argparse.Namespace,
) -> int:
    """Train the run that ``create`` makes or finds, given the recipe's images; write its note.

    ``torchrun`` may have started several processes. Then the first one creates the run and writes
    the note, and broadcasts the run's folder to the others.
    """
    from bascule.core.distributed import process_group
    from bascule.runs.execute import execute
    from bascule.runs.own import callback_named, tracker_named
    from bascule.training.hardware import check_device

    callbacks: tuple[Callback, ...] = tuple(map(callback_named, args.callback))
    trackers = list(map(tracker_named, args.track))
    if args.quality_every is not None:
        from bascule.runs.quality import check_quality

        check_quality(recipe, args.quality_every)  # before there is a run
    if processes() > 1:
        check_device(recipe.device)  # each process takes its own device
    with process_group(recipe.device.partition(":")[0]) as group:
        if group and not group.is_main:
            run = Run(Path(group.broadcast()))
            return 130 if execute(run, store, group=group) == "interrupted" else 0
        images = load(recipe)
        run = create(images)
        if group:
            group.broadcast(str(run.folder))
        if args.quality_every is not None:
            callbacks = (*callbacks, _quality(run, images, args.quality_every))
        return _lead(run, images, store, group, callbacks, trackers)


def _quality(run: Run, images: ImageSet, epochs: int) -> Callback:
    from bascule.features.extractors import extractor
    from bascule.features.judges import judge_of
    from bascule.runs.quality import QualityEvery

    def tell(found: Evaluation) -> None:
        numbers = [
            f"{value.scale.label} {value.measured.value:.4g} (floor {value.measured.floor:.4g})"
            for value in found.values
        ]
        lost = [f"{one.label} {one.why}" for one in found.left_out]
        print(f"epoch {found.epoch}: {', '.join(numbers + lost)}", file=sys.stderr)

    return QualityEvery(run, epochs, images, extractor(judge_of(run.saw)), tell=tell)


def _lead(
    run: Run,
    images: ImageSet,
    store: Store,
    group: ProcessGroup | None,
    callbacks: Sequence[Callback],
    trackers: Sequence[Tracker],
) -> int:
    from bascule.cli.progress import run_bar
    from bascule.experiments.measurable import announcement
    from bascule.reports.run_note import write_run_note
    from bascule.runs.execute import execute

    recipe = run.recipe
    if said := announcement(recipe, images):
        print(said, file=sys.stderr)
    steps = len(images.indices("train")) // recipe.batch
    print(f"run: {run.folder}", file=sys.stderr)
    with run_bar(run, steps) as bar:
        watchers = (*callbacks, bar)
        state = execute(run, store, watchers, images, group=group, trackers=trackers)
    relatives = [store.find(run.fork.parent)] if run.fork else []
    page = write_run_note(run, images.credit, relatives)
    if state == "interrupted":
        print(f"interrupted at a checkpoint: go on with `bascule resume {run.id}`", file=sys.stderr)
        return 130
    print(f"note: {page}")
    return 0

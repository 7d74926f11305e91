"""The verb that measures: evaluate."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.cli import completion
from bascule.cli.arguments import add_output, add_seed
from bascule.cli.numbers import an_epoch, real, sides, whole
from bascule.cli.train import load_images, named_data
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError
from bascule.runs.store import Run, Store, slug

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from bascule.core.shapes import Shape
    from bascule.data.decoding import Preparation
    from bascule.data.images import ImageSet
    from bascule.evaluation.evaluation import Evaluation
    from bascule.experiments.experiment import Measures
    from bascule.experiments.measuring import Means
    from bascule.metrics.metric import Metric
    from bascule.training.recipe import Recipe

EXTRACTORS = (  # those of bascule.features.extractors, the default first
    *("efficientnet-lite0", "random-conv", "pixels", "inception"),
    *("dinov2-s", "dinov2-b", "dinov2-l"),
)


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    evaluate = verbs.add_parser(
        "evaluate",
        help="measure a run, or a folder of pictures",
        description="Measure a run, or a folder of pictures. Beside each number stands its floor: "
        "what real images that were held out would get.",
        examples=[
            "bascule evaluate dcgan64-light --all-epochs",
            "bascule evaluate dcgan64-light --metric my_metrics.py:Eyes",
            "bascule evaluate path/to/fakes --data path/to/reals --prepare 64",
        ],
    )
    evaluate.add_argument(
        "target",
        help="a run's id, a part of it, or a folder of pictures",
        completer=completion.runs_and_folders,
    )
    evaluate.add_argument(
        "--data",
        metavar="NAME",
        help="image set, or another folder, with which a folder of pictures is compared",
        completer=completion.image_sets,
    )
    evaluate.add_argument(
        "--prepare",
        type=sides,
        metavar="PX",
        help="prepare the pictures of folders like those of an image set of this size, such as 64 "
        "or 64x192 (default: they must have that size, and are used as they are)",
    )
    evaluate.add_argument(
        "-n", type=whole(1_000_000), default=5000, metavar="N", help="fakes (default: 5000)"
    )
    evaluate.add_argument(
        "--epoch",
        type=an_epoch,
        nargs="+",
        metavar="E",
        help="checkpoints of the run (default: the newest)",
    )
    evaluate.add_argument("--all-epochs", action="store_true", help="every kept checkpoint")
    evaluate.add_argument(
        "--extractor",
        "--features",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{', '.join(EXTRACTORS)}, or one of your own, FILE:NAME (default: {EXTRACTORS[0]}, "
        "or the next that the run was not trained through); may be repeated",
        completer=completion.extractors,
    )
    evaluate.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="FILE:NAME",
        help="a metric of your own, such as my_metrics.py:Eyes; may be repeated",
        completer=completion.classes,
    )
    evaluate.add_argument(
        "--standing",
        type=whole(1_000_000),
        default=0,
        metavar="N",
        help="first average G's BatchNorm statistics over N batches of 250 latents",
    )
    evaluate.add_argument(
        "--no-attributes", action="store_true", help="do not measure the attributes of faces"
    )
    add_seed(evaluate)
    add_output(
        evaluate,
        "DIR",
        "folder of the results (default: the run; evaluations/ in the folder of runs)",
    )
    sdpc = evaluate.add_argument_group("options for SDPC, and for hybrids of GAN and SDPC")
    sdpc.add_argument(
        "--k-fb",
        type=real(1e6),
        nargs="+",
        metavar="K",
        help="strengths of feedback; a hybrid's fakes are also settled at each of them",
    )
    sdpc.add_argument(
        "--no-settled-fakes",
        action="store_true",
        help="do not settle a hybrid's fakes, which saves minutes",
    )
    sdpc.add_argument(
        "--sigma",
        type=real(1e6),
        nargs="+",
        metavar="S",
        help="standard deviations of noise to remove",
    )
    sdpc.add_argument(
        "--decoded", action="store_true", help="measure how well codes decode to their pictures"
    )
    sdpc.add_argument(
        "--abilities",
        action="store_true",
        help="measure codes at three tasks: detect pictures of another set, fill a hole, edit "
        "one attribute",
    )
    evaluate.set_defaults(do=do_evaluate)


def metrics_of(args: argparse.Namespace) -> tuple[Metric, ...]:
    """The user's metrics that are asked for."""
    from bascule.runs.own import metric_named

    found = tuple(metric_named(text) for text in dict.fromkeys(args.metric))
    for name in (names := [metric.name for metric in found]):
        if names.count(name) > 1:
            raise UserError(f"--metric {args.metric[-1]}: two metrics are called {name!r}")
    return found


def do_evaluate(args: argparse.Namespace) -> int:
    if args.n < 2:
        raise UserError(f"-n {args.n}: expected at least 2 fakes")
    if args.standing < 0:
        raise UserError(f"--standing {args.standing}: expected a number of batches >= 0")
    store = Store(args.runs)
    path = Path(args.target)
    if path.exists() and not (path / "recipe.json").exists():
        return _folder(args, path)
    if not path.exists() and len(path.parts) > 1:
        raise UserError(f"{path}: no such folder; expected a run, or a folder of pictures")
    run = store.find(args.target)
    if args.prepare:
        raise UserError(f"--prepare: {run.id} is a run, whose fakes have the size of its images")
    if args.data:
        raise UserError(
            f"--data {args.data}: {run.id} is a run, which is compared with its own image set"
        )
    return _run(args, run)


def _run(args: argparse.Namespace, run: Run) -> int:
    from bascule.experiments.measuring import check_measure, measure_run
    from bascule.features.extractors import DEFAULT
    from bascule.features.judges import why_not
    from bascule.reports.run_note import write_run_note

    if args.all_epochs and args.epoch is not None:
        raise UserError("--epoch with --all-epochs: expected only one of the two")
    measure, means = _measure_of(args, run.recipe), _means(args)
    check_measure(run, measure)
    judging = means.judging(run)
    if not means.extractors and judging.extractors != (DEFAULT,):
        print(f"{run.id} {why_not(run.saw, DEFAULT)}; {judging.extractors[0]} judges it")
    if means.metrics and run.recipe.evaluates == "codes":
        raise UserError(f"--metric: {run.id} is a run of SDPC, which draws no fakes to measure")
    images = load_images(run.playable.data)
    epochs = run.kept_epochs() if args.all_epochs else args.epoch or [None]
    if not epochs:
        raise UserError(f"{run.id} has no kept checkpoint yet: train it for more epochs")
    for epoch in epochs:
        found, picture = measure_run(run, images, measure, epoch, means)
        _tell(args.output or run.folder, found, picture, run.recipe)
    if not args.output:
        print(f"note: {write_run_note(run, images.credit)}")
    return 0


def _measure_of(args: argparse.Namespace, recipe: Recipe) -> Measures:
    """What the options ask to measure of a run of ``recipe``."""
    from bascule.experiments.experiment import Measure, MeasureCoding, MeasureTranslation
    from bascule.sdpc.measure import K_FB, SIGMAS

    k_fb, sigmas = tuple(args.k_fb or ()), tuple(args.sigma or ())
    of_codes = {"decoded": args.decoded, "abilities": args.abilities}
    attributes = not args.no_attributes
    if recipe.evaluates == "codes":
        k_fb = k_fb or (() if args.decoded else K_FB)
        return MeasureCoding(args.n, k_fb, sigmas or SIGMAS, attributes=attributes, **of_codes)
    if recipe.evaluates == "translations" and not (k_fb or sigmas or any(of_codes.values())):
        spaces = list(dict.fromkeys(args.extractor))
        if len(spaces) > 1:
            raise UserError(
                f"--extractor {' '.join(spaces)}: expected a single one for a run of translation"
            )
        return MeasureTranslation(args.n, attributes)
    settled = not args.no_settled_fakes
    return Measure(args.n, attributes, k_fb=k_fb, sigmas=sigmas, settled_fakes=settled, **of_codes)


def _means(args: argparse.Namespace) -> Means:
    from bascule.cli.progress import counter
    from bascule.experiments.measuring import Means
    from bascule.runs.own import extractor_named

    names = dict.fromkeys(args.extractor)
    spaces = tuple(extractor_named(name) if ":" in name else name for name in names)
    return Means(spaces, metrics_of(args), args.standing, args.seed, counter)


def _folder(args: argparse.Namespace, path: Path) -> int:
    from bascule.core.context import address
    from bascule.experiments.measuring import measure_fakes

    if not args.data:
        raise UserError(
            f"{path} is a folder of pictures, to be compared with an image set: give --data faces, "
            "fractals, an imported set, or another folder"
        )
    if args.epoch is not None or args.all_epochs:
        raise UserError(f"{path} is a folder of pictures: expected no --epoch and no --all-epochs")
    means = _means(args)  # checks the options before pictures are read
    whole = path.resolve()
    if args.output and whole in (args.output.resolve(), *args.output.resolve().parents):
        raise UserError(f"-o {args.output}: the pictures are in this folder; give another one")
    # Two folders of the same name get different outputs.
    called = f"{slug(whole.name)}-{address(whole):016x}"[:-8]
    output = args.output or args.runs / "evaluations" / called
    fakes, images, how = _both(args, path)
    found, picture = measure_fakes(
        fakes[: args.n], images, whole.name, None, not args.no_attributes, means
    )
    if how:
        found = replace(
            found, notes=(*found.notes, f"the pictures were prepared like the images: {how}")
        )
    _tell(output, found, picture)
    return 0


def _both(args: argparse.Namespace, path: Path) -> tuple[np.ndarray, ImageSet, Preparation | None]:
    """The pictures, what they are compared with, and how they were prepared; None: not at all."""
    from bascule.cli.progress import counter
    from bascule.core.shapes import Shape
    from bascule.data.decoding import Preparation
    from bascule.data.imported import check_shape, preparation_of
    from bascule.data.pictures import read_pictures
    from bascule.data.places import BUILT_IN, imported_sets
    from bascule.evaluation.folder import images_of, pictures_in

    def read(folder: Path, how: Preparation | None) -> tuple[list[str], np.ndarray]:
        with counter(f"reading {folder.name}") as tell:
            return read_pictures(folder, how, tell) if how else pictures_in(folder, tell)

    asked = Shape(3, *args.prepare) if args.prepare else None
    if asked:
        check_shape(asked)
    sets, reals = imported_sets(), Path(args.data)
    if args.data not in (*BUILT_IN, *sets) and reals.exists():
        how = Preparation(asked) if asked else None
        fakes, (names, pixels) = read(path, how)[1], read(reals, how)
        _check_alike(path, fakes, args.data, Shape(*map(int, pixels.shape[1:])))
        images = images_of(reals, names, pixels)
    elif asked:
        data = named_data(args.data, asked.size)
        images, how = load_images(data), preparation_of(data)
        if images.shape[1:] != asked[1:]:
            raise UserError(
                f"--prepare {_option(asked)}: the images of {args.data} are {images.shape}; "
                f"expected --prepare {_option(images.shape)}"
            )
        fakes = read(path, how)[1]
    else:
        fakes, how = read(path, None)[1], None
        if args.data in sets:
            _check_alike(path, fakes, args.data, *sets[args.data])
        images = load_images(named_data(args.data, min(fakes.shape[2:])))
    _check_alike(path, fakes, args.data, images.shape)
    return fakes, images, how


def _check_alike(path: Path, fakes: np.ndarray, data: str, *known: Shape) -> None:
    """Raise UserError if the pictures have none of the shapes that the images have."""
    from bascule.core.shapes import Shape

    shape = Shape(*map(int, fakes.shape[1:]))
    if shape not in known:
        raise UserError(
            f"the pictures of {path} are {shape}, and the images of {data} are {known[0]}: "
            f"--prepare {_option(known[0])} prepares them alike"
        )


def _option(shape: Shape) -> str:
    """The value of ``--prepare`` for this shape: width x height."""
    return f"{shape.width}x{shape.height}" if shape.sides else f"{shape.size}"


def _tell(
    folder: Path, found: Evaluation, picture: Image.Image | None, recipe: Recipe | None = None
) -> None:
    """Write the evaluation, and the fakes beside their neighbours, into ``folder``; print it.

    ``recipe``: that of the run; None: of a folder of pictures.
    """
    from bascule.reports.run_note import tables_of
    from bascule.reports.terminal import console, on_terminal, rich_table
    from bascule.runs.evaluations import keep_with_picture, neighbour_file

    evaluates = recipe.evaluates if recipe else "fakes"
    if evaluates == "fakes" and not found.values:
        raise UserError(f"nothing can be measured of {found.subject}: {found.remarks()[0]}")
    title, tables = tables_of(found, evaluates)
    path = keep_with_picture(folder, found, picture)
    print(title)
    out = console()
    for table in tables:
        for shown in on_terminal(table, out.width) if out.is_terminal else [rich_table(table)]:
            out.print(shown)
    for remark in found.remarks():
        print(remark)
    print(f"metrics: {path}")
    if picture:
        print(f"neighbours: {folder / neighbour_file(found.epoch)}")

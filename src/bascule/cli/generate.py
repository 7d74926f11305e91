"""The verb that draws any number of pictures: generate."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bascule.cli.arguments import add_epoch, add_output, add_run, add_seed
from bascule.cli.numbers import real, whole
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError
from bascule.runs.store import Store

if TYPE_CHECKING:
    from bascule.data.images import ImageSet
    from bascule.runs.store import Run
    from bascule.training.recipe import Recipe

MOST = 10_000_000


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "generate",
        help="draw pictures with a run's G into a folder, a .zip or an .npz",
        description="Draw pictures with a run's G into a folder or a .zip of PNG files, or into "
        "the array 'images' of an .npz. A G that was told labels also writes the label of each "
        "picture, to metadata.csv or the .npz. The same command goes on where it was stopped.",
        examples=[
            "bascule generate dcgan64-light -n 1000 -o fakes",
            "bascule generate sngan64-light --label smile --truncation 1 -o smiles.zip",
        ],
    )
    add_run(verb)
    verb.add_argument(
        "-n", type=whole(MOST), default=64, metavar="N", help="number of pictures (default: 64)"
    )
    add_seed(verb)
    add_epoch(verb)
    verb.add_argument(
        "--label",
        metavar="VALUE",
        help="draw this value of the label alone (default: as often as in training)",
    )
    verb.add_argument(
        "--truncation",
        type=real(1000),
        metavar="T",
        help="draw from the middle of the latents, for better pictures and less variety: every "
        "|z| < T; for StyleGAN2, w is moved to its mean, mean + T (w - mean)",
    )
    add_output(verb, "PATH", "folder, .zip or .npz to write", required=True)
    verb.add_argument(
        "--force",
        action="store_true",
        help="write even if PATH is there or holds files; files of the same name are replaced",
    )
    verb.set_defaults(do=do_generate)


def do_generate(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.runs.drawings import Drawing, write_drawing
    from bascule.runs.generate import AT_ONCE, class_of, drawer, label_values, latents, restored

    if args.n < 1:
        raise UserError(f"-n {args.n}: expected at least 1 picture")
    run = Store(args.runs).find(args.run)
    recipe, state = restored(run, args.epoch)
    images = _images(run)
    values = label_values(recipe, images)
    label = None if args.label is None else class_of(args.label, run, values)
    draw = drawer(state.trainer, label, args.truncation)
    drawing = Drawing(
        n=args.n,
        part=lambda start: draw(latents(state.trainer, args.n, args.seed, start)).numpy(),
        at_once=AT_ONCE,
        what=_what(run, state.epoch, args),
        credit=_credit(run, images),
        labels=_labels(recipe, state.trainer, values, label, args),
    )
    with counter("drawing") as tell:
        write_drawing(drawing, args.output, args.force, tell)
    print(f"{args.n} pictures: {args.output}")
    return 0


def _images(run: Run) -> ImageSet | None:
    """The images that G was trained on; None if they are not here, as pictures need none."""
    from bascule.cli.train import load_images

    try:
        return load_images(run.playable.data)
    except UserError:
        return None


def _labels(
    recipe: Recipe, trainer: Any, values: list[str], label: int | None, args: argparse.Namespace
) -> tuple[str, list[str]] | None:
    from bascule.runs.generate import drawn_labels

    if not values:
        return None
    if label is None:
        classes = drawn_labels(trainer, args.n, args.seed).tolist()
    else:
        classes = [label] * args.n
    return str(getattr(recipe, "labels", None)), [values[k] for k in classes]


def _what(run: Run, epoch: int, args: argparse.Namespace) -> str:
    """One line, equal for equal pictures."""
    more = f", label {args.label}" if args.label is not None else ""
    more += f", truncation {args.truncation:g}" if args.truncation is not None else ""
    return (
        f"Drawn by G of the run {run.id} after {epoch} epochs, seed {args.seed}{more}, with "
        "bascule."
    )


def _credit(run: Run, images: ImageSet | None) -> str:
    """The credit of the images that G was trained on."""
    credit = f"unknown: the image set {run.recipe.data} is not on this machine"
    if images:
        credit = images.credit or f"no credit is recorded for the image set {images.name}"
    return f"Credit of the images that it was trained on:\n{credit}"

"""The verb that draws pictures into a folder: generate."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bascule.cli.arguments import add_epoch, add_output, add_run, add_seed
from bascule.cli.numbers import whole
from bascule.cli.verbs import Verbs
from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.runs.store import Store

if TYPE_CHECKING:
    from bascule.data.images import ImageSet
    from bascule.runs.store import Run

MOST = 10_000_000
CREDIT = "CREDIT.txt"
LABELS = "labels.csv"


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "generate",
        help="draw pictures with a run's G into a folder, as PNG files",
        description="Draw pictures with a run's G into a folder, as PNG files. A G that was given "
        f"labels also writes {LABELS}, with the label of each file.",
        examples=["bascule generate dcgan64-light -n 1000 -o fakes"],
    )
    add_run(verb)
    verb.add_argument(
        "-n", type=whole(MOST), default=64, metavar="N", help="number of pictures (default: 64)"
    )
    add_seed(verb)
    add_epoch(verb)
    add_output(verb, "DIR", "folder to write to", required=True)
    verb.add_argument(
        "--force",
        action="store_true",
        help="write even if DIR holds files; files of the same name are replaced",
    )
    verb.set_defaults(do=do_generate)


def do_generate(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.data.pictures import as_picture
    from bascule.runs.generate import drawn_in_parts, drawn_labels, restored

    if args.n < 1:
        raise UserError(f"-n {args.n}: expected at least 1 picture")
    folder = args.output
    if folder.is_dir() and not args.force and any(folder.iterdir()):
        raise UserError(f"-o {folder} holds files already: give another folder, or --force")
    run = Store(args.runs).find(args.run)
    recipe, state = restored(run, args.epoch)
    images = _images(run)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / CREDIT, _credit(run, images, state.epoch, args))
    width, done = max(5, len(str(args.n - 1))), 0
    with counter("drawing") as tell:
        for pictures in drawn_in_parts(state.trainer, args.n, args.seed):
            for picture in pictures:
                path = folder / f"{done:0{width}d}.png"
                atomic.write_png(path, as_picture(picture), sync=False)
                done += 1
            tell(done, args.n)
    if label := getattr(recipe, "labels", None):
        codes = drawn_labels(state.trainer, args.n, args.seed).tolist()
        names = sorted(set(images.labels[label].tolist())) if images else range(max(codes) + 1)
        rows = [f"{k:0{width}d}.png,{names[code]}" for k, code in enumerate(codes)]
        atomic.write(folder / LABELS, "\n".join([f"file,{label}", *rows, ""]))
        print(f"labels: {folder / LABELS}")
    print(f"{args.n} pictures: {folder}")
    print(f"credit: {folder / CREDIT}")
    return 0


def _images(run: Run) -> ImageSet | None:
    """The images that G was trained on; None if they are not here, as pictures need none."""
    from bascule.cli.train import load_images

    try:
        return load_images(run.playable.data)
    except UserError:
        return None


def _credit(run: Run, images: ImageSet | None, epoch: int, args: argparse.Namespace) -> str:
    """Where the pictures come from, and the credit of the images that G was trained on."""
    credit = f"unknown: the image set {run.recipe.data} is not on this machine"
    if images:
        credit = images.credit or f"no credit is recorded for the image set {images.name}"
    return (
        f"Drawn by G of the run {run.id} after {epoch} epochs, seed {args.seed}, with bascule.\n"
        f"Credit of the images that it was trained on:\n{credit}\n"
    )

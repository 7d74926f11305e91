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
    from bascule.runs.store import Run

MOST = 10_000_000
CREDIT = "CREDIT.txt"


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    verb = verbs.add_parser(
        "generate",
        help="draw pictures with a run's G into a folder, as PNG files",
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
    from PIL import Image

    from bascule.cli.progress import counter
    from bascule.runs.generate import drawn_in_parts, restored

    if args.n < 1:
        raise UserError(f"-n {args.n}: expected at least 1 picture")
    folder = args.output
    if folder.is_dir() and not args.force and any(folder.iterdir()):
        raise UserError(f"-o {folder} holds files already: give another folder, or --force")
    run = Store(args.runs).find(args.run)
    _, state = restored(run, args.epoch)
    credit = _credit(run, state.epoch, args)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / CREDIT, credit)
    width, done = max(5, len(str(args.n - 1))), 0
    with counter("drawing") as tell:
        for pictures in drawn_in_parts(state.trainer, args.n, args.seed):
            for picture in pictures.transpose(0, 2, 3, 1):
                path = folder / f"{done:0{width}d}.png"
                atomic.write_png(path, Image.fromarray(picture), sync=False)
                done += 1
            tell(done, args.n)
    print(f"{args.n} pictures: {folder}")
    print(f"credit: {folder / CREDIT}")
    return 0


def _credit(run: Run, epoch: int, args: argparse.Namespace) -> str:
    """Where the pictures come from, and the credit of the images that G was trained on."""
    from bascule.cli.train import load_images

    try:
        images = load_images(run.playable.data)
        credit = images.credit or f"no credit is recorded for the image set {images.name}"
    except UserError:  # the pictures can be drawn without it
        credit = f"unknown: the image set {run.recipe.data} is not on this machine"
    return (
        f"Drawn by G of the run {run.id} after {epoch} epochs, seed {args.seed}, with bascule.\n"
        f"Credit of the images that it was trained on:\n{credit}\n"
    )

"""The verbs that use a run's translator: translate pictures, export it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.cli.arguments import add_epoch, add_output, add_run
from bascule.cli.numbers import whole
from bascule.cli.verbs import Parser, Verbs
from bascule.core.errors import UserError
from bascule.runs.store import Run, Store

if TYPE_CHECKING:
    from bascule.translation.translate import Translator


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    translate = verbs.add_parser(
        "translate",
        help="translate pictures with a run's translator",
        examples=[
            "bascule translate cyclegan-light path/to/photos -o cartoons",
            "bascule translate cyclegan-light cartoons -o photos --back",
        ],
    )
    _of_run(translate)
    translate.add_argument("pictures", type=Path, help="a picture, or a folder or .zip of pictures")
    add_output(translate, "DIR", "folder to write to", required=True)
    translate.add_argument(
        "--size",
        type=whole(4096),
        metavar="PX",
        help="pixels of the shorter side (default: as in training)",
    )
    translate.add_argument(
        "--crop", action="store_true", help="crop to the largest centred square, as in training"
    )
    translate.set_defaults(do=do_translate)


def _of_run(verb: Parser) -> None:
    add_run(verb)
    verb.add_argument(
        "--back", action="store_true", help="translate from the second set to the first"
    )
    add_epoch(verb)


def do_translate(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.translation.page import write_translated
    from bascule.translation.translate import translate_pictures

    run = Store(args.runs).find(args.run)
    size = args.size or run.recipe.data.size
    if size < 16:
        raise UserError(f"--size {args.size}: expected at least 16 pixels")
    there, back, epoch = _ways(run, args)
    with counter("translating") as tell:
        done, unread = translate_pictures(
            there, back, args.pictures, args.output, size, args.crop, tell
        )
    page = write_translated(args.output, done, run, epoch, args.back)
    for name, why in unread:
        print(f"bascule: {args.pictures}: {name} was skipped: {why}", file=sys.stderr)
    print(f"{len(done)} pictures: {args.output}")
    print(f"page: {page}")
    return 2 if unread else 0


def _ways(run: Run, args: argparse.Namespace) -> tuple[Translator, Translator | None, int]:
    """The translator that is asked for, the one in the other direction or None, and the epoch."""
    from bascule.translation.translate import ways_of

    ways = ways_of(run, args.epoch)
    if not args.back:
        return ways.there, ways.back, ways.epoch
    if ways.back is None:
        kind = type(run.recipe).__name__
        raise UserError(
            f"--back: a {kind} translates in one direction only; train cyclegan-light for both"
        )
    return ways.back, ways.there, ways.epoch

"""The verbs that write a run's networks for other programs: export, publish."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bascule.cli.arguments import add_epoch, add_output, add_run
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError
from bascule.runs.store import Run, Store

ENDINGS = (".pt", ".pt2", ".onnx")


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    export = verbs.add_parser(
        "export",
        help="write a G or a translator for other programs: ONNX, PyTorch",
        description="Write a run's G, or its translator, as a file. NAME.onnx is for ONNX "
        "Runtime; NAME.pt2 is for PyTorch, where bascule is not installed; NAME.pt has the weights "
        "of G and D, for training that begins with them.",
        examples=[
            "bascule export dcgan64-light -o faces.onnx",
            "bascule export cyclegan-light -o photos.onnx --back",
            "bascule export dcgan64-light -o faces.pt --half",
        ],
    )
    add_run(export)
    export.add_argument(
        "--back", action="store_true", help="the translator from the second set to the first"
    )
    add_epoch(export)
    add_output(export, "FILE", "file to write: NAME.onnx, NAME.pt2 or NAME.pt", required=True)
    export.add_argument("--half", action="store_true", help="of a .pt file: half precision")
    export.set_defaults(do=do_export)

    publish = verbs.add_parser(
        "publish",
        help="write a run as a folder for a model hub, with a model card",
        description="Write a folder with the weights as safetensors, a PyTorch program and an "
        "ONNX file that need no bascule, the recipe, samples, what was measured, and a model card. "
        "Nothing is sent anywhere: look at it, then push it yourself.",
        examples=["bascule publish dcgan64-light faces-model"],
    )
    add_run(publish)
    publish.add_argument("folder", type=Path, help="folder to write to")
    add_epoch(publish)
    publish.set_defaults(do=do_publish)


def do_export(args: argparse.Namespace) -> int:
    ending = args.output.suffix
    if ending not in ENDINGS or not args.output.parent.is_dir():
        raise UserError(
            f"-o {args.output}: expected a file name.onnx, name.pt2 or name.pt in an existing "
            "folder"
        )
    run = Store(args.runs).find(args.run)
    return _weights(run, args) if ending == ".pt" else _network(run, args)


def _weights(run: Run, args: argparse.Namespace) -> int:
    from bascule.runs.weights import export_weights

    if args.back:
        raise UserError(
            f"--back with {args.output.name}: expected it only with an .onnx or .pt2 file of a "
            "translator"
        )
    epochs = export_weights(run, args.output, args.epoch, args.half, _credit(run))
    print(f"{args.output}: G and D of {run.id} after {epochs} epochs")
    return 0


def _network(run: Run, args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.export.formats import write_onnx, write_program
    from bascule.export.networks import portables

    if args.half:
        raise UserError(f"--half with {args.output.name}: expected it only with a .pt file")
    there, *back = portables(run, args.epoch)
    if args.back and not back:
        what = "translates in one direction only" if there.takes == "picture" else "has only a G"
        raise UserError(f"--back: a {type(run.recipe).__name__} {what}")
    chosen = back[0] if args.back else there
    with counter("exporting"):
        if args.output.suffix == ".onnx":
            worst = write_onnx(chosen, args.output, run)
        else:
            worst = write_program(chosen, args.output)
    print(f"{args.output} (differs from PyTorch by at most {worst:.1g}, for pixels in [0, 1])")
    return 0


def do_publish(args: argparse.Namespace) -> int:
    from bascule.data.imported import Imported
    from bascule.export.card import CARD, publish

    run = Store(args.runs).find(args.run)

    def say(name: str) -> None:
        print(f"writing {name}", file=sys.stderr)

    left_out = publish(run, args.folder, args.epoch, _credit(run), say)
    for line in left_out:
        print(line, file=sys.stderr)
    print(f"model: {args.folder}, its card: {args.folder / CARD}")
    if isinstance(run.recipe.data, Imported):
        print("its card needs a line of yours: whose pictures it learned from, and the licence")
    print(f"to send it: hf upload YOUR/NAME {args.folder}")
    return 0


def _credit(run: Run) -> str:
    return run.playable.data.load(None).credit

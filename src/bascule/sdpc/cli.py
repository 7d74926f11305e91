"""The verbs of sparse deep predictive coding: fit, show, denoise and more."""

from __future__ import annotations

import argparse
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.cli import completion
from bascule.cli.arguments import add_epoch, add_output, add_run, add_seed
from bascule.cli.numbers import real, whole
from bascule.cli.train import add_callbacks, add_settings, load, named_data, settings, train_run
from bascule.cli.verbs import Verbs
from bascule.core import atomic
from bascule.core.errors import UserError, unknown
from bascule.runs.store import Run, Store, slug

if TYPE_CHECKING:
    import numpy as np

    from bascule.data.images import ImageSet


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    sdpc = verbs.add_parser(
        "sdpc",
        help="sparse deep predictive coding: fit, show, denoise and more",
        examples=["bascule sdpc fit faces --set data.n=500", "bascule sdpc show sdpc"],
    )
    parts = sdpc.add_subparsers(dest="part", required=True, metavar="VERB")

    fit = parts.add_parser(
        "fit",
        help="learn dictionaries of an image set",
        examples=["bascule sdpc fit faces --set epochs=20 data.n=500 settle.k_fb=2"],
    )
    fit.add_argument(
        "data",
        help="faces, fractals, an imported set, or Faces(n=500)",
        completer=completion.image_sets,
    )
    fit.add_argument(
        "--preset",
        default="sdpc",
        metavar="NAME",
        help="sdpc or sdpc-published (default: sdpc)",
        completer=completion.sdpc_presets,
    )
    fit.add_argument("--name", help="name of the run")
    add_settings(fit, example="epochs=50 data.n=500 settle.k_fb=2")
    add_callbacks(fit)
    fit.set_defaults(do=do_fit)

    show = parts.add_parser(
        "show",
        help="write a page: dictionaries, reconstructions, activity, convergence",
        examples=["bascule sdpc show sdpc"],
    )
    add_run(show)
    add_epoch(show)
    show.set_defaults(do=do_show)

    denoise = parts.add_parser(
        "denoise",
        help="reconstruct noisy pictures from their codes",
        examples=["bascule sdpc denoise sdpc path/to/pictures --sigma 0.3 --k-fb 0 4 -o clean"],
    )
    add_run(denoise)
    denoise.add_argument("images", type=Path, help="a picture, or a folder of pictures")
    denoise.add_argument(
        "--sigma",
        type=real(1e6),
        default=0.0,
        metavar="S",
        help="standard deviation of noise to add first, for pixels in [-1, 1] (default: 0)",
    )
    denoise.add_argument(
        "--k-fb",
        type=real(1e6),
        nargs="+",
        metavar="K",
        help="strengths of feedback (default: as trained)",
    )
    add_seed(denoise, of="the noise")
    add_output(denoise, "DIR", "folder to write to", required=True)
    denoise.set_defaults(do=do_denoise)

    encode = parts.add_parser(
        "encode",
        help="write the codes of pictures to a file",
        examples=["bascule sdpc encode sdpc path/to/pictures -o codes.npz"],
    )
    add_run(encode)
    encode.add_argument("images", type=Path, help="a picture, or a folder of pictures")
    encode.add_argument(
        "--k-fb", type=real(1e6), metavar="K", help="strength of feedback (default: as trained)"
    )
    add_output(encode, "FILE", "file to write, an .npz", required=True)
    encode.set_defaults(do=do_encode)

    decode = parts.add_parser(
        "decode",
        help="draw pictures from codes, which may be edited",
        examples=["bascule sdpc decode sdpc codes.npz --layer 2 -o drawn"],
    )
    add_run(decode)
    decode.add_argument("codes", type=Path, help="a file that `bascule sdpc encode` wrote")
    decode.add_argument(
        "--layer",
        type=whole(1000),
        default=1,
        metavar="L",
        help="decode the codes of this layer (default: 1)",
    )
    add_output(decode, "DIR", "folder to write to", required=True)
    decode.set_defaults(do=do_decode)


def do_fit(args: argparse.Namespace) -> int:
    from bascule.presets import SDPC_PRESETS
    from bascule.runs import codec
    from bascule.training.hardware import resolve_auto

    if args.preset not in SDPC_PRESETS:
        raise unknown("preset", args.preset, SDPC_PRESETS)
    recipe = SDPC_PRESETS[args.preset]
    data = named_data(args.data, recipe.data.size)
    recipe = recipe.replace(data=data, model=replace(recipe.model, size=data.size))
    recipe = resolve_auto(codec.changed(recipe, settings(args.set)))
    store = Store(args.runs)

    def create(images: ImageSet) -> Run:
        name = args.name or f"{args.preset} {images.name} s{recipe.seed}"
        return store.create(recipe, name, images.digest)

    return train_run(create, recipe, store, args)


def do_show(args: argparse.Namespace) -> int:
    from bascule.sdpc.load import coder_of
    from bascule.sdpc.reports.coding import write_coding_page

    run = Store(args.runs).find(args.run)
    coder = coder_of(run, args.epoch)
    images = load(run.playable)
    pictures = images.pixels[images.indices("held_out")]
    if len(pictures) < 2:
        raise UserError(f"{images.name} has {len(pictures)} held-out pictures: expected at least 2")
    print(f"page: {write_coding_page(run, coder, pictures, images.credit)}")
    return 0


def do_denoise(args: argparse.Namespace) -> int:
    from rich.table import Table

    from bascule.cli.progress import counter
    from bascule.data.pictures import read_pictures
    from bascule.reports.terminal import console
    from bascule.sdpc.denoising import denoised
    from bascule.sdpc.load import coder_of

    if not 0 <= args.sigma < inf:
        raise UserError(f"--sigma {args.sigma:g}: expected a number >= 0")
    run = Store(args.runs).find(args.run)
    coder = coder_of(run)
    names, pictures = read_pictures(args.images, run.recipe.data.size)
    ways = args.k_fb or [coder.recipe.settle.k_fb]
    with counter("settling") as tell:
        results = denoised(coder, pictures, args.sigma, ways, args.seed, tell)
    for name, made in results.pictures.items():
        _write_pictures(args.output, names, made, f"-{name}")
    atomic.write_png(args.output / "sheet.png", results.sheet())
    table = Table("picture", "SSIM with the given picture")
    for name, value in results.ssim().items():
        table.add_row(name, f"{value:.3f}")
    console().print(table)
    print(f"pictures: {args.output}; side by side: {args.output / 'sheet.png'}")
    return 0


def do_encode(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.data.pictures import read_pictures
    from bascule.sdpc.files import write_codes
    from bascule.sdpc.load import coder_of

    run = Store(args.runs).find(args.run)
    coder = coder_of(run)
    names, pictures = read_pictures(args.images, run.recipe.data.size)
    how = coder.recipe.settle
    with counter("settling") as tell:
        coded = coder.encode(
            pictures, how if args.k_fb is None else how.replace(k_fb=args.k_fb), tell
        )
    write_codes(args.output, names, coded)
    settled = int(coded.codes.settled.sum())
    print(f"codes of {len(names)} pictures, {settled} of which settled: {args.output}")
    return 0


def do_decode(args: argparse.Namespace) -> int:
    from bascule.sdpc.files import read_codes
    from bascule.sdpc.load import coder_of

    coder = coder_of(Store(args.runs).find(args.run))
    names, coded = read_codes(args.codes, coder)
    _write_pictures(args.output, names, coder.decode(coded, args.layer))
    print(f"pictures: {args.output}")
    return 0


def _write_pictures(folder: Path, names: list[str], pictures: np.ndarray, suffix: str = "") -> None:
    """Write pictures, uint8 (N, 3, H, W), as PNG files with the names of the given ones."""
    from PIL import Image

    stems = [Path(name).stem for name in names]
    if len(set(stems)) < len(stems):  # a.png beside a.jpg, or in another folder
        stems = [slug(name) for name in names]
    folder.mkdir(parents=True, exist_ok=True)
    for stem, picture in zip(stems, pictures, strict=True):
        image = Image.fromarray(picture.transpose(1, 2, 0))
        atomic.write_png(folder / f"{stem}{suffix}.png", image)

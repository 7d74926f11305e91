"""The verbs that draw with a run's G: film, walk, truncated, invert."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bascule.cli.arguments import add_epoch, add_output, add_run, add_seed
from bascule.cli.numbers import real, whole
from bascule.cli.verbs import Parser, Verbs
from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.runs.store import Run, Store

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

KINDS = ("slerp", "linear")  # those of bascule.latents.paths
SPACES = ("z", "w")

Do = Callable[[argparse.Namespace], int]


def add(verbs: Verbs) -> None:
    """Add the verbs of this file to the command line."""
    draw = verbs.add_parser(
        "draw",
        help="draw with a run's G: film, walk, truncated, invert",
        examples=[
            "bascule draw film dcgan64-light",
            "bascule draw invert dcgan64-light path/to/pictures",
        ],
    )
    parts = draw.add_subparsers(dest="part", required=True, metavar="VERB")

    film = _part(
        *(parts, "film", "film the sample grid over the epochs", do_film, "film.webp"),
        examples=["bascule draw film dcgan64-light --fps 12"],
    )
    film.add_argument("--fps", type=real(1000), default=6.0, help="frames a second (default: 6)")

    path = _part(
        *(parts, "walk", "film a walk through latent space and back", do_walk, "walk.webp"),
        examples=[
            "bascule draw walk dcgan64-light --stops 6 --rows 2",
            "bascule draw walk stylegan2-64 --space w",
        ],
    )
    _add_space(path, "walk")
    path.add_argument(
        "--stops", type=whole(1000), default=5, metavar="K", help="latents on the way (default: 5)"
    )
    path.add_argument(
        "--frames",
        type=whole(1000),
        default=12,
        metavar="M",
        help="frames from one latent to the next (default: 12)",
    )
    path.add_argument(
        "--kind", choices=KINDS, help="interpolation (default: slerp; linear for --space w)"
    )
    path.add_argument(
        "--rows", type=whole(1000), default=4, metavar="R", help="walks in one film (default: 4)"
    )
    path.add_argument("--fps", type=real(1000), default=12.0, help="frames a second (default: 12)")

    cut = _part(
        *(parts, "truncated", "draw from truncated latents", do_truncated, "truncated.png"),
        examples=[
            "bascule draw truncated dcgan64-light --threshold 0.5 2",
            "bascule draw truncated stylegan2-64 --psi 0.5 0.7 1",
        ],
    )
    how = cut.add_mutually_exclusive_group()
    how.add_argument(
        "--psi",
        type=real(1000),
        nargs="+",
        metavar="P",
        help="for StyleGAN2: draw a row with w moved to its mean, mean + P (w - mean), for each P",
    )
    how.add_argument(
        "--threshold",
        type=real(1000),
        nargs="+",
        default=[0.5, 1.0, 2.0],
        metavar="T",
        help="draw a row with every |z| < T, for each T (default: 0.5 1 2)",
    )

    invert = _part(
        *(parts, "invert", "find latents that reproduce pictures", do_invert, "invert.png"),
        examples=["bascule draw invert dcgan64-light path/to/pictures --steps 500"],
    )
    invert.add_argument("images", type=Path, help="a picture, or a folder of pictures")
    _add_space(invert, "search")
    invert.add_argument(
        "--steps",
        type=whole(10_000_000),
        default=300,
        metavar="N",
        help="optimisation steps (default: 300)",
    )


def _add_space(part: Parser, verb: str) -> None:
    part.add_argument(
        "--space",
        choices=SPACES,
        default="z",
        help=f"{verb} in the latents z or, for StyleGAN2, in its styles w (default: z)",
    )


def _part(parts: Verbs, name: str, told: str, do: Do, file: str, examples: Sequence[str]) -> Parser:
    part = parts.add_parser(name, help=told, examples=examples)
    add_run(part)
    if name != "film":
        add_epoch(part)
        add_seed(part)
    add_output(part, "FILE", f"file to write (default: {file} in the run's folder)")
    part.set_defaults(do=do, file=file)
    return part


def do_film(args: argparse.Namespace) -> int:
    from bascule.data.decoding import own_picture
    from bascule.reports.film import check_film, write_film
    from bascule.reports.samples import sampled_epochs

    run, path = _run_and_path(args)
    check_film(path)
    _expect("--fps", args.fps, args.fps > 0, "a number > 0")
    epochs = sampled_epochs(run)
    if not epochs:
        raise UserError(f"{run.id} has no sample grids yet: train it for more epochs")
    frames = [_titled(own_picture(run.sample(epoch)), f"epoch {epoch}") for epoch in epochs]
    last = [frames[-1]] * max(1, round(args.fps))  # the last frame stays for a second
    write_film([*frames, *last[1:]], path, args.fps)
    return _said(path, f"{len(epochs)} epochs")


def do_walk(args: argparse.Namespace) -> int:
    import torch

    from bascule.core.context import generator
    from bascule.data.grid import grid
    from bascule.latents.paths import Kind, walk
    from bascule.latents.styles import with_styles
    from bascule.reports.film import check_film, write_film

    run, path = _run_and_path(args)
    check_film(path)
    for name, value, least in (("--stops", args.stops, 2), ("--frames", args.frames, 1)):
        _expect(name, value, value >= least, f"a whole number >= {least}")
    _expect("--rows", args.rows, 1 <= args.rows <= 16, "1 to 16")
    _expect("--fps", args.fps, args.fps > 0, "a number > 0")
    trainer, z_dim = _trainer(run, args.epoch)
    rng = generator("walk", args.seed)
    stops = torch.randn(args.rows, args.stops, z_dim, generator=rng)
    kind: Kind = args.kind or ("linear" if args.space == "w" else "slerp")
    draw = trainer.sample
    if args.space == "w":
        G = with_styles(trainer.generator.eval(), run.id)
        with torch.no_grad():
            w = G.w_of(stops.flatten(0, 1).to(trainer.device)).cpu()
        stops = w.unflatten(0, stops.shape[:2])
        draw = partial(trainer.sample_by, lambda G, w: G.from_w(w))
    walks = torch.stack([_drawn(draw, walk(each, args.frames, kind)) for each in stops])
    write_film([grid(pictures, args.rows) for pictures in walks.unbind(1)], path, args.fps)
    strip = path.with_suffix(".png")
    shown = walks[:, :: max(1, args.frames // 3)]
    atomic.write_png(strip, grid(shown.flatten(0, 1), shown.shape[1]))
    return _said(path, f"as a strip: {strip}")


def do_truncated(args: argparse.Namespace) -> int:
    import torch

    from bascule.core.context import generator
    from bascule.data.grid import grid
    from bascule.latents.styles import with_styles
    from bascule.latents.truncation import truncated

    run, path = _run_and_path(args)
    trainer, z_dim = _trainer(run, args.epoch)
    if args.psi:
        with_styles(trainer.generator, run.id)
        z = torch.randn(12, z_dim, generator=generator("truncated", args.seed))
        rows = [
            trainer.sample_by(lambda G, z, psi=psi: G.from_w(G.truncated(z, psi)), z)
            for psi in args.psi
        ]
        atomic.write_png(path, grid(torch.cat(rows), 12))
        return _said(path, "one row for each psi = " + ", ".join(f"{psi:g}" for psi in args.psi))
    rows = []
    for threshold in args.threshold:
        z = truncated(12, z_dim, threshold, generator("truncated", args.seed))
        if getattr(run.recipe, "labels", None):  # the last number stands for the label
            z[:, -1] = torch.randn(12, generator=generator("labels", args.seed))
        rows.append(trainer.sample(z))
    atomic.write_png(path, grid(torch.cat(rows), 12))
    told = ", ".join(f"{threshold:g}" for threshold in args.threshold)
    return _said(path, f"one row for each |z| < {told}")


def do_invert(args: argparse.Namespace) -> int:
    import torch
    from torch import nn

    from bascule.cli.progress import counter
    from bascule.core.context import generator
    from bascule.core.shapes import shape_of
    from bascule.data.batches import as_float, as_uint8
    from bascule.data.color import from_space, to_space
    from bascule.data.grid import grid
    from bascule.data.pictures import read_pictures
    from bascule.latents.inversion import Draw, invert
    from bascule.latents.styles import Whitened, with_styles
    from bascule.runs.generate import restored

    run, path = _run_and_path(args)
    _expect("--steps", args.steps, args.steps >= 1, "a whole number >= 1")
    recipe, state = restored(run, args.epoch)
    if recipe.gan_objective is None or recipe.z_dim is None or state.trainer.generator is None:
        raise UserError(f"{run.id} is a run of {type(recipe).__name__}: expected a run of a GAN")
    names, pictures = read_pictures(args.images, shape_of(recipe.data))
    given = torch.from_numpy(pictures)
    G = state.trainer.generator.eval().requires_grad_(False)
    target = to_space(as_float(given), recipe.space).to(state.trainer.device)
    draw: Draw = G
    begin: Draw = nn.Identity()
    if args.space == "w":
        space = Whitened(with_styles(G, run.id))
        draw, begin = space.draw, space.of
    with counter("inverting") as tell:
        rng = generator("invert", args.seed)
        z, far = invert(draw, target, recipe.z_dim, rng, args.steps, tell=tell, begin=begin)
    with torch.no_grad():
        found = as_uint8(from_space(draw(z).float(), recipe.space)).cpu()
    z = space.w(z) if args.space == "w" else z
    atomic.write_png(path, grid(torch.stack([given, found], 1).flatten(0, 1), 8))
    latents = path.with_suffix(".npz")
    kept = {args.space: z.cpu().numpy(), "distance": far.cpu().numpy()}
    atomic.write(latents, lambda to: _write_npz(to, names, kept))
    for name, value in zip(names, far.tolist(), strict=True):
        print(f"{name}: distance {value:.4f}")
    return _said(path, f"each picture beside its reproduction by G; latents: {latents}")


def _write_npz(to: Path, names: list[str], kept: dict[str, Any]) -> None:
    import numpy as np

    with to.open("wb") as file:
        np.savez(file, names=np.array(names), **kept)


def _run_and_path(args: argparse.Namespace) -> tuple[Run, Path]:
    run = Store(args.runs).find(args.run)
    path = args.output or run.folder / args.file
    if not path.parent.is_dir():
        raise UserError(f"-o {path}: there is no folder {path.parent}")
    return run, path


def _trainer(run: Run, epoch: int | None) -> tuple[Any, int]:
    """The trainer of a run, to draw with, and the dimension of its latents."""
    from bascule.runs.generate import restored

    recipe, state = restored(run, epoch)
    return state.trainer, recipe.z_dim or 0


def _drawn(draw: Callable[[Tensor], Tensor], latents: Tensor) -> Tensor:
    """From latents (N, dim) to pictures uint8 (N, 3, H, W), some at a time."""
    import torch

    from bascule.runs.generate import AT_ONCE

    return torch.cat([draw(part) for part in latents.split(AT_ONCE)])


def _titled(picture: Image.Image, text: str) -> Image.Image:
    """The picture with a line of text below it."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (picture.width, picture.height + 16), "white")
    sheet.paste(picture)
    ImageDraw.Draw(sheet).text((4, picture.height + 2), text, fill="black")
    return sheet


def _expect(name: str, value: float, holds: bool, expected: str) -> None:
    if not holds:
        raise UserError(f"{name} {value:g}: expected {expected}")


def _said(path: Path, more: str) -> int:
    print(f"{path} ({more})")
    return 0

"""``bascule data``: import, list, show and fetch image sets."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bascule.cli import completion, stored_sets
from bascule.cli.arguments import add_output
from bascule.cli.numbers import sides, whole
from bascule.cli.verbs import Parser, Verbs
from bascule.core.errors import UserError
from bascule.core.shapes import MODES, Shape
from bascule.data.places import imported_sets, place
from bascule.data.styles import OPTIONS

if TYPE_CHECKING:
    import numpy as np

    from bascule.data.images import ImageSet, Progress
    from bascule.data.imported import Report

GRID = 8  # images a side
SHOWN_VALUES = 6
SHOWN_CORRUPT = 10
SHOWN_PAIRS = 20
PIXELS_MISS = (
    "not found so: copies that are mirrored, grey, brighter, zoomed or cropped; give --features"
)
FEATURES_MISS = (
    "not found so: many copies that are brighter or cropped by a tenth or more; a split "
    "keeps only near duplicates by pixels on one side, so delete copies and import the set again"
)


def add(verbs: Verbs) -> None:
    """Add the verb ``data``; each part sets ``do``, a function (args) -> exit code."""
    data = verbs.add_parser(
        "data",
        help="import, list, show, fetch, rename and delete image sets",
        examples=[
            "bascule data list",
            "bascule data import path/to/folder --name my-faces",
        ],
    )
    parts = data.add_subparsers(dest="data_verb", required=True, metavar="VERB")

    verb = parts.add_parser(
        "import",
        help="prepare the images of a folder, an archive, a table, arrays or a PyTorch dataset",
        examples=[
            "bascule data import faces.zip --name my-faces --size 32 --skip-corrupt",
            "bascule data import sprites --name sprites --size 16x32 --mode rgba",
            "bascule data import my.py:train --held-out my.py:test --name mine --size 32",
        ],
    )
    verb.add_argument(
        "path",
        help="a folder (with all its subfolders, or of shards), a .zip, .tar, .npz, .npy or "
        ".parquet, or a PyTorch dataset of your own, my_data.py:MySet",
    )
    verb.add_argument("--name", required=True, help="name of the set")
    verb.add_argument(
        "--held-out",
        metavar="PATH",
        help="another source of the same kind, such as an official test set: exactly its images "
        "are held out (default: a tenth of the images)",
    )
    pairs = verb.add_mutually_exclusive_group()
    pairs.add_argument(
        "--pairs",
        metavar="PATH",
        help="another source: each of its pictures is the counterpart of the picture of the same "
        "name, for pix2pix",
    )
    pairs.add_argument(
        "--side-by-side",
        action="store_true",
        help="every picture holds two, the left one and its counterpart, for pix2pix",
    )
    _add_import_options(verb)
    verb.add_argument(
        "--fit",
        choices=["crop", "pad", "stretch"],
        default="crop",
        help="how a picture of other proportions gets those of the set: its centre, all of it on a "
        "ground of the colour of its corners, or all of it, stretched (default: crop)",
    )
    verb.add_argument(
        "--pixel-art",
        action="store_true",
        help="enlarge by whole numbers with the nearest pixel, so that no new colour is mixed",
    )
    verb.add_argument(
        "--mode",
        choices=[*MODES],
        default="rgb",
        help="what each pixel has: three colours, one grey value, or colours and alpha "
        "(default: rgb; transparent pixels are then blended with white)",
    )
    verb.add_argument(
        "--preview",
        type=Path,
        metavar="FILE",
        help="write a PNG that shows what is cut from some pictures and what becomes of them, and "
        "import nothing",
    )
    verb.add_argument(
        "--bits",
        type=int,
        choices=range(9, 17),
        metavar="B",
        help="how many bits the numbers in files of 16 bits have, such as 12 of a camera "
        "(default: 16, unless all of them are dark)",
    )
    verb.set_defaults(do=_import)

    verb = parts.add_parser(
        "list", help="list the image sets on this machine", examples=["bascule data list"]
    )
    verb.set_defaults(do=_list)

    verb = parts.add_parser(
        "show",
        help="describe a set, and draw a grid of its images",
        examples=[
            "bascule data show faces --style adventurer",
            "bascule data show my-faces --size 32 -o grid.png",
        ],
    )
    _add_set(verb)
    add_output(verb, "FILE", "PNG file (default: data/NAME.png in the folder of runs)")
    verb.set_defaults(do=_show)

    verb = parts.add_parser(
        "twins",
        help="find images of a set that are copies of one another",
        examples=[
            "bascule data twins my-faces",
            "bascule data twins my-faces --features -o twins.png",
        ],
    )
    _add_set(verb)
    verb.add_argument(
        "--features",
        action="store_true",
        help="also search by features, for copies that are cropped, mirrored or grey",
    )
    add_output(verb, "FILE", "PNG file (default: data/NAME-twins.png in the folder of runs)")
    verb.set_defaults(do=_twins)

    verb = parts.add_parser(
        "fetch",
        help="download a known set",
        examples=["bascule data fetch simpsons --accept-licence"],
    )
    verb.add_argument("known", choices=["simpsons"], help="the set to download")
    verb.add_argument(
        "--accept-licence", action="store_true", help="you have read and accept the licence"
    )
    verb.add_argument("--name", default="simpsons", help="name of the set (default: simpsons)")
    _add_import_options(verb)
    verb.set_defaults(do=_fetch)
    stored_sets.add(parts)


def _add_set(verb: Parser) -> None:
    verb.add_argument(
        "name", help="faces, fractals, or an imported set", completer=completion.shown_sets
    )
    verb.add_argument(
        "--size",
        type=whole(1_000_000),
        metavar="PX",
        help="pixels a side (default: 64, or the only one of an imported set)",
    )
    verb.add_argument(
        "--n",
        type=whole(1_000_000),
        default=2000,
        metavar="N",
        help="number of images of a built-in set (default: 2000)",
    )
    verb.add_argument(
        "--style", default="micah", help=f"style of faces: {', '.join(OPTIONS)} (default: micah)"
    )


def _add_import_options(verb: Parser) -> None:
    verb.add_argument(
        "--size",
        type=sides,
        default=(64, 64),
        metavar="PX",
        help="pixels a side, or width x height, such as 64x192 (default: 64)",
    )
    verb.add_argument("--skip-corrupt", action="store_true", help="skip images that cannot be read")
    verb.add_argument(
        "--replace", action="store_true", help="replace a set that has this name already"
    )


def _import(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.data.imported import import_images

    given = {"size": Shape(MODES[args.mode], *args.size), "replace": args.replace}
    if args.pairs or args.side_by_side:
        return _import_pairs(args)
    if args.preview:
        return _preview(args)
    if ".py:" in args.path or ".py:" in (args.held_out or ""):
        report = _import_dataset(args, given)
    else:
        with counter("preparing images") as progress:
            report = import_images(
                args.path,
                args.name,
                skip_corrupt=args.skip_corrupt,
                progress=progress,
                held_out=args.held_out,
                fit=args.fit,
                pixel_art=args.pixel_art,
                bits=args.bits,
                **given,
            )
    _tell(report)
    return 0


def _import_pairs(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.translation.own_pairs import import_pairs

    option = "--pairs" if args.pairs else "--side-by-side"
    others = {"held-out": args.held_out, "preview": args.preview, "bits": args.bits}
    for other in (name for name, value in others.items() if value is not None):
        raise UserError(f"{option} with --{other}: expected only one of the two")
    if args.mode != "rgb" or args.size[0] != args.size[1]:
        raise UserError(f"{option}: pairs are RGB squares; expected --mode rgb and one --size")
    if ".py:" in args.path:
        raise UserError(f"{option}: {args.path} is a dataset; expected a folder, a .zip or an .npz")
    with counter("preparing pairs") as progress:
        report = import_pairs(
            args.path,
            args.pairs,
            args.name,
            size=args.size[0],
            skip_corrupt=args.skip_corrupt,
            replace=args.replace,
            progress=progress,
            fit=args.fit,
            pixel_art=args.pixel_art,
        )
    _tell(report)
    print(f"{report.imported // 2:,} pairs: bascule train pix2pix-light --data {report.name}")
    return 0


def _import_dataset(args: argparse.Namespace, given: dict[str, Any]) -> Report:
    from bascule.cli.progress import counter
    from bascule.core.user_code import load_named
    from bascule.data.imported import import_dataset

    paths = [args.path] if args.held_out is None else [args.path, args.held_out]
    for path in paths:
        if ".py:" not in path:
            raise UserError(
                f"{path} is no dataset: expected FILE.py:NAME for the images and for --held-out, "
                "or folders or archives for both"
            )
    of, held_out = load_named(args.path), args.held_out and load_named(args.held_out)
    with counter("preparing images") as progress:
        return import_dataset(
            of,
            args.name,
            held_out=held_out,
            progress=progress,
            fit=args.fit,
            pixel_art=args.pixel_art,
            **given,
        )


def _fetch(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.data.fetch import LICENCE, fetch_simpsons

    if args.accept_licence:
        print(LICENCE)
    with counter("preparing images") as progress:
        report = fetch_simpsons(
            args.accept_licence,
            name=args.name,
            size=Shape(3, *args.size),
            skip_corrupt=args.skip_corrupt,
            replace=args.replace,
            progress=progress,
        )
    _tell(report)
    return 0


def _tell(report: Report) -> None:
    verb = "already imported, nothing to do" if report.reused else "imported"
    print(
        f"{report.name} at {report.shape}: {report.imported:,} images {verb}, "
        f"{report.held_out:,} of them held out ({report.seconds:.1f} s)"
    )
    if report.corrupt:
        print(f"left out {len(report.corrupt):,} of {report.found:,}:")
        for name, reason in report.corrupt[:SHOWN_CORRUPT]:
            print(f"  {name}: {reason}")
        if len(report.corrupt) > SHOWN_CORRUPT:
            print(f"  and {len(report.corrupt) - SHOWN_CORRUPT:,} more")
    _tell_left_out(report.left_out)
    if report.cut[0]:
        print(
            f"{report.cut[0]:,} images {_proportions(report.shape)}: only their centre is kept, "
            f"and half of them lose {report.cut[1]:.0%} or more; --fit pad or --fit stretch keeps "
            "all, and --preview FILE shows what is cut"
        )
    for label, values in report.labels.items():
        lack = report.unlabelled.get(label)
        print(
            f"label {label}: {f'{values:,} values' if values else 'a number'}"
            + (f"; {lack:,} without" if lack else "")
        )
    print(_twin_line(report.near_duplicates, report.across))


def _proportions(shape: Shape) -> str:
    return "have other proportions" if shape.sides else "are not square"


def _preview(args: argparse.Namespace) -> int:
    from bascule.core import atomic
    from bascule.data.decoding import Preparation
    from bascule.data.preview import preview

    if ".py:" in args.path:
        raise UserError(f"--preview of {args.path}: expected files; a dataset has prepared images")
    shape = Shape(MODES[args.mode], *args.size)
    how = Preparation(shape, args.fit, args.pixel_art, args.bits or 16)
    picture, shown, of = preview(Path(args.path).expanduser(), how)
    atomic.write_png(args.preview, picture)
    print(f"{shown} of {of} files: {args.preview}")
    print("left: the picture, with what is cut away dark; right: what is kept; nothing is imported")
    return 0


def _tell_left_out(left_out: Sequence[tuple[str, str, int]]) -> None:
    from bascule.data.imported import told

    if left_out:
        print(f"not images, left out: {told(left_out)}")


def _twin_line(groups: list[list[int]], across: int) -> str:
    sides = "each group is all training images or all held-out images"
    if across:
        sides = f"{across:,} of the groups have training and held-out images"
    return (
        f"near duplicates: {sum(map(len, groups)):,} images in {len(groups):,} groups, "
        f"the largest of {max(map(len, groups), default=0):,}; {sides}"
    )


def _list(args: argparse.Namespace) -> int:
    print(f"faces     built in; styles: {', '.join(OPTIONS)}")
    print("fractals  built in")
    for name, shapes in imported_sets().items():
        print(f"{name}  imported at {'; '.join(map(str, shapes))}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from bascule.cli.progress import counter
    from bascule.data.cache import about
    from bascule.data.near_duplicates import groups_across, near_duplicate_groups, twins

    with counter(f"making {args.name}") as progress:
        images = _load(args, progress)
    output = _drawn(images.pixels, images, args, args.name)
    print(
        f"{images.name}: {len(images):,} images of {_told(images.shape)}, "
        f"{int(images.held_out.sum()):,} held out"
    )
    groups = twins(near_duplicate_groups(images.pixels))
    print(_twin_line(groups, groups_across(groups, images.held_out)))
    if args.name in imported_sets():
        _tell_left_out(about(place(args.name, images.shape)).get("left_out", ()))
    _tell_labels(images.labels)
    print(f"credit: {images.credit or 'not recorded'}")
    print(f"digest: {images.digest}")
    print(f"grid: {output}")
    return 0


def _told(shape: Shape) -> str:
    sides = f"{shape.width} x {shape.height} px"
    return sides if shape.channels == 3 else f"{sides}, {shape.mode}"


def _twins(args: argparse.Namespace) -> int:
    import numpy as np

    from bascule.cli.progress import counter
    from bascule.data.near_duplicates import groups_across, near_duplicate_groups, twins

    with counter(f"making {args.name}") as progress:
        images = _load(args, progress)
    groups = twins(near_duplicate_groups(images.pixels))
    print(_twin_line(groups, groups_across(groups, images.held_out)))
    shown = np.array([group[:2] for group in groups], np.int64).reshape(-1, 2)
    if args.features:
        from bascule.evaluation.twins import feature_twins
        from bascule.features.extractors import extractor

        with counter("comparing features") as progress:
            found = feature_twins(images, extractor(), progress)
        shown, apart = found.pairs[found.new], found.distances[found.new]
        print(
            f"by features also: {len(shown):,} pairs, {len(np.unique(shown)):,} images "
            f"(distance below {found.threshold:.2f}); look at them, since some are only alike"
        )
        for (i, j), distance in list(zip(shown.tolist(), apart, strict=True))[:SHOWN_PAIRS]:
            print(f"  images {i} and {j}: distance {distance:.2f}")
        if len(shown) > SHOWN_PAIRS:
            print(f"  and {len(shown) - SHOWN_PAIRS:,} more")
    print(FEATURES_MISS if args.features else PIXELS_MISS)
    if len(shown):
        pixels = images.pixels[shown[: GRID * GRID // 2].ravel()]
        print(f"pairs: {_drawn(pixels, images, args, f'{args.name}-twins')}")
    return 0


def _load(args: argparse.Namespace, progress: Progress) -> ImageSet:
    from bascule.data.faces import Faces
    from bascule.data.fractals import Fractals
    from bascule.data.imported import Imported, set_named

    size = 64 if args.size is None else args.size
    if args.name == "faces":
        return Faces(n=args.n, size=size, style=args.style).load(progress)
    if args.name == "fractals":
        return Fractals(n=args.n, size=size).load(progress)
    found = set_named(args.name, size)
    if args.size not in (None, found.size):
        found = Imported(args.name, size)  # it says what there is
    return found.load(progress)


def _tell_labels(labels: dict[str, np.ndarray]) -> None:
    """One line for each label that varies, and one for all that do not."""
    import numpy as np

    constant = []
    for name, values in labels.items():
        if len(np.unique(values)) == 1:
            constant.append(name)
        elif values.dtype.kind == "f":
            print(f"label {name}: {values.min():.3g} to {values.max():.3g}")
        else:
            counts = Counter(values.tolist()).most_common()
            told = ", ".join(f"{value} {count:,}" for value, count in counts[:SHOWN_VALUES])
            more = len(counts) - SHOWN_VALUES
            print(f"label {name}: {told}" + (f", and {more} more" if more > 0 else ""))
    if constant:
        print(f"labels with a single value: {', '.join(constant)}")


def _drawn(pixels: np.ndarray, images: ImageSet, args: argparse.Namespace, name: str) -> Path:
    """The file of a grid of ``pixels``, which are of ``images``."""
    output: Path = args.output or args.runs / "data" / f"{name}.png"
    try:
        if not args.output:
            output.parent.mkdir(parents=True, exist_ok=True)
        _write_grid(pixels, images, output)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write the grid {output}: {error}") from None
    return output


def _write_grid(pixels: np.ndarray, images: ImageSet, output: Path) -> None:
    """The first images, eight a row on white, as a PNG that carries the credit line."""
    import numpy as np
    from PIL.PngImagePlugin import PngInfo

    from bascule.data.decoding import as_picture

    shown = pixels[: GRID * GRID]
    rows = -(-len(shown) // GRID)
    channels, high, wide = images.shape
    grid = np.full((rows * GRID, channels, high, wide), 255, np.uint8)
    grid[: len(shown)] = shown
    tiled = grid.reshape(rows, GRID, channels, high, wide).transpose(2, 0, 3, 1, 4)
    text = PngInfo()
    if images.credit:
        text.add_itxt("Copyright", images.credit)
    picture = as_picture(tiled.reshape(channels, rows * high, GRID * wide))
    picture.save(output, format="PNG", pnginfo=text)

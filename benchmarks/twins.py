"""Which altered copies does the search for twins find, and how many different images does it pair?

    python benchmarks/twins.py                        built-in faces, some minutes on one core
    python benchmarks/twins.py --sets my-faces other  imported sets as well
    python benchmarks/twins.py --n 200                a quick test that writes no file

Every twentieth image of a set is altered, and the copies are added to the set, one kind of
alteration at a time. A copy is found if it is called a twin of its original: by near-equal pixels,
as when a set is imported, by features (``bascule data twins --features``), or by either. Beside it
stands how many images of the untouched set are called twins. Writes notes/twins.md and keeps the
hand-written section "Reading".
"""

from __future__ import annotations

import argparse
import datetime
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bascule.core.context import address
from bascule.data.faces import Faces
from bascule.data.images import ImageSet
from bascule.data.imported import Imported
from bascule.data.near_duplicates import near_duplicate_groups
from bascule.evaluation.twins import middle, twins_of, views
from bascule.features.efficientnet import EfficientNetLite0

NOTE = Path(__file__).parent.parent / "notes" / "twins.md"
READING = "## Reading"
EVERY = 20  # of this many images, one is copied
SIZE = 64  # px


def each(pixels: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """``change`` applied to every image, uint8 (N, 3, H, W)."""
    changed = [np.asarray(change(Image.fromarray(x.transpose(1, 2, 0)))) for x in pixels]
    return np.stack(changed).transpose(0, 3, 1, 2)


def cropped(pixels: np.ndarray, share: float) -> np.ndarray:
    """``share`` of the side is cut off, at a place of its own for each image."""
    rng = np.random.default_rng(address("twins", share))

    def crop(image: Image.Image) -> Image.Image:
        side = image.width
        kept = side * (1 - share)
        left, top = rng.uniform(0, side - kept, 2)
        box = (left, top, left + kept, top + kept)
        return image.resize((side, side), Image.Resampling.BICUBIC, box)

    return each(pixels, crop)


def grey(pixels: np.ndarray) -> np.ndarray:
    return each(pixels, lambda image: image.convert("L").convert("RGB"))


def jpeg(pixels: np.ndarray) -> np.ndarray:
    def stored(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=50)
        return Image.open(file).convert("RGB")

    return each(pixels, stored)


def noisy(pixels: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(address("twins", "noise"))
    return np.rint(pixels + rng.normal(0, 10, pixels.shape)).clip(0, 255).astype(np.uint8)


def mirrored(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[..., ::-1])


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "crop, 3 % of the side": lambda x: cropped(x, 0.03),
    "crop, 10 % of the side": lambda x: cropped(x, 0.1),
    "zoom to the middle 85 %": lambda x: middle(x, 0.85),
    "15 % brighter": lambda x: np.rint(x * 1.15).clip(0, 255).astype(np.uint8),
    "mirrored": mirrored,
    "mirrored, and a crop of 3 %": lambda x: cropped(mirrored(x), 0.03),
    "grey": grey,
    "JPEG at quality 50": jpeg,
    "noise of 10 / 255": noisy,
}


@dataclass(frozen=True)
class Found:
    """Shares of copies that were found; NaN if an alteration leaves all images as they are."""

    by_pixels: float
    by_features: float
    by_either: float


class Search:
    """Searches for twins among the images of a set and copies of some."""

    def __init__(self, images: ImageSet) -> None:
        self.extract = EfficientNetLite0()
        self.pixels = np.array(images.pixels)
        self.features = self._features(self.pixels)

    def untouched(self) -> tuple[float, float]:
        """The share of images that have a twin by pixels, and of those that get one by features."""
        alike = near_duplicate_groups(self.pixels)
        _, inverse, counts = np.unique(alike, return_inverse=True, return_counts=True)
        found = twins_of(self.features[0], self.features[1:], alike)
        n = len(self.pixels)
        return float((counts[inverse] > 1).mean()), len(np.unique(found.pairs[found.new])) / n

    def copies(self, way: Callable[[np.ndarray], np.ndarray]) -> Found:
        """Which altered copies of every twentieth image are found."""
        originals = np.arange(0, len(self.pixels), EVERY)
        changed = way(self.pixels[originals])
        if (changed == self.pixels[originals]).all():
            return Found(np.nan, np.nan, np.nan)
        pixels = np.concatenate([self.pixels, changed])
        features = [
            np.concatenate(both)
            for both in zip(self.features, self._features(changed), strict=True)
        ]
        copies = len(self.pixels) + np.arange(len(originals))
        alike = near_duplicate_groups(pixels)
        by_pixels = alike[copies] == alike[originals]
        pairs = set(map(tuple, twins_of(features[0], features[1:], alike).pairs.tolist()))
        by_features = np.array([pair in pairs for pair in zip(originals, copies, strict=True)])
        return Found(by_pixels.mean(), by_features.mean(), (by_pixels | by_features).mean())

    def _features(self, pixels: np.ndarray) -> list[np.ndarray]:
        return [self.extract(x) for x in (pixels, *views(pixels))]


def table(images: ImageSet) -> str:
    search = Search(images)
    by_pixels, by_features = search.untouched()
    lines = [
        f"## {images.name}, {len(images):,} images of {images.size} px",
        "",
        "| copies | found by pixels | by features | by either |",
        "|---|---|---|---|",
    ]
    for name, way in WAYS.items():
        found = search.copies(way)
        cells = [found.by_pixels, found.by_features, found.by_either]
        told = ["–" if np.isnan(x) else f"{x:.0%}" for x in cells]
        lines.append(f"| {name} | {' | '.join(told)} |")
        print(images.name, name, *told, flush=True)
    lines += [
        "",
        f"Of the untouched images, {by_pixels:.1%} have a twin by pixels, and features pair "
        f"{by_features:.1%}.",
    ]
    return "\n".join(lines)


def first(images: ImageSet, n: int) -> ImageSet:
    """The first ``n`` images of a set."""
    return ImageSet(images.name, images.pixels[:n], images.held_out[:n], {}, images.digest, "")


def main() -> None:
    parser = argparse.ArgumentParser(description="Which altered copies are found as twins.")
    parser.add_argument("--n", type=int, default=1000, help="images a set, at most")
    parser.add_argument("--sets", nargs="*", default=[], help="imported sets, beside the faces")
    args = parser.parse_args()
    sets = [Faces(n=args.n, size=SIZE), *(Imported(name, SIZE) for name in args.sets)]
    tables = "\n\n".join(table(first(one.load(), args.n)) for one in sets)
    if args.n != 1000:
        print(tables)
        return
    head = f"""# Twins that the search finds

`python benchmarks/twins.py`, {datetime.date.today()}, PyTorch {torch.__version__}. Altered copies
of every twentieth image were added to the set, one kind at a time. Pixels: 16 x 16 means that
differ by less than 12 / 255, as when a set is imported. Features: EfficientNet-Lite0, whitened,
with altered views, and a threshold from the set (`bascule data twins NAME --features`).
"""
    old = NOTE.read_text("utf-8") if NOTE.exists() else ""
    reading = old[old.index(READING) :] if READING in old else f"{READING}\n"
    NOTE.write_text(f"{head}\n{tables}\n\n{reading}", "utf-8")


if __name__ == "__main__":
    main()

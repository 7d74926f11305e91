"""Twins in feature space: altered copies of an image that a comparison of pixels does not find.

Every image, and four altered views of it, is compared with all other images. Features are whitened:
projected on the first principal components of the set, divided by their standard deviations, and
normalised to unit length (Jégou & Chum 2012). So what all images of a set have in common, such as
being a face, counts little.

The threshold comes from the set itself. Between different images, the logarithm of the distance to
the nearest other one is taken as normal below its median. A distance that only 0.1 % of them would
have makes two images twins. In fact small distances are more frequent: where this was measured, 1
to 10 % of the images were paired that nobody had copied. Images with near-equal pixels are not
different images, and neither are twins, so one of each such group counts. To this end the search is
repeated :data:`ROUNDS` times. What it finds and what it misses: notes/twins.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from bascule.core.errors import UserError
from bascule.data.images import ImageSet, Progress
from bascule.data.near_duplicates import joined, near_duplicate_groups, twins
from bascule.features.extractor import Extractor, as_rgb

LEAST = 50  # different images; with fewer, their distances say little
COMPONENTS = 256  # at most half as many as images
NORMAL = 3.09  # standard deviations; 0.1 % of a normal distribution is further below the mean
# Of a normal distribution, the share LOWER lies more than HALF a deviation below the mean.
HALF, LOWER = 0.5, 0.3085
ROUNDS = 2  # twins found in one round do not count as different images in the next
EQUAL = 0.05  # altered views that are closer are equal but for rounding
BLOCK = 2**22  # distances in memory at once: 32 MB
MIDDLES = (0.9, 0.8)  # of the side
GREY = (0.299, 0.587, 0.114)  # Rec. 601


@dataclass(frozen=True)
class Twins:
    """The twins of an image set.

    groups     images that are twins by pixels or by features, as sorted lists of indices
    pairs      (n, 2), twins by features, closest first
    distances  (n,), of the pairs, 0 to 2
    new        (n,), whether a pair differs in pixels
    threshold  the distance below which two images are twins
    """

    groups: list[list[int]]
    pairs: np.ndarray
    distances: np.ndarray
    new: np.ndarray
    threshold: float


def feature_twins(
    images: ImageSet, extractor: Extractor, progress: Progress | None = None
) -> Twins:
    """The twins of ``images``; about 40 images a second on one core with EfficientNet-Lite0.

    Raises UserError if there are fewer than :data:`LEAST` different images.
    """
    alike = near_duplicate_groups(images.pixels)
    _check(alike)
    found, n = [], len(images)
    altered = [images.pixels, *views(images.pixels)]
    for place, pixels in enumerate(altered):

        def tell(done: int, of: int, before: int = place * n) -> None:
            if progress:
                progress(before + done, n * len(altered))

        found.append(extractor(pixels, tell))
    return twins_of(found[0], found[1:], alike)


def views(pixels: np.ndarray) -> list[np.ndarray]:
    """Altered copies of images, as uint8 (N, 3, H, W): mirrored, grey, and two middles."""
    pixels = as_rgb(torch.from_numpy(np.array(pixels))).numpy()
    grey = np.tensordot(pixels, GREY, ([1], [0])).round().astype(np.uint8)
    mirrored = np.ascontiguousarray(pixels[..., ::-1])
    return [mirrored, np.repeat(grey[:, None], 3, 1), *(middle(pixels, of) for of in MIDDLES)]


def middle(pixels: np.ndarray, share: float) -> np.ndarray:
    """The middle of images, ``share`` of their sides, at their own size: uint8 (N, 3, H, W)."""
    high, wide = pixels.shape[-2:]
    top, left = (round(side * (1 - share) / 2) for side in (high, wide))
    cut = np.array(pixels[..., top : high - top, left : wide - left])
    whole = F.interpolate(torch.from_numpy(cut).float(), (high, wide), mode="bicubic")
    return whole.clamp(0, 255).round().to(torch.uint8).numpy()


def twins_of(plain: np.ndarray, altered: Sequence[np.ndarray], alike: np.ndarray) -> Twins:
    """The twins among images with features ``plain`` (N, d).

    altered  features of their views, each (N, d)
    alike    groups of near-equal pixels, (N,) (:func:`near_duplicate_groups`)

    Raises UserError if there are fewer than :data:`LEAST` groups.
    """
    mean, axes = _whitening(plain[_check(alike)])
    points, *queries = (_unit((x.astype(np.float64) - mean) @ axes) for x in (plain, *altered))
    queries = [points, *queries]
    threshold = EQUAL
    pairs, apart = _pairs(points, queries, threshold)
    for _ in range(ROUNDS):
        different = _check(_joined(alike, pairs))
        nearest = np.concatenate([d[:, different].min(1) for _, d in _distances(points, queries)])
        threshold = max(_low(nearest[different]), EQUAL)
        pairs, apart = _pairs(points, queries, threshold)
    new = alike[pairs[:, 0]] != alike[pairs[:, 1]]
    return Twins(twins(_joined(alike, pairs)), pairs, apart, new, threshold)


def _joined(alike: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The groups ``alike`` (N,), joined where ``pairs`` (n, 2) link them."""
    links = np.concatenate([pairs, np.stack([np.arange(len(alike)), alike], 1)])
    return joined(len(alike), links[:, 0], links[:, 1])


def _pairs(
    points: np.ndarray, queries: Sequence[np.ndarray], below: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (n, 2) of images closer than ``below``, closest first, and their distances (n,)."""
    pairs, apart = [np.empty((0, 2), np.int64)], [np.empty(0)]
    for start, distances in _distances(points, queries):
        i, j = np.nonzero(distances < below)
        pairs.append(np.sort(np.stack([i + start, j], 1), 1))
        apart.append(distances[i, j])
    found, close = np.concatenate(pairs), np.concatenate(apart)
    order = np.argsort(close, kind="stable")
    _, first = np.unique(found[order], axis=0, return_index=True)  # the closer of (i, j), (j, i)
    order = order[np.sort(first)]
    return found[order], close[order]


def _low(distances: np.ndarray) -> float:
    """The distance below which 0.1 % of ``distances`` lie, if their logarithms are normal."""
    median, lower = np.quantile(distances, (0.5, LOWER))
    return float(median * (lower / median) ** (NORMAL / HALF))


def _check(alike: np.ndarray) -> np.ndarray:
    """The first image of each group of near-equal pixels."""
    different = np.unique(alike)
    if len(different) < LEAST:
        raise UserError(
            f"{len(different)} different images: a search for twins by features needs at least "
            f"{LEAST}; search by pixels alone, without --features"
        )
    return different


def _whitening(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (d,) of ``x`` (n, d), and its principal axes over their deviations, (d, k)."""
    mean = x.mean(0, np.float64)
    _, deviations, axes = np.linalg.svd(x - mean, full_matrices=False)
    k = min(COMPONENTS, len(x) // 2, int((deviations > 1e-6 * deviations[0]).sum()))
    return mean, axes[:k].T / deviations[:k]


def _unit(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return found


def _distances(
    points: np.ndarray, queries: Sequence[np.ndarray]
) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of rows (from which image, distances (rows, N)), each the least of all ``queries``.

    All points have length 1. An image is infinitely far from itself.
    """
    rows = max(1, BLOCK // len(points))
    for start in range(0, len(points), rows):
        part = slice(start, start + rows)
        cosine = np.max([query[part] @ points.T for query in queries], 0)
        distances = np.sqrt(np.maximum(2 - 2 * cosine, 0))
        places = np.arange(len(distances))
        distances[places, start + places] = np.inf
        yield start, distances

"""Near duplicates, and a held-out split that keeps them on one side.

Frames of one scene are almost the same image. If near duplicates were on both sides of the split, a
network that memorised the training images would seem to generalise. So whole groups are held out.
"""

from __future__ import annotations

import numpy as np
import torch

from bascule.core.context import address
from bascule.core.errors import UserError

THUMBNAIL = 16  # pixels a side
BOXES_AT_ONCE = 8
BYTES_AT_ONCE = 16 * 2**20  # of pixels, which become four times as many
HELD_OUT = 0.1  # share of the images, unless a set has its own
# Chosen by looking at cartoon frames: pairs up to 20 / 255 are still of one scene. But generated
# faces, which differ in small parts, become one large group above 12 / 255.
THRESHOLD = 12 / 255  # RMS over the thumbnail, on a scale of 0 (black) to 1 (white)


def near_duplicate_groups(
    pixels: np.ndarray, threshold: float = THRESHOLD, most: int = 512
) -> np.ndarray:
    """The group of each image, int64 (N,): the index of the first image of its group.

    ``pixels`` is uint8 (N, C, H, W). Two images are near duplicates if their 16 x 16 means differ
    by less than ``threshold`` (RMS, in [0, 1]). Groups are the connected components of these pairs.

    The result is exact, but few pairs are computed. A sketch of each image, the lowest frequencies
    of its means, gives a lower bound of its distance to any other. Similar sketches are sorted
    into boxes of at most ``most``. Only boxes that are near each other are compared, and the means
    are computed again where sketches are near. Images of one group are not compared any more. So
    nothing is kept in memory but the sketches, 200 bytes an image.
    """
    n = len(pixels)
    if not n:
        return np.empty(0, np.int64)
    parts = (np.arange(start, min(start + 1024, n)) for start in range(0, n, 1024))
    sketches = np.concatenate([_sketches(_thumbnails(pixels, part)) for part in parts])
    boxes = _boxes(sketches, most)
    low, high = (np.stack([edge(sketches[box], 0) for box in boxes]) for edge in (np.min, np.max))
    limit = threshold**2 * pixels.shape[1] * THUMBNAIL**2
    # Distances of sketches are in float32, and are wrong by less than this.
    near_limit = limit + 1e-5 * float(np.square(sketches).sum(1).max())
    links = _Links(n)
    for k, box in enumerate(boxes):
        near = k + np.flatnonzero(_gaps(low[k], high[k], low[k:], high[k:]) < near_limit)
        for start in range(0, len(near), BOXES_AT_ONCE):
            others = np.concatenate([boxes[m] for m in near[start : start + BOXES_AT_ONCE]])
            groups = links.of(box)
            if (groups == groups[0]).all():
                others = others[links.of(others) != groups[0]]
            away = sketches[others]
            others = others[_gaps(low[k], high[k], away, away) < near_limit]
            i, j = _closer(sketches[box], sketches[others], near_limit)
            unknown = groups[i] != links.of(others)[j]
            rows, columns = box[np.unique(i[unknown])], others[np.unique(j[unknown])]
            x = _thumbnails(pixels, rows)
            for at in range(0, len(columns), most):
                part = columns[at : at + most]
                i, j = _closer(x, _thumbnails(pixels, part), limit)
                links.add(rows[i], part[j])
    return _by_first(links.of(np.arange(n)))


class _Links:
    """The groups so far, of images that are linked. Each group is named by one of its images."""

    def __init__(self, n: int) -> None:
        self._towards = np.arange(n)  # the name of its group, or an image that is nearer to it

    def of(self, images: np.ndarray) -> np.ndarray:
        """The groups of ``images``, both (n,)."""
        groups: np.ndarray = self._towards[images]
        while not np.array_equal(nearer := self._towards[groups], groups):
            groups = nearer
        self._towards[images] = groups
        return groups

    def add(self, i: np.ndarray, j: np.ndarray) -> None:
        """Link each image of ``i`` with that of ``j``."""
        groups, ends = np.unique(np.concatenate([self.of(i), self.of(j)]), return_inverse=True)
        self._towards[groups] = groups[joined(len(groups), ends[: len(i)], ends[len(i) :])]


def _sketches(thumbs: np.ndarray) -> np.ndarray:
    """Float32 (N, 16 C + 1) of thumbnails (N, C * 256), which are never nearer than their sketches.

    These are 4 x 4 numbers of an orthonormal cosine transform, and the length of all the others.
    """
    from scipy.fft import dctn

    squares = thumbs.reshape(len(thumbs), -1, THUMBNAIL, THUMBNAIL)
    lowest = dctn(squares, axes=(1, 2, 3), norm="ortho")[..., :4, :4].reshape(len(thumbs), -1)
    others = np.square(thumbs).sum(1, keepdims=True) - np.square(lowest).sum(1, keepdims=True)
    return np.hstack([lowest, np.sqrt(np.maximum(others, 0))]).astype(np.float32)


def _gaps(low: np.ndarray, high: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Squared distances (n,) between a box, of edges (d,), and ``n`` others, of edges (n, d)."""
    gaps: np.ndarray = np.square(np.maximum(0, np.maximum(lows - high, low - highs))).sum(1)
    return gaps


def _boxes(points: np.ndarray, most: int) -> list[np.ndarray]:
    """Indices of ``points`` (N, d) in boxes of at most ``most``, cut in halves where widest."""
    boxes, left = [], [np.arange(len(points))]
    while left:
        box = left.pop()
        if len(box) <= most:
            boxes.append(np.sort(box))
            continue
        inside = points[box]
        order = np.argpartition(inside[:, np.ptp(inside, 0).argmax()], len(box) // 2)
        left += [box[order[len(box) // 2 :]], box[order[: len(box) // 2]]]
    return boxes


def joined(n: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """The group of each of ``n`` images, int64 (n,), where the pairs (i, j) are linked.

    Groups are connected components, named by the index of their first image.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(i), bool), (i, j)), shape=(n, n))
    return _by_first(connected_components(graph, directed=False)[1])


def _by_first(groups: np.ndarray) -> np.ndarray:
    """``groups`` (N,), each named by the index of its first image."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def _thumbnails(pixels: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Area means of ``images`` (n,), indices, as float64 (n, C * 256) in [0, 1]."""
    at_once = max(1, BYTES_AT_ONCE // int(np.prod(pixels.shape[1:])))
    found = np.empty((len(images), pixels.shape[1] * THUMBNAIL**2))
    for start in range(0, len(images), at_once):
        part = torch.from_numpy(pixels[images[start : start + at_once]]).float()
        means = torch.nn.functional.adaptive_avg_pool2d(part, THUMBNAIL).flatten(1)
        found[start : start + at_once] = means.double().div_(255.0).numpy()
    return found


def _closer(x: np.ndarray, y: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j) of the rows with |x - y|^2 = |x|^2 + |y|^2 - 2 x.y below ``limit``.

    In float64 the cancellation error is about 1e-13, and the threshold near 1e-3. In float32 the
    error would be as large as small thresholds.
    """
    xx, yy = (np.square(z).sum(1, keepdims=True) for z in (x, y))
    apart = np.hstack([-2 * x, xx, np.ones_like(xx)]) @ np.hstack([y, np.ones_like(yy), yy]).T
    i, j = np.divmod(np.flatnonzero(apart < limit), max(1, len(y)))  # faster than nonzero
    return i, j


def twins(groups: np.ndarray) -> list[list[int]]:
    """The groups with at least two images, as lists of indices, sorted by their first image."""
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    return [part.tolist() for part in np.split(order, starts[1:]) if len(part) > 1]


def groups_across(groups: list[list[int]], held_out: np.ndarray) -> int:
    """How many ``groups`` of indices have training and held-out images; ``held_out``: bool (N,)."""
    return sum(bool(held_out[group].any() and not held_out[group].all()) for group in groups)


def held_out_split(
    groups: np.ndarray, share: float = HELD_OUT, seed: int | None = None
) -> np.ndarray:
    """The held-out images, bool (N,): whole groups, about ``share`` of the images.

    Groups are taken in a pseudo-random order while they fit: an order that is always the same, or
    the one of ``seed``. At least one group is held out, and at least one is kept for training.

    Raises UserError if ``share`` is not between 0 and 1, or if all images are in one group.
    """
    if not 0.0 < share < 1.0:
        raise UserError(f"held-out share {share}: expected a number between 0 and 1")
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < 2:
        raise UserError(
            f"all {len(groups)} images are near duplicates of one another (or there is only one): "
            "nothing can be held out; at least two different images are needed"
        )
    budget = share * len(groups)
    held: list[int] = []
    drawn = ("held out",) if seed is None else ("held out", "seed", seed)
    for k in sorted(range(len(names)), key=lambda k: address(*drawn, names[k])):
        if sizes[k] <= budget:
            held.append(int(names[k]))
            budget -= sizes[k]
    if not held:
        held = [int(names[np.argmin(sizes)])]
    return np.isin(groups, held)

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
HELD_OUT = 0.1  # share of the images, unless a set has its own
# Chosen by looking at cartoon frames: pairs up to 20 / 255 are still of one scene. But generated
# faces, which differ in small parts, become one large group above 12 / 255.
THRESHOLD = 12 / 255  # RMS over the thumbnail, on a scale of 0 (black) to 1 (white)


def near_duplicate_groups(
    pixels: np.ndarray, threshold: float = THRESHOLD, chunk: int = 256
) -> np.ndarray:
    """The group of each image, int64 (N,): the index of the first image of its group.

    ``pixels`` is uint8 (N, 3, H, W). Two images are near duplicates if their 16 x 16 means differ
    by less than ``threshold`` (RMS, in [0, 1]). Groups are the connected components of these pairs.
    It takes N squared products of 768 numbers: about 5 s for 10,000 images on two cores.
    """
    thumbs = _thumbnails(pixels)
    # Exact copies first: they are found quickly, and would otherwise make N squared pairs.
    _, first, copies = np.unique(thumbs, axis=0, return_index=True, return_inverse=True)
    groups = joined(len(first), *_twins(thumbs[first], threshold, chunk))
    return _by_first(groups[copies.reshape(len(pixels))])


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


def _thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Area means as float64 (N, 768) in [0, 1]."""
    parts = []
    for start in range(0, len(pixels), 1024):
        part = torch.from_numpy(np.array(pixels[start : start + 1024])).float()
        parts.append(torch.nn.functional.adaptive_avg_pool2d(part, THUMBNAIL).flatten(1))
    return torch.cat(parts).double().div_(255.0).numpy()


def _twins(thumbs: np.ndarray, threshold: float, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i, j), i < j, closer than ``threshold``; |x - y|^2 as |x|^2 + |y|^2 - 2 x.y.

    In float64 the cancellation error is about 1e-13, and the threshold near 1e-3. In float32 the
    error would be as large as small thresholds.
    """
    squares = (thumbs**2).sum(1)
    limit = threshold**2 * thumbs.shape[1]
    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, len(thumbs), chunk):
        part = slice(start, start + chunk)
        apart = squares[part, None] + squares[None, start:] - 2 * thumbs[part] @ thumbs[start:].T
        i, j = np.nonzero(apart < limit)
        rows.append(i[j > i] + start)
        columns.append(j[j > i] + start)
    return np.concatenate(rows), np.concatenate(columns)


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

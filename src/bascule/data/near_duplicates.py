"""Near duplicates, and a held-out split that no near duplicate straddles.

Frames of one scene are almost one image. With a twin on each side of the split, a memory of the
training set would pass for generalisation, so images are split by group.
"""

from __future__ import annotations

import numpy as np
import torch

from bascule.core.context import address
from bascule.core.errors import UserError

THUMBNAIL = 16  # pixels a side
HELD_OUT = 0.1  # of the images, unless a set says otherwise
# Looked at on cartoon frames: pairs up to 20 / 255 are still one scene, but generated faces, which
# differ in small parts, begin to link into one large group above 12 / 255.
THRESHOLD = 12 / 255  # RMS over the thumbnail, where black to white is 1


def near_duplicate_groups(
    pixels: np.ndarray, threshold: float = THRESHOLD, chunk: int = 256
) -> np.ndarray:
    """The group of each image, int64 (N,): the index of the first image of its group.

    ``pixels`` is uint8 (N, 3, H, W). Two images are twins when their 16 x 16 means differ by
    less than ``threshold`` (RMS, in [0, 1]); a group is whatever twins link, however long the
    chain. N squared products of 768 numbers: about 5 s for 10,000 images on two cores.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(pixels)
    thumbs = _thumbnails(pixels)
    # Exact copies first: they are cheap to find and would otherwise make N squared links.
    _, first, groups = np.unique(thumbs, axis=0, return_index=True, return_inverse=True)
    links = _twins(thumbs[first], threshold, chunk)
    graph = coo_array((np.ones(len(links[0]), bool), links), shape=(len(first), len(first)))
    _, component = connected_components(graph, directed=False)
    groups = component[groups.reshape(n)]
    _, first_of, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return first_of[inverse].astype(np.int64)


def _thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Area means as float64 (N, 768) in [0, 1]."""
    parts = []
    for start in range(0, len(pixels), 1024):
        part = torch.from_numpy(np.array(pixels[start : start + 1024])).float()
        parts.append(torch.nn.functional.adaptive_avg_pool2d(part, THUMBNAIL).flatten(1))
    return torch.cat(parts).double().div_(255.0).numpy()


def _twins(thumbs: np.ndarray, threshold: float, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i, j), i < j, closer than ``threshold``; |x - y|^2 as |x|^2 + |y|^2 - 2 x.y.

    In float64, where the cancellation costs about 1e-13 against a threshold near 1e-3; float32
    would cost as much as the threshold of small differences.
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
    """The groups of two images or more, each a list of indices, in order of their first image."""
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    return [part.tolist() for part in np.split(order, starts[1:]) if len(part) > 1]


def held_out_split(groups: np.ndarray, share: float = HELD_OUT) -> np.ndarray:
    """Whom to hold out, bool (N,): whole groups, about ``share`` of the images, in a fixed order.

    Groups are visited in the order of their address and taken while they fit. At least one group
    is held out and one kept for training.

    Raises UserError when ``share`` is not within (0, 1) or all images form a single group.
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
    for k in sorted(range(len(names)), key=lambda k: address("held out", names[k])):
        if sizes[k] <= budget:
            held.append(int(names[k]))
            budget -= sizes[k]
    if not held:
        held = [int(names[np.argmin(sizes)])]
    return np.isin(groups, held)

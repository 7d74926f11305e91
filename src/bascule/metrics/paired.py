"""Quality of translations when the true counterpart of each image is known.

Images are uint8 (N, 3, H, W); image k of one array is the counterpart of image k of the other.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from scipy.optimize import linear_sum_assignment

from bascule.core.errors import UserError
from bascule.metrics.ssim import ssim


def pixel_error(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean absolute difference of pixels, (N,), as a share of the range: 0 equal, 1 opposite."""
    _check(made, truth)
    error: np.ndarray = np.abs(made.astype(np.int16) - truth).mean((1, 2, 3)) / 255
    return error


def likeness(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """SSIM (N,) as in :func:`bascule.metrics.ssim.ssim`; 1 for equal images."""
    _check(made, truth)
    a, b = (torch.from_numpy(np.ascontiguousarray(x)).float() for x in (made, truth))
    return ssim(a, b, 255.0).numpy()


def ranks(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The rank (N,) of an image's own counterpart among all, by mean absolute difference.

    Rank 1 is the nearest. Other counterparts at the same distance count as nearer.
    """
    _check(made, truth)
    every = truth.reshape(len(truth), -1).astype(np.int16)
    found = np.empty(len(made), np.int64)
    for k, picture in enumerate(made.reshape(len(made), -1).astype(np.int16)):
        far = np.abs(every - picture).sum(1, dtype=np.int64)
        found[k] = (far <= far[k]).sum()
    return found


def matched(read: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Which of ``read`` (N,) are right after the best one-to-one renaming of its values, bool (N,).

    The renaming is optimal (Kuhn 1955). So a translator that always exchanges two hair colours
    counts as right: it keeps them distinct.
    """
    values, codes = np.unique(np.concatenate([read, truth]), return_inverse=True)
    ours, theirs = codes[: len(read)], codes[len(read) :]
    table = np.zeros((len(values), len(values)), np.int64)
    np.add.at(table, (ours, theirs), 1)
    name = linear_sum_assignment(table, maximize=True)[1]
    agree: np.ndarray = name[ours] == theirs
    return agree


def shared_information(read: np.ndarray, truth: np.ndarray) -> float:
    """Mutual information of two labellings (N,), divided by the mean of their entropies: 0 to 1.

    1 if each determines the other; 0 if they are independent, or if both have a single value.
    """
    table = np.zeros((len(np.unique(read)), len(np.unique(truth))))
    codes = (np.unique(x, return_inverse=True)[1] for x in (read, truth))
    np.add.at(table, tuple(codes), 1 / len(read))
    rows, columns = table.sum(1), table.sum(0)
    apart = _entropy(rows) + _entropy(columns)
    return float(2 * (1 - _entropy(table) / apart)) if apart > 0 else 0.0


def _entropy(shares: np.ndarray) -> float:
    seen = shares[shares > 0]
    return float(-(seen * np.log(seen)).sum())


def as_jpeg(pictures: np.ndarray, quality: int = 75) -> np.ndarray:
    """The images after JPEG compression with ``quality``, uint8 (N, 3, H, W)."""
    found = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
        with Image.open(file) as read:
            found.append(np.asarray(read).transpose(2, 0, 1))
    return np.stack(found)


def _check(made: np.ndarray, truth: np.ndarray) -> None:
    if made.shape != truth.shape or made.dtype != np.uint8 or truth.dtype != np.uint8:
        raise UserError(
            f"pictures are {made.dtype} {made.shape} and {truth.dtype} {truth.shape}: expected "
            "both uint8 (N, 3, H, W) of one shape"
        )

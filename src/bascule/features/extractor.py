"""What an extractor is, what it may be shown, and how a statistic over its features is called.

A distance between image sets is a distance in the space of one extractor, at one resize, with one
set of weights. Its name travels with every number; its spec decides which numbers may be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from bascule.data.images import Progress
from bascule.errors import Refusal

PUBLISHED = "inception-v3,299px"
PUBLISHED_NAMES = {"FD": "FID", "FID": "FID", "KID": "KID"}


class Extractor(Protocol):
    """uint8 images (N, 3, H, H), RGB -> float32 features (N, d), one row an image.

    name    what stands in brackets after a statistic: network, side in pixels, seed.
    spec    the whole identity: name, version of this code, hash of the weights, resize rule.
            Numbers of two specs never share an axis or a column, and features are cached by it.
    """

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> str: ...

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray: ...


def label(statistic: str, extractor: Extractor) -> str:
    """``KID[efficientnet-lite0,128px]``.

    Plain ``FID`` (also for ``FD``) and ``KID`` are kept for the published network and pipeline.
    """
    if extractor.name == PUBLISHED and statistic in PUBLISHED_NAMES:
        return PUBLISHED_NAMES[statistic]
    return f"{statistic}[{extractor.name}]"


def check_images(images: np.ndarray) -> None:
    """Raise Refusal unless ``images`` is uint8 (N, 3, H, H) with N >= 1."""
    shape = images.shape
    if images.dtype != np.uint8:
        raise Refusal(
            f"images to extract features from are {images.dtype}; expected uint8: quantise with "
            "data.batches.as_uint8, as reals were"
        )
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or 0 in shape:
        raise Refusal(
            f"images to extract features from have shape {shape}; expected (N, 3, H, H), N >= 1"
        )


def in_batches(
    extractor: Extractor,
    images: np.ndarray,
    of_batch: Callable[[Tensor], Tensor],
    batch: int,
    progress: Progress | None = None,
) -> np.ndarray:
    """The features (N, d), float32, of checked ``images``, ``batch`` of them at a time.

    ``of_batch`` takes uint8 (B, 3, H, H) and returns (B, d); no gradient is kept. Raises Refusal
    when a feature is not finite, which damaged weights would cause.
    """
    check_images(images)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            # np.array copies: a tensor must never share a read-only memory map.
            part = torch.from_numpy(np.array(images[start : start + batch]))
            parts.append(of_batch(part).float().numpy())
            if progress:
                progress(min(start + batch, len(images)), len(images))
    features = np.concatenate(parts)
    if not np.isfinite(features).all():
        raise Refusal(
            f"features of {extractor.name} are not all finite: its weights are damaged or foreign; "
            "fetch them again"
        )
    return features

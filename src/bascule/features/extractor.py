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

from bascule.core.errors import UserError
from bascule.data.images import Progress

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


class FeatureExtractor:
    """An extractor of one's own is a subclass::

        class Colours(FeatureExtractor):
            name = "colours"
            dim = 6

            def __call__(self, images):
                x = images.reshape(len(images), 3, -1) / 255
                return np.concatenate([x.mean(2), x.std(2)], 1)

    name   what stands in brackets after a statistic.
    dim    d, the number of features.
    spec   what else its numbers depend on, such as the version of its weights. Its source counts
           anyway. Features of an image set are kept, and computed again where these differ.

    Called with uint8 images (N, 3, H, H), RGB, a few at a time, it returns finite numbers (N, d),
    one row an image, which must not depend on the other images of the call.
    """

    name: str
    dim: int
    spec: str = ""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class OfUser:
    """An :class:`Extractor` from a :class:`FeatureExtractor`, whose answers it checks.

    ``code``: the digest of its source. Raises :class:`UserError` for one without name or ``dim``.
    """

    def __init__(self, own: FeatureExtractor, code: str) -> None:
        kind = type(own).__name__
        name, dim = getattr(own, "name", None), getattr(own, "dim", None)
        if not isinstance(name, str) or not name.strip() or set(name) & set("[]\n"):
            raise UserError(f"{kind}.name is {name!r}: expected a short text without brackets")
        if not isinstance(dim, int) or dim < 1:
            raise UserError(f"{kind}.dim is {dim!r}: expected the number of its features")
        self.own, self.name, self.dim = own, name, dim
        self.spec = f"{name};{own.spec};code {code}"

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        return in_batches(self, images, self._of_batch, 64, progress)

    def _of_batch(self, images: Tensor) -> Tensor:
        try:
            found = np.asarray(self.own(images.numpy()))
        except Exception as error:
            told = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise UserError(f"the extractor {self.name!r} failed: {told}") from error
        expected = (len(images), self.dim)
        if found.shape != expected or found.dtype.kind not in "fiub":
            raise UserError(
                f"the extractor {self.name!r} gave {found.dtype} {found.shape}: expected numbers "
                f"{expected}, one row an image"
            )
        if not np.isfinite(found).all():
            raise UserError(f"the extractor {self.name!r} gave features that are not finite")
        return torch.from_numpy(found.astype(np.float32))


def label(statistic: str, extractor: Extractor) -> str:
    """``KID[efficientnet-lite0,128px]``.

    Plain ``FID`` (also for ``FD``) and ``KID`` are kept for the published network and pipeline.
    """
    if extractor.name == PUBLISHED and statistic in PUBLISHED_NAMES:
        return PUBLISHED_NAMES[statistic]
    return f"{statistic}[{extractor.name}]"


def check_images(images: np.ndarray) -> None:
    """Raise UserError unless ``images`` is uint8 (N, 3, H, H) with N >= 1."""
    shape = images.shape
    if images.dtype != np.uint8:
        raise UserError(
            f"images to extract features from are {images.dtype}; expected uint8: quantise with "
            "data.batches.as_uint8, as reals were"
        )
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or 0 in shape:
        raise UserError(
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

    ``of_batch`` takes uint8 (B, 3, H, H) and returns (B, d); no gradient is kept. Raises UserError
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
        raise UserError(
            f"features of {extractor.name} are not all finite: its weights are damaged or foreign; "
            "fetch them again"
        )
    return features

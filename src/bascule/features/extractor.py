"""Feature extractors: their protocol, checks of their input, and labels of statistics.

A distance between image sets depends on the extractor, its resize rule and its weights. So every
number is labelled with the extractor's name, and only numbers with equal specs may be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from bascule.core.errors import UserError
from bascule.core.shapes import MODES
from bascule.core.threads import in_threads
from bascule.data.images import Progress

PUBLISHED = "inception-v3,299px"
PUBLISHED_NAMES = {"FD": "FID", "FID": "FID", "KID": "KID"}


class Extractor(Protocol):
    """uint8 images (N, C, H, W) -> float32 features (N, d), one row per image.

    Networks see RGB squares. So grey is repeated, RGBA is blended with white, and pictures that are
    not square are resized to the square of the network, which changes their proportions.

    name    shown in brackets after a statistic: network, side in pixels, seed
    spec    the full identity: name, version of this code, hash of the weights, resize rule.
            Features are cached by it; numbers of different specs must not be compared.
    """

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> str: ...

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray: ...


class FeatureExtractor:
    """Base of user-defined extractors. To write one, make a subclass::

        class Colours(FeatureExtractor):
            name = "colours"
            dim = 6

            def __call__(self, images):
                x = images.reshape(len(images), 3, -1) / 255
                return np.concatenate([x.mean(2), x.std(2)], 1)

    name   shown in brackets after a statistic
    dim    d, the number of features
    spec   what else its numbers depend on, such as the version of its weights. Its source code
           is included anyway. If these change, features are computed again.

    It is called with uint8 RGB images (N, 3, H, W), a few at a time. It must return finite numbers
    (N, d), one row per image. A row must not depend on the other images of the call.
    """

    name: str
    dim: int
    spec: str = ""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class OfUser:
    """An :class:`Extractor` made from a :class:`FeatureExtractor`; it checks the results.

    ``code``: the digest of its source. Raises :class:`UserError` if name or ``dim`` is missing.
    """

    def __init__(self, own: FeatureExtractor, code: str) -> None:
        kind = type(own).__name__
        name, dim = getattr(own, "name", None), getattr(own, "dim", None)
        if not isinstance(name, str) or not name.strip() or set(name) & set("[]\n"):
            raise UserError(f"{kind}.name is {name!r}: expected a short text without brackets")
        if not isinstance(dim, int) or dim < 1:
            raise UserError(f"{kind}.dim is {dim!r}: expected the number of features, at least 1")
        self.own, self.name, self.dim = own, name, dim
        self.spec = f"{name};{own.spec};code {code}"

    def __call__(self, images: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        return in_batches(self, images, self._of_batch, 64, progress, several=False)

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
                f"{expected}, one row per image"
            )
        if not np.isfinite(found).all():
            raise UserError(
                f"the extractor {self.name!r} gave features that are not finite; repair it"
            )
        return torch.from_numpy(found.astype(np.float32))


def label(statistic: str, extractor: Extractor) -> str:
    """The label of a statistic with its extractor: ``KID[efficientnet-lite0,128px]``.

    ``FID`` (also for ``FD``) and ``KID`` without brackets are reserved for the published network
    and its preprocessing.
    """
    if extractor.name == PUBLISHED and statistic in PUBLISHED_NAMES:
        return PUBLISHED_NAMES[statistic]
    return f"{statistic}[{extractor.name}]"


def check_images(images: np.ndarray) -> None:
    """Raise UserError unless ``images`` is uint8 (N, C, H, W), C = 1, 3 or 4, with N >= 1."""
    shape = images.shape
    if images.dtype != np.uint8:
        raise UserError(
            f"images to extract features from are {images.dtype}; expected uint8: convert them "
            "with data.batches.as_uint8, like the reals"
        )
    if len(shape) != 4 or shape[1] not in MODES.values() or 0 in shape:
        raise UserError(
            f"images to extract features from have shape {shape}; expected (N, 3, H, W), N >= 1; "
            "or 1 (grey) or 4 (RGBA) channels"
        )


def as_rgb(images: Tensor) -> Tensor:
    """uint8 (B, C, H, W) -> RGB (B, 3, H, W): grey is repeated, and RGBA is blended with white.

    The blend is rounded to whole numbers, so that it is that of pictures imported as RGB.
    """
    if images.shape[1] == 3:
        return images
    if images.shape[1] == 1:
        return images.expand(-1, 3, -1, -1)
    alpha = images[:, 3:].float() / 255
    return (255 + (images[:, :3].float() - 255) * alpha).round().to(torch.uint8)


def in_batches(
    extractor: Extractor,
    images: np.ndarray,
    of_batch: Callable[[Tensor], Tensor],
    batch: int,
    progress: Progress | None = None,
    several: bool = True,
) -> np.ndarray:
    """Checked features (N, d), float32, of ``images`` (N, C, H, W), ``batch`` images at a time.

    ``of_batch`` maps uint8 RGB (B, 3, H, W) to (B, d), without gradients; it gets what
    :func:`as_rgb` makes of the images. ``several``: it may be called from several threads at once.
    Raises UserError if ``images`` have another form, or if a feature is not finite, as with damaged
    weights.
    """
    check_images(images)

    def part(start: int) -> np.ndarray:
        # np.array copies, because a tensor must not share a read-only memory map.
        found = of_batch(as_rgb(torch.from_numpy(np.array(images[start : start + batch]))))
        return found.float().numpy()

    starts = range(0, len(images), batch)
    parts = []
    with torch.inference_mode():
        for found in (in_threads if several else map)(part, starts):
            parts.append(found)
            if progress:
                progress(min(len(parts) * batch, len(images)), len(images))
    features = np.concatenate(parts)
    if not np.isfinite(features).all():
        raise UserError(
            f"features of {extractor.name} are not all finite: its weights are damaged or wrong; "
            "fetch them again"
        )
    return features

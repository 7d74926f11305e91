"""Chains of preprocessing: transforms of images before coding, and their inverses.

x: (B, C, H, W), floating point, C = 1 or 3, of any range; each transform documents the range of its
output. A chain is a tuple of transforms in order. The result for an image does not depend on the
other images of its batch. Sparse deep predictive coding (Boutin et al. 2021) uses a chain of
whitening, local contrast, z-score and window, in an order that depends on the data set:

    STL-10             Whiten(0.5, 4), LocalContrast(9), Standardise(), Window()
    Chicago Faces      LocalContrast(11), Whiten(0.5, 2), Standardise(), Window()

Local contrast and the window cannot be undone. A generator that must return pixels needs a chain
without them, such as Bands(8), Whiten(floor=0.05), Standardise().
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from bascule.core.errors import UserError
from bascule.core.fields import Open

Kept = dict[str, Tensor]  # by name, each (B, ...): what the inverse needs of every image


class Transform(Open):
    """One step of a chain, a frozen dataclass. A class with all three members need not inherit."""

    needs: ClassVar[tuple[str, ...]] = ("invertible", "apply", "undo")

    @property
    def invertible(self) -> bool:
        """Whether ``undo`` restores the image, up to float rounding."""
        raise NotImplementedError

    def apply(self, x: Tensor) -> tuple[Tensor, Kept]:
        """x (B, C, H, W) -> y of the same shape, and what must be kept to undo it."""
        raise NotImplementedError

    def undo(self, y: Tensor, kept: Kept) -> Tensor:
        """The x from which ``apply`` made y and kept. A UserError if it is lost."""
        raise NotImplementedError


def prepared(x: Tensor, steps: Sequence[Transform]) -> tuple[Tensor, tuple[Kept, ...]]:
    """x (B, C, H, W) after all ``steps``, and what each of them kept, in order.

    Raises :class:`UserError` if x is not a batch of images, or if a pixel is NaN or infinite: an
    FFT would spread it over the whole image.
    """
    _check_images(x)
    kept = []
    for step in steps:
        x, of_step = step.apply(x)
        kept.append(of_step)
    return x, tuple(kept)


def restored(y: Tensor, kept: Sequence[Kept], steps: Sequence[Transform]) -> Tensor:
    """The images from which :func:`prepared` made ``y`` and ``kept``; undoes the last step first.

    ``y`` can also be a reconstruction by a coder, which is mapped to pixels in the same way. Raises
    :class:`UserError` if a step cannot be undone.
    """
    if len(kept) != len(steps):
        raise UserError(
            f"{len(steps)} steps to undo but {len(kept)} kept: pass what prepared() returned "
            "for the same steps"
        )
    for at, step in enumerate(steps, start=1):
        if not step.invertible:
            raise UserError(
                f"step {at} of {len(steps)}, {step}, cannot be undone: leave it out if the chain "
                "has to return pixels"
            )
    for step, of_step in zip(reversed(steps), reversed(kept), strict=True):
        y = step.undo(y, of_step)
    return y


def cannot_undo(step: Transform, why: str) -> UserError:
    """The error of ``undo`` for a step that is not invertible."""
    return UserError(f"{step} cannot be undone: {why}")


def _check_images(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.is_floating_point():
        raise UserError(
            f"images to prepare: expected floats (B, C, H, W) with 1 or 3 channels, "
            f"got {str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}"
        )
    broken = ~torch.isfinite(x).flatten(1).all(1)
    if broken.any():
        first = int(broken.nonzero()[0])
        raise UserError(
            f"image {first} has NaN or infinite pixels ({int(broken.sum())} of {len(x)} images "
            "do): remove it from the set"
        )

"""Chains of preprocessing: what is done to images before they are coded, and undone after.

x: (B, C, H, W), floating point, C = 1 or 3, of any range (each transform says what it leaves).
A chain is a tuple of transforms, first one first; an image's result depends on that image alone,
never on its batch mates. Sparse Deep Predictive Coding (Boutin et al. 2021) is fed by a chain of
whitening, local contrast, z-score and window, in an order that its authors vary with the data:

    STL-10             Whiten(0.5, 4), LocalContrast(9), Standardise(), Window()
    Chicago Faces      LocalContrast(11), Whiten(0.5, 2), Standardise(), Window()

Local contrast and the window cannot be undone, so a generator that must give pixels back needs a
chain without them, such as Bands(8), Whiten(floor=0.05), Standardise().
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from bascule.core.errors import UserError
from bascule.core.fields import Open

Kept = dict[str, Tensor]  # by name, each (B, ...): what undoing needs of every image


class Transform(Open):
    """One step of a chain, as a frozen dataclass. A class that has all three need not inherit."""

    needs: ClassVar[tuple[str, ...]] = ("invertible", "apply", "undo")

    @property
    def invertible(self) -> bool:
        """Whether ``undo`` gives the image back, to float rounding."""
        raise NotImplementedError

    def apply(self, x: Tensor) -> tuple[Tensor, Kept]:
        """x (B, C, H, W) -> y of the same shape, and what must be kept to undo it."""
        raise NotImplementedError

    def undo(self, y: Tensor, kept: Kept) -> Tensor:
        """The x of which ``apply`` made y and kept; a UserError where it is not invertible."""
        raise NotImplementedError


def prepared(x: Tensor, steps: Sequence[Transform]) -> tuple[Tensor, tuple[Kept, ...]]:
    """x (B, C, H, W) through all ``steps``, and what each of them kept, in their order.

    Refuses what is not a batch of images, and images with NaN or infinite pixels: an FFT would
    spread one such pixel over its whole image.
    """
    _check_images(x)
    kept = []
    for step in steps:
        x, of_step = step.apply(x)
        kept.append(of_step)
    return x, tuple(kept)


def restored(y: Tensor, kept: Sequence[Kept], steps: Sequence[Transform]) -> Tensor:
    """The images of which :func:`prepared` made ``y`` and ``kept``: the last step is undone first.

    ``y`` need not be theirs: a coder's reconstruction of it is brought back to pixels the same way.
    Refuses a chain with a step that cannot be undone, before anything is undone.
    """
    if len(kept) != len(steps):
        raise UserError(
            f"{len(steps)} steps to undo but {len(kept)} kept: give what prepared() returned "
            "for these very steps"
        )
    for at, step in enumerate(steps, start=1):
        if not step.invertible:
            raise UserError(
                f"step {at} of {len(steps)}, {step}, cannot be undone: leave it out of a chain "
                "that has to give pixels back"
            )
    for step, of_step in zip(reversed(steps), reversed(kept), strict=True):
        y = step.undo(y, of_step)
    return y


def cannot_undo(step: Transform, why: str) -> UserError:
    """What ``undo`` of a step that is not invertible says."""
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
            "do): drop it from the set, or find what made it"
        )

"""A window that fades an image to 0 at its borders."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.sdpc.preprocess.chain import Kept, Transform, cannot_undo


@dataclass(frozen=True)
class Window(Transform):
    """Multiplies pixel (u, v) by (1 - |u|^p)(1 - |v|^p), u and v from -1 to 1, ends included.

    The mask of Boutin et al. 2021 (p = 10), which hides border effects of filters. The outermost
    pixels become 0 and cannot be restored. A larger ``power`` keeps more of the image.
    """

    power: int = 10

    def __post_init__(self) -> None:
        check_fields(self)
        if self.power < 1:
            raise UserError(f"Window(power={self.power}): expected a whole number, 1 or more")

    @property
    def invertible(self) -> bool:
        return False

    def apply(self, x: Tensor) -> tuple[Tensor, Kept]:
        """x (B, C, H, W) -> the windowed images, same shape; keeps nothing."""
        height, width = x.shape[-2:]
        mask = self._fade(height)[:, None] * self._fade(width)[None, :]
        return x * mask.to(device=x.device, dtype=x.dtype), {}

    def undo(self, y: Tensor, kept: Kept) -> Tensor:
        raise cannot_undo(self, "it sets the border to 0; leave it out of an invertible chain")

    def _fade(self, side: int) -> Tensor:
        return 1 - torch.linspace(-1, 1, side, dtype=torch.float64).abs() ** self.power

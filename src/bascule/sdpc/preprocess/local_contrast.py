"""Local contrast normalisation: each pixel relative to the local mean and contrast."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.errors import UserError, unknown
from bascule.core.fields import check_fields
from bascule.sdpc.preprocess.chain import Kept, Transform, cannot_undo

_LAYOUTS = ("per channel", "published")


@dataclass(frozen=True)
class LocalContrast(Transform):
    """Subtracts the local mean, then divides by the local contrast, but at least by its average.

    Jarrett, Kavukcuoglu, Ranzato & LeCun 2009: v = x - w * x, c = sqrt(w * v^2) and
    y = v / max(c, mean of c over the image), where w * is the average under a Gaussian window. The
    mean of c prevents that noise in flat regions is amplified.

    size    side of the window in pixels, odd.
    sigma   standard deviation of the Gaussian in half windows, (size - 1) / 2 pixels: 2 pixels for
            the defaults. The LCN(9, .5) of Boutin et al. 2021 weights by exp(-r^2 / .5) with r = 1
            at the middle of the window's sides, which is a standard deviation of sqrt(.5 / 2) = .5
            half windows: at .5, and only there, their number and this one are the same.
    layout  "per channel": every channel has a mean and a contrast of its own, and images are
            mirrored at their borders. A departure: Jarrett et al. pool channels into one contrast.
            The average is over the image's pixels and channels, so that a channel which is flat
            becomes 0, not 0/0.
            "published": as in the code of Boutin et al. 2021, whose window, spread over C x C
            channel pairs, is made to sum to 1 over all of them. All channels share one map, the
            mean over channels divided by C: a third of the local mean of an RGB image is
            subtracted, and colour differences survive. Beyond the borders there are zeros, which
            draw an edge. For replication only.
    """

    size: int = 9
    sigma: float = 0.5
    layout: str = "per channel"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.size < 3 or self.size % 2 == 0:
            raise UserError(f"LocalContrast(size={self.size}): expected an odd number, 3 or more")
        if self.sigma <= 0:
            raise UserError(
                f"LocalContrast(sigma={self.sigma}): expected a width above 0, in half windows"
            )
        if self.layout not in _LAYOUTS:
            raise unknown("layout", self.layout, _LAYOUTS)

    @property
    def invertible(self) -> bool:
        return False

    def apply(self, x: Tensor) -> tuple[Tensor, Kept]:
        """x (B, C, H, W) -> y of the same shape, with mean near 0 and of order 1; keeps nothing.

        Raises :class:`UserError` for an image whose channels are all flat, and for images smaller
        than half a window.
        """
        half, (height, width) = self.size // 2, x.shape[-2:]
        if min(height, width) <= half:
            raise UserError(
                f"LocalContrast(size={self.size}): images of {height}x{width} pixels are smaller "
                f"than half the window; use a size of at most {2 * min(height, width) - 1}"
            )
        flat = (x.amax(dim=(2, 3)) == x.amin(dim=(2, 3))).all(dim=1)
        if flat.any():
            raise UserError(
                f"image {int(flat.nonzero()[0])} is constant: it has no contrast to normalise; "
                "remove it from the set"
            )
        centred = x - self._local_mean(x)
        contrast = self._local_mean(centred.square()).sqrt()
        return centred / contrast.maximum(contrast.mean(dim=(1, 2, 3), keepdim=True)), {}

    def undo(self, y: Tensor, kept: Kept) -> Tensor:
        raise cannot_undo(self, "local means and contrasts are lost; use Bands and Whiten instead")

    def _local_mean(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) -> (B, C, H, W), or (B, 1, H, W) in the published layout."""
        if self.layout == "published":
            x, mode, weight = x.mean(dim=1, keepdim=True), "constant", 1 / x.shape[1]
        else:
            mode, weight = "reflect", 1.0
        half, channels = self.size // 2, x.shape[1]
        r = torch.linspace(-1, 1, self.size, dtype=torch.float64)
        w = torch.exp(-0.5 * (r / self.sigma) ** 2)
        w = (w / w.sum()).to(device=x.device, dtype=x.dtype).expand(channels, 1, 1, self.size)
        # A Gaussian window is a product of a row and a column.
        x = F.pad(x, (half, half, half, half), mode=mode)
        return weight * F.conv2d(F.conv2d(x, w, groups=channels), w.mT, groups=channels)

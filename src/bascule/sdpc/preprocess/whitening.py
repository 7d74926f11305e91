"""Whitening of natural images: a fixed filter that flattens their 1/f amplitude spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.core.errors import UserError, unknown
from bascule.core.fields import check_fields
from bascule.sdpc.preprocess.chain import Kept, Transform, cannot_undo

_LAYOUTS = ("radial", "published")


@dataclass(frozen=True)
class Whiten(Transform):
    """Multiplies each channel's spectrum by R(f) = f exp(-(f/f0)^n), f in cycles per pixel.

    Olshausen & Field 1997: the ramp f compensates the 1/f spectrum of natural images. The roll-off
    above ``f0``, steeper with larger ``n``, avoids amplifying noise at the highest frequencies,
    which are sqrt(1/2) at the corners of the spectrum. Borders wrap around, because of the FFT.

    layout  "radial": f is the distance from zero frequency, so the filter treats all directions
            alike and removes the mean of each channel.
            "published": as in the code of Boutin et al. 2021, whose filter is built centred, from
            -1/2 to 1/2 on either axis with both ends included, and meets a spectrum whose zero
            frequency lies in the corner. Low frequencies thus get the gains of high ones, the mean
            stays (at gain 0.013 for the defaults), diagonals are favoured, and the filter is not
            quite even, of which taking the real part keeps the even half. For replication only.
    floor   the smallest gain, in the units of R. With a floor above 0 (radial only, not in either
            paper) the filter has an exact inverse, which amplifies its input by up to 1/floor.
    """

    f0: float = 0.5
    n: float = 4.0
    layout: str = "radial"
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.f0 <= 0:
            raise UserError(f"Whiten(f0={self.f0}): expected a cut-off above 0 cycles per pixel")
        if self.n <= 0:
            raise UserError(f"Whiten(n={self.n}): expected a steepness above 0")
        if self.layout not in _LAYOUTS:
            raise unknown("layout", self.layout, _LAYOUTS)
        if self.floor != 0 and self.layout == "published":
            raise UserError(
                f"Whiten(layout='published', floor={self.floor}): only the radial layout "
                "has a floor; leave it at 0"
            )
        if not 0 <= self.floor < self.peak:
            raise UserError(
                f"Whiten(floor={self.floor}): expected a gain from 0 to below the filter's peak, "
                f"{self.peak:.3g}; at or above that, it would whiten nothing"
            )

    @property
    def peak(self) -> float:
        """The largest R(f) on the spectrum: where dR/df = 0, or at its corners."""
        f: float = min(self.f0 * self.n ** (-1 / self.n), math.sqrt(0.5))
        return f * math.exp(-((f / self.f0) ** self.n))

    @property
    def invertible(self) -> bool:
        """Only with a floor: without one the mean and most of the corner frequencies are lost."""
        return self.floor > 0

    def gains(self, height: int, width: int) -> Tensor:
        """The factor of each FFT coefficient: float64 (height, width), unshifted FFT order."""
        if self.layout == "published":
            fy = torch.linspace(-0.5, 0.5, height, dtype=torch.float64)
            fx = torch.linspace(-0.5, 0.5, width, dtype=torch.float64)
        else:
            fy = torch.fft.fftfreq(height, dtype=torch.float64)
            fx = torch.fft.fftfreq(width, dtype=torch.float64)
        f = torch.hypot(fy[:, None], fx[None, :])
        return (f * torch.exp(-((f / self.f0) ** self.n))).clamp(min=self.floor)

    def apply(self, x: Tensor) -> tuple[Tensor, Kept]:
        """x (B, C, H, W), of any H and W -> whitened x, same shape; keeps nothing."""
        gains = self._gains_for(x)
        # Only the gain at zero frequency acts on a constant. Subtracting the first pixel before the
        # FFT keeps a flat channel exactly flat; otherwise rounding noise would look like an image.
        level = x[..., :1, :1]
        return _filtered(x - level, gains) + gains[0, 0] * level, {}

    def undo(self, y: Tensor, kept: Kept) -> Tensor:
        if not self.invertible:
            raise cannot_undo(
                self, "some of its gains are near 0; use the radial layout with a floor above 0"
            )
        return _filtered(y, 1 / self._gains_for(y))

    def _gains_for(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        return self.gains(height, width).to(device=x.device, dtype=x.dtype)


def _filtered(x: Tensor, gains: Tensor) -> Tensor:
    filtered: Tensor = torch.fft.ifft2(torch.fft.fft2(x) * gains).real
    return filtered

"""Colour spaces: RGB and HSV (Smith 1978) for batches of images, both with values in [-1, 1].

x: (B, 3, H, W). In HSV the channels are hue, saturation and value; hue is an angle, counted in
turns in [0, 1) from red through green and blue, so its image is [-1, 1) and -1 meets 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bascule.errors import unknown


def rgb_to_hsv(x: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in [-1, 1] -> HSV in [-1, 1]; greys get hue and black gets saturation -1.

    Differentiable except where two channels tie; hue's gradient is 0 at greys, where hue is
    undefined, so that no gradient is ever infinite there.
    """
    r, g, b = _unit(x).unbind(1)
    value, most = torch.stack((r, g, b), dim=1).max(dim=1)
    spread = value - torch.minimum(torch.minimum(r, g), b)
    grey, black = spread == 0, value == 0
    safe_spread = torch.where(grey, 1, spread)  # a division by 0 would spoil the gradient
    sector = torch.where(
        most == 0,
        (g - b) / safe_spread,
        torch.where(most == 1, 2 + (b - r) / safe_spread, 4 + (r - g) / safe_spread),
    )
    hue = torch.where(grey, 0, sector / 6 % 1)
    hue = torch.where(hue == 1, 0, hue)  # a hair below 0 turns, rounded up: one turn is none
    saturation = torch.where(black, 0, spread / torch.where(black, 1, value))
    return torch.stack((hue, saturation, value), dim=1) * 2 - 1


def hsv_to_rgb(x: Tensor) -> Tensor:
    """HSV (B, 3, H, W) -> RGB in [-1, 1], for any input: a G need not respect the ranges.

    Hue is an angle and wraps around; saturation and value are clamped to [-1, 1].
    Differentiable almost everywhere; a clamped channel gets no gradient.
    """
    hue, saturation, value = _unit(x).unbind(1)
    saturation, value = saturation.clamp(0, 1), value.clamp(0, 1)
    # One formula for all six sectors: each channel is value, less the chroma that a trapezoid
    # of the hue takes away; the three trapezoids are a third of a turn apart.
    offset = torch.tensor([5, 3, 1], dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    k = (offset + 6 * hue.unsqueeze(1)) % 6
    taken = torch.minimum(k, 4 - k).clamp(0, 1)
    return (value.unsqueeze(1) * (1 - saturation.unsqueeze(1) * taken)) * 2 - 1


def to_space(x: Tensor, space: str) -> Tensor:
    """RGB images in [-1, 1], seen in ``space``: "rgb" or "hsv". Refuses other names."""
    return _of_space(space)[0](x)


def from_space(x: Tensor, space: str) -> Tensor:
    """Images of ``space``, as RGB in [-1, 1]; in HSV as :func:`hsv_to_rgb` for stray values."""
    return _of_space(space)[1](x)


def _as_is(x: Tensor) -> Tensor:
    return x


_SPACES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "rgb": (_as_is, _as_is),
    "hsv": (rgb_to_hsv, hsv_to_rgb),
}


def _of_space(space: str) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    if space not in _SPACES:
        raise unknown("colour space", space, _SPACES)
    return _SPACES[space]


def _unit(x: Tensor) -> Tensor:
    return (x + 1) / 2

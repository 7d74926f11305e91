"""Colour spaces of image batches: RGB and HSV (Smith 1978), both in [-1, 1], and CIE Lab.

x: (B, 3, H, W). The channels of HSV are hue, saturation and value. Hue is an angle: [-1, 1) is one
turn from red through green and blue to red, so -1 and 1 are the same hue.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bascule.core.errors import unknown

# Linear sRGB to CIE XYZ, and the white point D65 (IEC 61966-2-1).
_XYZ = torch.tensor(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ],
    dtype=torch.float64,
)
_WHITE = torch.tensor([0.95047, 1.0, 1.08883], dtype=torch.float64)


def rgb_to_hsv(x: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in [-1, 1] -> HSV in [-1, 1]; greys get hue -1 and black gets saturation -1.

    Differentiable except where two channels are equal. At greys, where hue is undefined, its
    gradient is 0 and so never infinite.
    """
    r, g, b = _unit(x).unbind(1)
    value, most = torch.stack((r, g, b), dim=1).max(dim=1)
    spread = value - torch.minimum(torch.minimum(r, g), b)
    grey, black = spread == 0, value == 0
    safe_spread = torch.where(grey, 1, spread)  # a division by 0 would make the gradient NaN
    sector = torch.where(
        most == 0,
        (g - b) / safe_spread,
        torch.where(most == 1, 2 + (b - r) / safe_spread, 4 + (r - g) / safe_spread),
    )
    hue = torch.where(grey, 0, sector / 6 % 1)
    hue = torch.where(hue == 1, 0, hue)  # values just below 0 may round up to a full turn
    saturation = torch.where(black, 0, spread / torch.where(black, 1, value))
    return torch.stack((hue, saturation, value), dim=1) * 2 - 1


def hsv_to_rgb(x: Tensor) -> Tensor:
    """HSV (B, 3, H, W) -> RGB in [-1, 1], for any input, since G may leave the ranges.

    Hue wraps around; saturation and value are clamped to [-1, 1]. Differentiable almost
    everywhere; the gradient of a clamped channel is 0.
    """
    hue, saturation, value = _unit(x).unbind(1)
    saturation, value = saturation.clamp(0, 1), value.clamp(0, 1)
    # One formula for all six sectors: each channel is the value minus a part of the chroma. This
    # part is a trapezoid function of the hue; the three trapezoids are a third of a turn apart.
    offset = torch.tensor([5, 3, 1], dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    k = (offset + 6 * hue.unsqueeze(1)) % 6
    taken = torch.minimum(k, 4 - k).clamp(0, 1)
    return (value.unsqueeze(1) * (1 - saturation.unsqueeze(1) * taken)) * 2 - 1


def to_space(x: Tensor, space: str) -> Tensor:
    """RGB images in [-1, 1] in ``space``: "rgb" or "hsv". Raises UserError for other names."""
    return _of_space(space)[0](x)


def from_space(x: Tensor, space: str) -> Tensor:
    """Images in ``space`` as RGB in [-1, 1]; HSV may leave its ranges (:func:`hsv_to_rgb`)."""
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


def rgb_to_lab(x: Tensor) -> Tensor:
    """sRGB (B, 3, H, W) in [-1, 1] -> CIE L*a*b* (1976) under D65: L* in [0, 100]."""
    unit = _unit(x)
    linear = torch.where(unit > 0.04045, ((unit + 0.055) / 1.055) ** 2.4, unit / 12.92)
    xyz = torch.einsum("ij,bjhw->bihw", _XYZ.to(x), linear)
    t = xyz / _WHITE.to(x).view(1, 3, 1, 1)
    f = torch.where(t > 0.008856, t.clamp(min=0) ** (1 / 3), 7.787 * t + 16 / 116)
    along, light, across = f.unbind(1)
    return torch.stack([116 * light - 16, 500 * (along - light), 200 * (light - across)], 1)


def lab_to_rgb(x: Tensor) -> Tensor:
    """The inverse of :func:`rgb_to_lab`, in [-1, 1]; colours outside sRGB are clipped."""
    lightness, a, b = x.unbind(1)
    light = (lightness + 16) / 116
    f = torch.stack([light + a / 500, light, light - b / 200], 1)
    t = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)
    xyz = t * _WHITE.to(x).view(1, 3, 1, 1)
    linear = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(_XYZ).to(x), xyz)
    bent = 1.055 * linear.clamp(min=0) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, bent, 12.92 * linear).clamp(0, 1) * 2 - 1

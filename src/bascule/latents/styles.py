"""W, the space between the latents and the images of a G with styles (StyleGAN2).

w = w_of(z) and image = from_w(w). In W a straight line stays among likely points, and truncation
moves w towards its mean (Karras et al. 2019).
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from torch import Tensor, nn

from bascule.core.errors import UserError


class Styles(Protocol):
    """A G with styles. ``statistics``: a BatchNorm that has the mean and the variance of w."""

    statistics: nn.BatchNorm1d

    def w_of(self, z: Tensor) -> Tensor: ...

    def from_w(self, w: Tensor) -> Tensor: ...

    def truncated(self, z: Tensor, psi: float) -> Tensor: ...


def has_styles(G: object) -> bool:
    """Whether ``G`` has a space W."""
    return all(hasattr(G, name) for name in ("w_of", "from_w", "truncated"))


def with_styles(G: nn.Module, owner: str) -> Styles:
    """``G`` if it has a space W. Otherwise raises :class:`UserError`, which names ``owner``."""
    if not has_styles(G):
        raise UserError(
            f"the G of {owner} draws from z directly and has no W: leave out --psi and --space w, "
            "or train a StyleGAN2, such as stylegan2-64"
        )
    return cast(Styles, G)


class Whitened:
    """W shifted and scaled, so that every coordinate of w has mean 0 and variance 1 over training.

    ``of(z)``: (N, z_dim) -> (N, w_dim); ``draw(v)``: (N, w_dim) -> images (N, 3, H, W).
    """

    def __init__(self, G: Styles) -> None:
        statistics: Any = G.statistics
        self.G, self.mean = G, statistics.running_mean
        self.std = (statistics.running_var + statistics.eps).sqrt()

    def of(self, z: Tensor) -> Tensor:
        v: Tensor = (self.G.w_of(z) - self.mean) / self.std
        return v

    def w(self, v: Tensor) -> Tensor:
        """w (N, w_dim) of a point v."""
        w: Tensor = self.mean + self.std * v
        return w

    def draw(self, v: Tensor) -> Tensor:
        return self.G.from_w(self.w(v))

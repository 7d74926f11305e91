"""SAN: the last layer of any D as a direction and a scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.core.shapes import Shape, shape_of
from bascule.models.model import Model, fitted, resized


@dataclass(frozen=True)
class SAN(Model):
    """The networks of the model ``of``, with D's last layer as in Takida et al. 2024 (ICLR, "SAN").

    The logit is s <w, h> + b, for the features h of an image, with a direction w of norm 1, a scale
    s and a bias b. In training D returns two equal logits an image, (B, 2): the first one has
    gradients to h, s and b, the second one to w alone. So features and direction can be trained by
    different losses: ``objective=SANLoss(...)``. When D is only asked, it returns (B,).

    of  any model whose D ends in a convolution or a linear layer with one output, without labels

    The direction is normalised in every forward pass; the authors normalise its weight after every
    step. Spectral normalisation of this layer is dropped; that of other layers stays.
    """

    of: Model

    def __post_init__(self) -> None:
        check_fields(self)
        if getattr(self.of, "classes", 0):
            raise UserError(f"SAN({self.of}): a SAN head takes no labels; set model.of.classes=0")

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def z_dim(self) -> int:
        return self.of.z_dim

    @property
    def shape(self) -> Shape:
        return shape_of(self.of)

    def resized(self, size: int) -> SAN:
        return replace(self, of=resized(self.of, size))

    def fitted(self, shape: Shape) -> SAN:
        return replace(self, of=fitted(self.of, shape))

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D) of ``of``; raises :class:`UserError` if its D has no last layer as needed."""
        G, D = self.of.players(rng)
        return G, Directed(D, type(self.of).__name__)


class Directed(nn.Module):
    """A ``D`` with a :class:`Head`: x (B, 3, H, W) -> (B, 2) in training, otherwise (B,)."""

    def __init__(self, D: nn.Module, name: str) -> None:
        super().__init__()
        self.D, self.head = D, replace_last(D, name)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.D(x)
        directions, self.head.direction = self.head.direction, None
        if not self.training:
            return logits
        assert directions is not None, "the head was asked"
        return torch.stack([logits, directions.reshape(logits.shape)], 1)


class Head(nn.Module):
    """A last layer: features h -> s <w, h> + b, with w = weight / ||weight||.

    The result has gradients to h, s and b. ``direction`` is the same number with gradients to w.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.scale = nn.Parameter(layer.weight.detach().norm())
        self.direction: Tensor | None = None

    def forward(self, h: Tensor) -> Tensor:
        w = self.layer.weight / self.layer.weight.norm()
        bias = 0.0 if self.layer.bias is None else self.layer.bias
        self.direction = self._map(h.detach(), w) * self.scale.detach()
        self.direction = self.direction + (bias.detach() if isinstance(bias, Tensor) else 0.0)
        return self._map(h, w.detach()) * self.scale + bias

    def _map(self, h: Tensor, w: Tensor) -> Tensor:
        if isinstance(self.layer, nn.Linear):
            return F.linear(h, w)
        return F.conv2d(h, w, None, self.layer.stride, self.layer.padding)


def replace_last(D: nn.Module, name: str) -> Head:
    """Put a :class:`Head` in the place of the last convolution or linear layer of ``D``."""
    layers = [(n, m) for n, m in D.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    path, last = layers[-1] if layers else ("", nn.Identity())
    if not path or cast(Tensor, last.weight).shape[0] != 1:
        raise UserError(
            f"SAN({name}): expected a D that ends in a convolution or a linear layer with one "
            "output; use another model"
        )
    if parametrize.is_parametrized(last, "weight"):
        parametrize.remove_parametrizations(last, "weight", leave_parametrized=True)
    parent, _, own = path.rpartition(".")
    head = Head(cast(nn.Conv2d | nn.Linear, last))
    setattr(D.get_submodule(parent), own, head)
    return head

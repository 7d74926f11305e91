"""What a pair of nets is to a recipe: the base class of models, of the package and of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from bascule.core.fields import Open


class Model(Open):
    """A pair of players, G and D, as a frozen dataclass; its fields are what may be set.

    ``size``: the side of the images, in pixels. ``z_dim``: how many numbers a latent has. Either is
    a field or a property. A class that has all three needs not inherit from this one.
    """

    needs: ClassVar[tuple[str, ...]] = ("size", "z_dim", "players")

    if TYPE_CHECKING:

        @property
        def size(self) -> int: ...

        @property
        def z_dim(self) -> int: ...

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """(G, D). G maps z (B, z_dim) to images (B, 3, size, size) in [-1, 1]; D maps such images
        to logits, (B,), or (B, H) of H heads.

        Weights may be drawn from ``rng``, or from PyTorch's global generator as layers do by
        themselves: both are seeded by the recipe's seed.
        """
        raise NotImplementedError

"""The base class of models, of the package and of users: a model makes the networks of a recipe."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import torch
from torch import nn

from bascule.core.errors import UserError
from bascule.core.fields import Open

M = TypeVar("M")


class Model(Open):
    """Makes a pair of networks, G and D, as a frozen dataclass; its fields are what users set.

    size   the side of the images in pixels
    z_dim  the dimension of the latents

    Both are fields or properties. Two facts are optional:

    rebuilds           D has decoders for the penalty Reconstruction: ``rebuilt(x, quarter)`` and
                       ``targets(x, quarter)``, as in :mod:`bascule.models.fastgan`
    needs_whole_batch  networks draw for, or compare, all images of a batch, so they cannot train on
                       several processes

    A class with ``size``, ``z_dim`` and ``players`` is a model even
    if it does not inherit from this one.
    """

    needs: ClassVar[tuple[str, ...]] = ("size", "z_dim", "players")
    rebuilds: ClassVar[bool] = False

    @property
    def needs_whole_batch(self) -> bool:
        return False

    if TYPE_CHECKING:

        @property
        def size(self) -> int: ...

        @property
        def z_dim(self) -> int: ...

    def players(self, rng: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """A new (G, D).

        G maps z (B, z_dim) to images (B, 3, size, size) in [-1, 1]. D maps such images to logits
        (B,), or (B, H) if it has H heads. Weights may be drawn from ``rng`` or, as PyTorch's layers
        do, from the global generator: both are seeded by the recipe's seed.
        """
        raise NotImplementedError

    def resized(self, size: int) -> Self:
        """This model for images of ``size`` px, by its field ``size``.

        Raises :class:`UserError` if it does not come in that size.
        """
        return _with_size(self, size)


def resized(model: M, size: int) -> M:
    """``model`` for images of ``size`` px, whether or not its class derives from :class:`Model`."""
    if isinstance(model, Model):
        return cast(M, model.resized(size))
    return _with_size(model, size)


def _with_size(model: M, size: int) -> M:
    told = cast(Any, model)
    if not is_dataclass(model) or "size" not in {field.name for field in fields(model)}:
        raise UserError(
            f"{type(model).__name__} is for images of {told.size} px, and these are {size} px: "
            "resize the images, or take another model"
        )
    return cast(M, replace(told, size=size))

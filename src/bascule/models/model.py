"""The base class of models, of the package and of users: a model makes the networks of a recipe."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import torch
from torch import nn

from bascule.core.errors import UserError
from bascule.core.fields import Open, added_field, brief
from bascule.core.shapes import Shape, shape_of, shape_with
from bascule.models.layers import check_size

M = TypeVar("M")


class Model(Open):
    """Makes a pair of networks, G and D, as a frozen dataclass; its fields are what users set.

    size   the side of the images in pixels
    z_dim  the dimension of the latents

    Both are fields or properties. Three facts are optional:

    shape              channels, height and width of the images; default: RGB squares of ``size``
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

        G maps z (B, z_dim) to images (B, *shape) in [-1, 1]. D maps such images to logits
        (B,), or (B, H) if it has H heads. Weights may be drawn from ``rng`` or, as PyTorch's layers
        do, from the global generator: both are seeded by the recipe's seed.
        """
        raise NotImplementedError

    def resized(self, size: int) -> Self:
        """This model for images of ``size`` px, by its field ``size``.

        Raises :class:`UserError` if it does not come in that size.
        """
        return _with_size(self, size)

    def fitted(self, shape: Shape) -> Self:
        """This model for images of ``shape``. Raises :class:`UserError` if it cannot draw them."""
        return _with_shape(self.resized(shape.size), shape)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__repr__" not in vars(cls):
            cls.__repr__ = brief  # type: ignore[method-assign]


@dataclass(frozen=True)
class Shaped(Model):
    """A model of images that may be grey, RGB or RGBA, and square or not.

    channels  1: grey, 3: RGB, 4: RGBA
    sides     height and width, of which the shorter one is ``size``; None: both are. The grid of 4
              px in the networks, where they begin or end, then has 4 px on the shorter side; so the
              longer side is a multiple of size / 4.
    """

    _: KW_ONLY
    channels: int = added_field(3, quiet=True)
    sides: tuple[int, int] | None = added_field(None, quiet=True)

    @property
    def shape(self) -> Shape:
        height, width = self.sides or (self.size, self.size)
        return Shape(self.channels, height, width)

    @property
    def first_grid(self) -> tuple[int, int]:
        """Height and width of the smallest grid, 4 and 4 for a square."""
        return 4 * self.shape.height // self.size, 4 * self.shape.width // self.size

    def check_shape(self, *sizes: int) -> None:
        """Raise :class:`UserError` unless ``size`` is one of ``sizes``, and the sides fit it."""
        owner = type(self).__name__
        check_size(owner, self.size, *sizes)
        shape = shape_with(self.size, self.sides, self.channels, owner)
        step = max(1, self.size // 4)
        if longer := max(shape.height, shape.width) % step:
            fits = max(shape.height, shape.width) - longer
            raise UserError(
                f"{owner}(sides={self.sides}): the longer side must be a multiple of {step} px, "
                f"such as {fits} or {fits + step}: resize the images"
            )


def resized(model: M, size: int) -> M:
    """``model`` for images of ``size`` px, whether or not its class derives from :class:`Model`."""
    if isinstance(model, Model):
        return cast(M, model.resized(size))
    return _with_size(model, size)


def fitted(model: M, shape: Shape) -> M:
    """``model`` for images of ``shape``, whether or not its class derives from :class:`Model`."""
    if isinstance(model, Model):
        return cast(M, model.fitted(shape))
    return _with_shape(_with_size(model, shape.size), shape)


def _with_size(model: M, size: int) -> M:
    told = cast(Any, model)
    if told.size == size:
        return model
    if not is_dataclass(model) or "size" not in {field.name for field in fields(model)}:
        raise UserError(
            f"{type(model).__name__} is for images of {told.size} px, and these are {size} px: "
            "resize the images, or take another model"
        )
    # With its sides, since a size alone would contradict them.
    return cast(M, replace(told, size=size, **_only(model, sides=None)))


def _with_shape(model: M, shape: Shape) -> M:
    changed = _only(model, channels=shape.channels, sides=shape.sides)
    found = cast(M, replace(cast(Any, model), **changed)) if changed else model
    if (drawn := shape_of(found)) != shape:
        what = "RGB squares" if drawn.channels == 3 and not drawn.sides else str(drawn)
        raise UserError(
            f"{type(model).__name__} is for {what}, and these images are {shape}: import them as "
            "such, or take another model, such as a DCGAN"
        )
    return found


def _only(model: Any, **values: Any) -> dict[str, Any]:
    """Those ``values`` for which the model has a field."""
    known = {field.name for field in fields(model)} if is_dataclass(model) else set()
    return {name: value for name, value in values.items() if name in known}

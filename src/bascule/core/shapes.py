"""Shapes of pictures: channels, height and width, of image sets and of what models draw.

Most are square RGB pictures, for which the single number ``size`` is enough. Others are told by a
:class:`Shape`: grey pictures have 1 channel, RGBA pictures 4, and one side may be the longer one.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from bascule.core.errors import UserError

MODES = {"rgb": 3, "grey": 1, "rgba": 4}
MOST_OBLONG = 4  # the longer side over the shorter one


class Shape(NamedTuple):
    """Channels (1: grey, 3: RGB, 4: RGBA), height and width in pixels."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """The shorter side."""
        return min(self.height, self.width)

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width; None for a square."""
        return None if self.height == self.width else (self.height, self.width)

    @property
    def mode(self) -> str:
        """One of the ``MODES``."""
        return next(mode for mode, n in MODES.items() if n == self.channels)

    @property
    def key(self) -> str:
        """For names of folders: ``64``, ``192x64`` (width x height), ``64-grey``."""
        sides = f"{self.width}x{self.height}" if self.sides else f"{self.size}"
        return sides if self.channels == 3 else f"{sides}-{self.mode}"

    def __str__(self) -> str:
        """For users: ``64 px``, ``192 x 64 px, grey``."""
        sides = f"{self.width} x {self.height} px" if self.sides else f"{self.size} px"
        return sides if self.channels == 3 else f"{sides}, {self.mode}"


def square(size: int) -> Shape:
    """That of RGB pictures of ``size`` px."""
    return Shape(3, size, size)


def read_key(text: str) -> Shape | None:
    """The shape with this :attr:`Shape.key`; None for other texts."""
    found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?(?:-(grey|rgba))?", text, re.ASCII)
    if not found:
        return None
    width, height, mode = found.groups()
    return Shape(MODES[mode or "rgb"], int(height or width), int(width))


def shape_of(part: Any) -> Shape:
    """The shape of the pictures of a data source or a model: its ``shape``, or its ``size``."""
    told = getattr(part, "shape", None)
    return Shape(*told) if told is not None else square(part.size)


def shape_with(size: int, sides: tuple[int, int] | None, channels: int, owner: str) -> Shape:
    """The shape of three fields. Raises :class:`UserError` if they contradict each other.

    ``owner``: the class whose fields they are, for the error line.
    """
    if channels not in MODES.values():
        raise UserError(f"{owner}(channels={channels}): expected 1 (grey), 3 (RGB) or 4 (RGBA)")
    height, width = sides or (size, size)
    if min(height, width) != size:
        raise UserError(
            f"{owner}(size={size}, sides={sides}): expected height and width, of which the shorter "
            "one is size"
        )
    if max(height, width) > MOST_OBLONG * size:
        raise UserError(
            f"{owner}(sides={sides}): one side is more than {MOST_OBLONG} times the other; crop "
            "the pictures"
        )
    return Shape(channels, height, width)

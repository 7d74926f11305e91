"""Animations as WebP or GIF, chosen by the file's suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from bascule.core import atomic
from bascule.core.errors import UserError

FORMATS = {".webp": "WEBP", ".gif": "GIF"}


def write_film(frames: Sequence[Image.Image], path: Path, per_second: float) -> None:
    """Write ``frames`` as an endless animation; raises :class:`UserError` for another suffix."""
    kind = check_film(path)
    first, *others = frames
    more = {"quality": 90, "method": 4} if kind == "WEBP" else {"disposal": 2}
    atomic.write(
        path,
        lambda to: first.save(
            to,
            kind,
            save_all=True,
            append_images=others,
            duration=round(1000 / per_second),
            loop=0,
            **more,
        ),
    )


def check_film(path: Path) -> str:
    """The format of an animation with this file name."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: expected a name that ends in {' or '.join(FORMATS)}")
    return kind

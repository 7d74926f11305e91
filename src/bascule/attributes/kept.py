"""What was learnt once stays in the cache, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from bascule.core import atomic
from bascule.core.errors import UserError

T = TypeVar("T")


def kept(
    what: str,
    place: Path,
    make: Callable[[], T],
    plain: Callable[[T], Any],
    opened: Callable[[Any], T],
) -> T:
    """What the file ``place`` holds; where there is none, what ``make()`` takes minutes to learn.

    ``plain``: as tensors and plain values; ``opened``: back again. Raises :class:`UserError` for a
    damaged file, and before anything is learnt where the cache cannot be written.
    """
    if place.exists():
        try:
            return opened(torch.load(place, weights_only=True))
        except Exception as error:  # pickle, zipfile and PyTorch raise many kinds
            raise UserError(
                f"damaged {what} {place} ({type(error).__name__}): delete the file, and it is "
                "trained again"
            ) from None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(what, place, error) from None
    made = make()
    try:
        atomic.write(place, lambda to: torch.save(plain(made), to))
    except OSError as error:
        raise _unwritable(what, place, error) from None
    return made


def _unwritable(what: str, place: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot keep the {what} at {place}: {error.strerror}. Free some space there, or point "
        "BASCULE_DATA to another folder"
    )

"""Keeps trained networks in the cache; a file is complete or absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from bascule.core import atomic
from bascule.core.errors import UserError, unreadable
from bascule.core.sums import load_checked

T = TypeVar("T")


def kept(
    what: str,
    place: Path,
    make: Callable[[], T],
    plain: Callable[[T], Any],
    opened: Callable[[Any], T],
) -> T:
    """The content of the file ``place``, or a new value from ``make()``, which is then saved there.

    what    the kind of value, for error lines
    make    makes the value, e.g. trains a network for minutes
    plain   converts a value to tensors and plain values
    opened  converts them back

    Raises :class:`UserError` for a damaged file. Also if the cache cannot be written; where its
    folder cannot be made, before ``make()`` is called.
    """
    if place.exists():
        try:
            return opened(load_checked(place))
        except Exception as error:  # pickle, zipfile and PyTorch raise many classes of errors
            remedy = "delete the file, then it is trained again"
            raise unreadable(f"the {what} {place}", error, remedy) from None
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
        f"cannot keep the {what} at {place}: {error.strerror}. Free some space there, or set "
        "BASCULE_DATA to another folder"
    )

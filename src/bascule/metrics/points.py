"""Checks of feature arrays, which metrics take: one row per image, one column per feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from bascule.core.errors import UserError


def points(x: Any, name: str = "x", at_least: int = 1) -> np.ndarray:
    """``x`` as float64 (n, d); a float64 array is returned without a copy.

    Raises UserError unless ``x`` is numeric, two-dimensional and finite, with at least ``at_least``
    rows and one column.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise UserError(f"{name} holds {array.dtype}: expected numbers")
    if array.ndim != 2:
        raise UserError(f"{name} has shape {array.shape}: expected (images, features)")
    if len(array) < at_least or array.shape[1] < 1:
        raise UserError(
            f"{name} has {len(array)} rows of {array.shape[1]} features: "
            f"expected at least {at_least} rows of at least 1; give more images"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        wrong = np.flatnonzero(~np.isfinite(array).all(1))
        raise UserError(
            f"{name} is not finite in {len(wrong)} of {len(array)} rows, first in row {wrong[0]}: "
            "expected finite features; look at the images or the network that made them"
        )
    return np.asarray(array, np.float64)


def pair(
    x: Any, y: Any, names: tuple[str, str] = ("x", "y"), at_least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Both as :func:`points`; raises UserError if they have different numbers of features."""
    x, y = points(x, names[0], at_least), points(y, names[1], at_least)
    if x.shape[1] != y.shape[1]:
        raise UserError(
            f"{names[0]} has {x.shape[1]} features and {names[1]} has {y.shape[1]}: "
            "expected the same extractor for both"
        )
    return x, y

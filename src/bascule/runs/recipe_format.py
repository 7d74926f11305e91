"""The number of the format in which recipes are kept in files.

It is raised when an older version would misread a file: when a field changes its meaning, not when
one is added. A file without a number is of format 1. The number is no part of digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bascule.core.errors import UserError

FORMAT = 1
KEY = "recipe_format"


def stamped(plain: Mapping[str, Any]) -> dict[str, Any]:
    """An encoded recipe as it is kept in a file: with the number."""
    return {KEY: FORMAT, **plain}


def checked(plain: Any) -> Any:
    """An encoded recipe without the number. Raises :class:`UserError` if its format is newer."""
    if not isinstance(plain, dict) or KEY not in plain:
        return plain
    found = plain[KEY]
    if type(found) is not int or not 1 <= found <= FORMAT:
        raise UserError(
            f"{KEY}={found!r}: this version of bascule reads up to {FORMAT}; install a newer one"
        )
    return {name: value for name, value in plain.items() if name != KEY}

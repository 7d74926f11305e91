"""Types of numbers on the command line. They limit the size; each verb checks the rest."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number of at most ``most``, positive or negative."""

    def number(text: str) -> int:
        try:
            if abs(value := int(text)) <= most:
                return value
        except ValueError:  # no number, or one with too many digits for Python
            pass
        raise argparse.ArgumentTypeError(
            f"{_short(text)}: expected a whole number of at most {most:,}"
        )

    return number


def real(most: float) -> Callable[[str], float]:
    """A type for argparse: a number of at most ``most``, positive or negative, and not NaN."""

    def number(text: str) -> float:
        try:
            if abs(value := float(text)) <= most:
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{_short(text)}: expected a number of at most {most:g}")

    return number


def sides(text: str) -> tuple[int, int]:
    """A type for argparse: ``64`` as (64, 64), and ``192x64``, width x height, as (64, 192)."""
    width, cross, height = text.lower().partition("x")
    number = whole(1_000_000)
    try:
        return number(height if cross else width), number(width)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{_short(text)}: expected pixels, such as 64, or width x height, such as 192x64"
        ) from None


a_seed = whole(2**63 - 1)
an_epoch = whole(10_000_000)


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}..."

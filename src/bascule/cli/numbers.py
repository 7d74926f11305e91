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


a_seed = whole(2**63 - 1)
an_epoch = whole(10_000_000)


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}..."

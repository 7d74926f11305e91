"""Numbers as text, with only their significant digits."""

from __future__ import annotations

from math import floor, isfinite, isnan, log10

SMALL = 1e-4  # below it, numbers are written with a power of ten
ROUNDING = 1e-12  # relative to the mean: rounding error between seeds that are equal


def number(x: float) -> str:
    """``x`` with 4 significant digits and a true minus sign; "–" for NaN."""
    if isnan(x):
        return "–"
    return _signed(f"{x + 0.0:.4g}")


def rounded(half: float, *numbers: float) -> list[str]:
    """``numbers``, each rounded to the place of the second significant digit of ``half``.

    ``half`` is their uncertainty. If it is 0, NaN or infinite, each number has 4 significant
    digits.
    """
    largest = max(map(abs, numbers), default=0.0)
    if not isfinite(half) or half <= ROUNDING * largest or not isfinite(largest):
        return [number(x) for x in numbers]
    places = 1 - _exponent(float(f"{half:.1e}"))
    if max(largest, half) < SMALL:
        return [_signed(f"{x:.{max(0, places + _exponent(x))}e}") if x else "0" for x in numbers]
    return [_signed(f"{round(x, places) + 0.0:.{max(places, 0)}f}") for x in numbers]


def bracketed(mean: float, low: float, high: float, half: float) -> tuple[str, str]:
    """A mean and its interval: ("0.331", "[0.287, 0.375]"); "" if there is no interval.

    ``half``: the half width before the interval was cut to its possible range.
    """
    if not (isfinite(low) and isfinite(high)):
        return number(mean), ""
    told, at_least, at_most = rounded(half, mean, low, high)
    return told, f"[{at_least}, {at_most}]"


def region(low: float, high: float) -> str:
    """A claimed region: "0.45 to 0.55", "at most −0.1", "at least 5"."""
    if isfinite(low) and isfinite(high):
        return f"{number(low)} to {number(high)}"
    return f"at least {number(low)}" if isfinite(low) else f"at most {number(high)}"


def _exponent(x: float) -> int:
    return floor(log10(abs(x))) if x else 0


def _signed(text: str) -> str:
    return text.replace("-", "−")

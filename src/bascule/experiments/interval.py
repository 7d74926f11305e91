"""The mean over seeds of a number, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its t interval; infinite when there are fewer than two seeds."""

    mean: float
    low: float
    high: float
    cut_from: float | None = None  # half the width, where less of it is shown

    @property
    def half(self) -> float:
        """Half its width, also of what is cut off."""
        return self.high - self.mean if self.cut_from is None else self.cut_from

    def within(self, low: float, high: float) -> Interval:
        """The same without what lies below ``low`` or above ``high``, which no mean can be."""
        if not isfinite(self.half) or (low <= self.low and self.high <= high):
            return self
        return Interval(self.mean, max(self.low, low), min(self.high, high), self.half)

"""The mean over seeds and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from scipy import stats


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


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of the mean of ``values``."""
    x = np.asarray(values, float)
    if len(x) == 0:
        return Interval(nan, -inf, inf)
    if len(x) == 1 or not np.isfinite(x).all():
        return Interval(float(x.mean()), -inf, inf)
    half = stats.t.ppf((1 + level) / 2, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half))

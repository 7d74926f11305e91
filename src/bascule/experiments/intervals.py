"""The mean over seeds and its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its interval; infinite when there are fewer than two seeds."""

    mean: float
    low: float
    high: float
    cut_from: float | None = None  # half the full width, if the interval was cut

    @property
    def half(self) -> float:
        """Half its width before it was cut."""
        return (self.high - self.low) / 2 if self.cut_from is None else self.cut_from

    def within(self, low: float, high: float) -> Interval:
        """The same interval, cut to ``low`` .. ``high``, the possible values of the mean."""
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

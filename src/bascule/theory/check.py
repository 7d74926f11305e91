"""Checks of the bench: a predicted number, the measured one, and whether they agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from bascule.theory.mixtures import Schedule

Kind = Literal["equals", "at most", "at least", "reference"]
Tell = Callable[[float], None]  # called with the share that is done, 0 to 1
Shares = Mapping[str, float]  # job -> the share that is done, 0 to 1
Word = Literal["agrees", "bound holds", "differs", "reference"]


@dataclass(frozen=True)
class Check:
    """One prediction and its measurement.

    For "equals", ``tolerance`` is relative to the prediction, unless that is 0. Otherwise it is
    absolute.

    "reference": a published measurement, printed for comparison without a verdict.
    """

    name: str
    predicted: float
    measured: float
    tolerance: float
    source: str
    kind: Kind = "equals"
    note: str = ""  # further measurements, such as a range over seeds

    @property
    def error(self) -> float:
        """Relative to the prediction; the difference itself where the prediction is 0."""
        difference = self.measured - self.predicted
        return difference / abs(self.predicted) if self.predicted else difference

    @property
    def word(self) -> Word:
        """The verdict. A measurement that is not finite never agrees."""
        if self.kind == "reference":
            return "reference"
        if not isfinite(self.measured):
            return "differs"
        if self.kind == "equals":
            return "agrees" if abs(self.error) <= self.tolerance else "differs"
        over = self.measured - self.predicted
        beyond = over if self.kind == "at most" else -over
        return "bound holds" if beyond <= self.tolerance else "differs"


@dataclass(frozen=True)
class Section:
    """The checks of one subject, and the data for the figure."""

    title: str
    checks: Sequence[Check]
    drawn: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Budget:
    """The number of steps of each part. The mixtures have their own schedule."""

    name: str
    mixtures: Schedule
    seeds: tuple[int, ...] = (0, 1, 2)
    dirac_steps: int = 1000
    long_steps: int = 4000  # for the non-saturating Dirac-GAN, which converges slowly
    gaussian_steps: int = 1000
    noise_steps: int = 300

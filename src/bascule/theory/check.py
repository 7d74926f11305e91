"""What the bench asks and finds: theory's number, the measured one, and whether they agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from bascule.theory.mixtures import Schedule

Kind = Literal["equals", "at most", "at least", "reference"]
Tell = Callable[[float], None]  # hears the share that is done
Shares = Mapping[str, float]  # job -> the share of it that is done
Word = Literal["agrees", "bound holds", "differs", "reference"]


@dataclass(frozen=True)
class Check:
    """``tolerance`` is a share of the prediction for "equals", unless that is 0, else in its units.

    "reference": what others measured elsewhere, printed beside ours; it judges nothing.
    """

    name: str
    predicted: float
    measured: float
    tolerance: float
    source: str
    kind: Kind = "equals"
    note: str = ""  # what else was measured, such as a range over seeds

    @property
    def error(self) -> float:
        """Relative to the prediction; the difference itself where the prediction is 0."""
        difference = self.measured - self.predicted
        return difference / abs(self.predicted) if self.predicted else difference

    @property
    def word(self) -> Word:
        """The verdict. What is not finite never agrees."""
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
    """The checks of one subject, and what the figure draws of it."""

    title: str
    checks: Sequence[Check]
    drawn: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Budget:
    """How long each part may take. Steps of the mixtures are their schedule's."""

    name: str
    mixtures: Schedule
    seeds: tuple[int, ...] = (0, 1, 2)
    dirac_steps: int = 1000
    long_steps: int = 4000  # of the non-saturating Dirac-GAN, which is slow
    gaussian_steps: int = 1000
    noise_steps: int = 300

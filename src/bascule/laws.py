"""Numbers that vary, at random or over time: the strengths of interventions."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch

from bascule.errors import Refusal
from bascule.now import Now
from bascule.typed import check_fields


@dataclass(frozen=True)
class Uniform:
    """One number per draw, uniform on [low, high)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.low <= self.high:
            raise Refusal(f"Uniform({self.low}, {self.high}): expected 0 <= low <= high")

    def draw(self, now: Now) -> float:
        u = torch.rand((), generator=now.rng("uniform"), dtype=torch.float64).item()
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class Anneal:
    """A number that goes linearly from ``start`` at epoch 0 to ``end`` at ``until_epoch``."""

    start: float
    end: float
    until_epoch: int

    def __post_init__(self) -> None:
        check_fields(self)
        if min(self.start, self.end) < 0 or self.until_epoch < 1:
            raise Refusal(
                f"Anneal({self.start}, {self.end}, until_epoch={self.until_epoch}): "
                "expected start, end >= 0 and until_epoch >= 1"
            )

    def draw(self, now: Now) -> float:
        share = min(now.epoch / self.until_epoch, 1.0)
        return self.start + (self.end - self.start) * share


Law = float | Uniform | Anneal


def draw(law: Law, now: Now) -> float:
    """The value of ``law`` at this moment; a plain number is its own law."""
    return law.draw(now) if isinstance(law, Uniform | Anneal) else float(law)


def check_strength(owner: str, name: str, law: Law) -> None:
    """Refuse a negative strength."""
    good = isinstance(law, int | float) and 0 <= law < inf
    if not good and not isinstance(law, Uniform | Anneal):
        raise Refusal(f"{owner}({name}={law}): expected a number >= 0, or a law")

"""Numbers that vary, at random or over time: strengths of interventions, rates, half-lives."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, inf, pi

import torch

from bascule.errors import Refusal
from bascule.now import Now
from bascule.typed import check_fields, later


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
    """A number that goes linearly from ``start`` (``from_epoch``) to ``end`` (``until_epoch``).

    >>> falls = Anneal(0.1, 0.0, until_epoch=10)
    >>> [falls.draw(Now(seed=0, epoch=epoch, step=0)) for epoch in (0, 5, 10, 11)]
    [0.1, 0.05, 0.0, 0.0]
    """

    start: float
    end: float
    until_epoch: int
    from_epoch: int = later(0)

    def __post_init__(self) -> None:
        _check_ends(self)
        if not 0 <= self.from_epoch < self.until_epoch:
            raise Refusal(
                f"Anneal(from_epoch={self.from_epoch}): expected an epoch before {self.until_epoch}"
            )

    def draw(self, now: Now) -> float:
        share = (now.epoch - self.from_epoch) / (self.until_epoch - self.from_epoch)
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)


@dataclass(frozen=True)
class Cosine:
    """A number that goes from ``start`` at epoch 0 to ``end`` at ``until_epoch`` as a half cosine.

    Loshchilov and Hutter 2017, equation 5, without restarts.

    >>> round(Cosine(0.1, 0.0, until_epoch=10).draw(Now(seed=0, epoch=5, step=0)), 6)
    0.05
    """

    start: float
    end: float
    until_epoch: int

    def __post_init__(self) -> None:
        _check_ends(self)

    def draw(self, now: Now) -> float:
        share = min(now.epoch / self.until_epoch, 1.0)
        return self.end + (self.start - self.end) * (1 + cos(pi * share)) / 2


def _check_ends(law: Anneal | Cosine) -> None:
    check_fields(law)
    if min(law.start, law.end) < 0 or law.until_epoch < 1:
        raise Refusal(
            f"{type(law).__name__}({law.start}, {law.end}, until_epoch={law.until_epoch}): "
            "expected start, end >= 0 and until_epoch >= 1"
        )


Rate = float | Anneal | Cosine  # a number that may change over time, never at random
Law = float | Uniform | Anneal | Cosine


def draw(law: Law, now: Now) -> float:
    """The value of ``law`` at this moment; a plain number is its own law."""
    return law.draw(now) if isinstance(law, Uniform | Anneal | Cosine) else float(law)


def check_strength(owner: str, name: str, law: Law) -> None:
    """Refuse a negative strength."""
    good = isinstance(law, int | float) and 0 <= law < inf
    if not good and not isinstance(law, Uniform | Anneal | Cosine):
        raise Refusal(f"{owner}({name}={law}): expected a number >= 0, or a law")

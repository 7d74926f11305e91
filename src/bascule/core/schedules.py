"""Numbers that vary over time or at random: strengths of interventions, rates, half-lives."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, inf, pi

import torch

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import added_field, check_fields


@dataclass(frozen=True)
class Uniform:
    """A random number per draw, uniform in [low, high); 0 <= low <= high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.low <= self.high:
            raise UserError(f"Uniform({self.low}, {self.high}): expected 0 <= low <= high")

    def value_at(self, context: StepContext) -> float:
        """The value of the draw "uniform" at ``context``."""
        u = torch.rand((), generator=context.rng("uniform"), dtype=torch.float64).item()
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class Anneal:
    """A number that changes linearly over epochs, and is constant before and after.

    start, end   its first and last value, >= 0
    until_epoch  the epoch, from 0, at which it reaches ``end``
    from_epoch   the epoch, from 0, at which it leaves ``start``

    >>> falls = Anneal(0.1, 0.0, until_epoch=10)
    >>> [falls.value_at(StepContext(seed=0, epoch=epoch, step=0)) for epoch in (0, 5, 10, 11)]
    [0.1, 0.05, 0.0, 0.0]
    """

    start: float
    end: float
    until_epoch: int
    from_epoch: int = added_field(0)

    def __post_init__(self) -> None:
        _check_ends(self)
        if not 0 <= self.from_epoch < self.until_epoch:
            raise UserError(
                f"Anneal(from_epoch={self.from_epoch}): expected an epoch from 0 and before "
                f"until_epoch={self.until_epoch}"
            )

    def value_at(self, context: StepContext) -> float:
        """The value in the epoch of ``context``."""
        share = (context.epoch - self.from_epoch) / (self.until_epoch - self.from_epoch)
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)


@dataclass(frozen=True)
class Cosine:
    """A number that follows half a cosine from ``start`` at epoch 0 to ``end`` at ``until_epoch``.

    ``start``, ``end`` >= 0. Loshchilov and Hutter 2017, equation 5, without restarts.

    >>> at_5 = StepContext(seed=0, epoch=5, step=0)
    >>> round(Cosine(0.1, 0.0, until_epoch=10).value_at(at_5), 6)
    0.05
    """

    start: float
    end: float
    until_epoch: int

    def __post_init__(self) -> None:
        _check_ends(self)

    def value_at(self, context: StepContext) -> float:
        """The value in the epoch of ``context``."""
        share = min(context.epoch / self.until_epoch, 1.0)
        return self.end + (self.start - self.end) * (1 + cos(pi * share)) / 2


def _check_ends(schedule: Anneal | Cosine) -> None:
    check_fields(schedule)
    if min(schedule.start, schedule.end) < 0 or schedule.until_epoch < 1:
        raise UserError(
            f"{type(schedule).__name__}({schedule.start}, {schedule.end}, "
            f"until_epoch={schedule.until_epoch}): expected start, end >= 0 and until_epoch >= 1"
        )


Rate = float | Anneal | Cosine  # a number that may change over time, but not at random
Schedule = float | Uniform | Anneal | Cosine


def value_at(schedule: Schedule, context: StepContext) -> float:
    """The value of ``schedule`` in this step; a plain number is constant."""
    return (
        schedule.value_at(context)
        if isinstance(schedule, Uniform | Anneal | Cosine)
        else float(schedule)
    )


def check_strength(owner: str, name: str, schedule: Schedule) -> None:
    """Raise :class:`UserError` if a constant strength is negative or infinite."""
    good = isinstance(schedule, int | float) and 0 <= schedule < inf
    if not good and not isinstance(schedule, Uniform | Anneal | Cosine):
        raise UserError(f"{owner}({name}={schedule}): expected a number >= 0, or a schedule")

"""Predictions: each measures one number a seed, and claims a region for it.

Epochs count from 0; ``from_epoch`` is included and ``to_epoch`` is not (None: to the end).
Measurements read the mean of a scalar over each epoch's batches, unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Protocol

import numpy as np

from bascule.errors import Refusal, unknown

Curve = Mapping[str, np.ndarray]  # scalar name -> (epochs,)
Curves = Mapping[str, Mapping[int, Curve]]  # arm -> seed -> curve

SCALARS = ("loss_D", "loss_G", "D_x", "D_Gz")


class Prediction(Protocol):
    """What every prediction can say."""

    def claim(self) -> str:
        """The prediction in words."""

    def measured(self) -> str:
        """What the number of each seed is."""

    def region(self) -> tuple[float, float]:
        """Where the claim says that the number lies; a side may be infinite."""

    def measure(self, curves: Curves, seed: int) -> float:
        """The number of one seed."""


def _window(
    curves: Curves, arm: str, seed: int, scalar: str, start: int, end: int | None
) -> np.ndarray:
    return np.asarray(curves[arm][seed][scalar])[start:end]


def _epochs(start: int, end: int | None) -> str:
    if end is None:
        return f"from epoch {start}" if start else "over the run"
    return f"in epoch {start}" if end == start + 1 else f"in epochs {start} to {end - 1}"


@dataclass(frozen=True)
class Within:
    """The mean of ``scalar`` in ``arm`` lies in [low, high]."""

    scalar: str
    arm: str
    low: float
    high: float
    from_epoch: int = 0
    to_epoch: int | None = None

    def claim(self) -> str:
        when = _epochs(self.from_epoch, self.to_epoch)
        return f"{self.scalar} of “{self.arm}” lies in [{self.low:g}, {self.high:g}] {when}"

    def measured(self) -> str:
        return f"mean {self.scalar}"

    def region(self) -> tuple[float, float]:
        return self.low, self.high

    def measure(self, curves: Curves, seed: int) -> float:
        window = _window(curves, self.arm, seed, self.scalar, self.from_epoch, self.to_epoch)
        return float(window.mean())


@dataclass(frozen=True)
class Lower:
    """The mean of ``scalar`` is lower in ``arm`` than in ``than``, by more than ``by``.

    Compared seed by seed: both arms of a seed share every draw.
    """

    scalar: str
    arm: str
    than: str
    by: float = 0.0
    from_epoch: int = 0
    to_epoch: int | None = None

    def claim(self) -> str:
        by = f" by more than {self.by:g}" if self.by else ""
        when = _epochs(self.from_epoch, self.to_epoch)
        return f"{self.scalar} of “{self.arm}” is lower than of “{self.than}”{by} {when}"

    def measured(self) -> str:
        return f"difference of mean {self.scalar}, “{self.arm}” − “{self.than}”"

    def region(self) -> tuple[float, float]:
        return -inf, -self.by

    def measure(self, curves: Curves, seed: int) -> float:
        ours, theirs = (
            _window(curves, arm, seed, self.scalar, self.from_epoch, self.to_epoch).mean()
            for arm in (self.arm, self.than)
        )
        return float(ours - theirs)


@dataclass(frozen=True)
class Higher(Lower):
    """The mean of ``scalar`` is higher in ``arm`` than in ``than``, by more than ``by``."""

    def claim(self) -> str:
        return super().claim().replace(" is lower than ", " is higher than ")

    def region(self) -> tuple[float, float]:
        return self.by, inf


@dataclass(frozen=True)
class Spike:
    """``scalar`` jumps at ``at_epoch``: its peak stands ``height`` deviations above what was.

    The peak is the highest batch of the ``width`` epochs from ``at_epoch`` on; what was, the
    ``before`` epochs before, by the mean and standard deviation of their highest batches.
    """

    scalar: str
    arm: str
    at_epoch: int
    height: float = 5.0
    width: int = 2
    before: int = 5

    def claim(self) -> str:
        return f"{self.scalar} of “{self.arm}” spikes at epoch {self.at_epoch}"

    def measured(self) -> str:
        return f"height of the peak of {self.scalar}, in standard deviations of what was"

    def region(self) -> tuple[float, float]:
        return self.height, inf

    def measure(self, curves: Curves, seed: int) -> float:
        at, name = self.at_epoch, f"{self.scalar}_max"
        was = _window(curves, self.arm, seed, name, max(at - self.before, 0), at)
        peak = _window(curves, self.arm, seed, name, at, at + self.width).max()
        return float((peak - was.mean()) / max(was.std(ddof=1), 1e-12))


@dataclass(frozen=True)
class Settles:
    """``scalar`` comes to rest: from ``from_epoch`` on its epochs vary by at most ``within``.

    Measured as the standard deviation of the epochs' means. The claim has no lower side: a
    deviation near 0 is settled, though its interval over seeds may reach below 0.
    """

    scalar: str
    arm: str
    within: float
    from_epoch: int
    to_epoch: int | None = None

    def claim(self) -> str:
        when = _epochs(self.from_epoch, self.to_epoch)
        return f"{self.scalar} of “{self.arm}” settles {when} (varies by at most {self.within:g})"

    def measured(self) -> str:
        return f"standard deviation of {self.scalar} over the epochs"

    def region(self) -> tuple[float, float]:
        return -inf, self.within

    def measure(self, curves: Curves, seed: int) -> float:
        window = _window(curves, self.arm, seed, self.scalar, self.from_epoch, self.to_epoch)
        return float(window.std(ddof=1))


def check(prediction: Prediction, arms: Mapping[str, int]) -> None:
    """Refuse a prediction about an unknown arm or scalar, or epochs that never come.

    ``arms``: the number of epochs of each arm.
    """
    told = {f.name: getattr(prediction, f.name) for f in fields(prediction)}  # type: ignore[arg-type]
    kind = type(prediction).__name__
    for name in ("arm", "than"):
        if name in told and told[name] not in arms:
            raise unknown(f"arm in {kind}", told[name], arms)
    if told["scalar"] not in SCALARS:
        raise unknown(f"scalar in {kind}", told["scalar"], SCALARS)
    epochs = min(arms[told[name]] for name in ("arm", "than") if name in told)
    start = told["at_epoch"] if "at_epoch" in told else told["from_epoch"]
    end = told.get("to_epoch")
    if start + 1 > epochs or (end is not None and not start < end <= epochs):
        window = f"epochs {start} to {end}" if end is not None else f"epoch {start}"
        raise Refusal(f"{prediction.claim()}: {window} never comes, the run has {epochs} epochs")
    if isinstance(prediction, Spike) and prediction.at_epoch < 2:
        raise Refusal(f"{prediction.claim()}: needs at least 2 epochs before it")
    if isinstance(prediction, Settles) and (end or epochs) - start < 2:
        raise Refusal(f"{prediction.claim()}: needs at least 2 epochs")
    low, high = prediction.region()
    if not low <= high:
        raise Refusal(f"{prediction.claim()}: the region [{low:g}, {high:g}] is empty")

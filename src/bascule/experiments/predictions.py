"""Predictions: each measures one number per seed, and claims a region for its mean over seeds.

Epochs count from 0; ``from_epoch`` is included and ``to_epoch`` is not (None: to the end).
A prediction uses the mean of a scalar over each epoch's batches, unless it says otherwise. A scalar
is one of

- a scalar of training: ``loss_D``, ``loss_G``, ``D_x``, ``D_Gz``, ``r_t``, ``lead`` = D_x - D_Gz;
- a scalar that an intervention reports, such as ``ResetD.0/resets``;
- a diagnostic, measured every few epochs (:mod:`bascule.diagnostics.callback`), such as ``mmd``;
- a measurement of an evaluation, such as :data:`KID`, ``KID.at(layer=1, k_fb=4)``, or a user's
  metric by its class or its name. Without a window, the last evaluated epoch counts;
- a value that a callback of the experiment adds to an epoch's record, by its name;
- :data:`TAKEN_FOR_REAL`, the share of answers in which judges took a fake for the real picture
  (:mod:`bascule.experiments.judgments`).

A scalar may be given as a label or as a :class:`~bascule.metrics.measurement.Measurement`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from math import inf, isfinite, nan
from typing import Any, ClassVar, Protocol

import numpy as np

from bascule.core.errors import UserError, unknown
from bascule.experiments.digits import bracketed
from bascule.experiments.digits import region as region_told
from bascule.experiments.intervals import Interval
from bascule.experiments.scalars import Scalar, limits, meaning, of_difference, stem
from bascule.features.extractors import DEFAULT
from bascule.metrics.measured import METRICS
from bascule.metrics.measurement import HELD_OUT, Measurement, known_quantities, measurement
from bascule.metrics.numbers import NUMBERS
from bascule.metrics.quantity import ANY, POSITIVE, SHARE, Limits

Curve = Mapping[str, np.ndarray]  # scalar name -> (epochs,)
Curves = Mapping[str, Mapping[int, Curve]]  # arm -> seed -> curve

SCALARS = ("loss_D", "loss_G", "D_x", "D_Gz")
MORE_SCALARS = ("r_t", "lead")
ASKED = (
    *("auc_held_out", "auc_train", "auc_train_vs_held_out", "accuracy_held_out", "r_v", "ece"),
    *("D_train", "D_held_out", "D_fake", "logit_std", "grad_norm_D", "grad_norm_G", "fake_mean"),
    *("mmd", "coverage", "vendi_ratio", "distance_ratio", "rank_ratio", "one_nn_fake", "C_T"),
    *("nearest_10", "nearest_50"),
)
TAKEN_FOR_REAL = "taken for real"  # by people who judged blindly
SPACE = f"{DEFAULT},128px"  # the feature space of the default extractor
KID = Measurement(METRICS["KID"].quantity(), SPACE)
COVERAGE = Measurement(METRICS["coverage"].quantity(), SPACE)
HELD_OUT_KID = KID.at(split=HELD_OUT)
HELD_OUT_COVERAGE = COVERAGE.at(split=HELD_OUT)


def mean_tv(size: int = 64) -> Measurement:
    """The mean total variation of attributes, for built-in faces of ``size`` pixels."""
    return Measurement(NUMBERS["mean TV"], f"micah,{size}px")


class Prediction(Protocol):
    """The interface of every prediction."""

    def claim(self) -> str:
        """The prediction in words."""

    def measured(self) -> str:
        """A description of the number that is measured on each seed."""

    def region(self) -> tuple[float, float]:
        """The claimed region of the number, (low, high); a side may be infinite."""

    def measure(self, curves: Curves, seed: int) -> float:
        """The number of one seed; NaN if it was not measured."""

    def errors(self, curves: Curves, seed: int) -> tuple[float, float]:
        """The error of the measure itself, of the arm and of the arm compared with; 0: unknown."""

    def limits(self) -> Limits:
        """The possible range of the number, such as 0 to 1 for a share; a side may be infinite."""

    def short(self) -> str:
        """The claim in a few words."""

    def expected(self) -> str:
        """The expected number in words: "lower", "0.45 to 0.55"."""

    def found(self, shown: Interval) -> str:
        """The measured result as a sentence without its full stop, whatever the claim was.

        ``shown``: the mean over seeds and its interval, which may be infinite.
        """

    def meaning(self, shown: Interval) -> str:
        """The result in plain words, such as "D is fooled more"; "" if it is not clear."""


def complete_seeds(prediction: Any, curves: Curves, seeds: Iterable[int]) -> list[int]:
    """The ``seeds`` on which every arm that the prediction names has a finished run."""
    named = (getattr(prediction, name, None) for name in ("arm", "than"))
    arms = [arm for arm in named if arm is not None]
    return [seed for seed in seeds if all(seed in curves.get(arm, {}) for arm in arms)]


def is_evaluated(scalar: Scalar) -> bool:
    """Whether an evaluation measures ``scalar``, such as :data:`KID`."""
    return measurement(scalar).evaluated


def _mean(
    curves: Curves, arm: str, seed: int, scalar: Scalar, start: int = 0, end: int | None = None
) -> float:
    """The mean of a scalar over its measured epochs in a window; NaN if there are none."""
    whole = np.asarray(curves[arm][seed].get(str(measurement(scalar)), ()), float)
    window = whole[start:end]
    window = window[np.isfinite(window)]
    if is_evaluated(scalar) and not start and end is None:
        window = window[-1:]
    return float(window.mean()) if len(window) else nan


def _error(curves: Curves, arm: str, seed: int, scalar: Scalar) -> float:
    """The error of the measure itself in a scalar's last evaluation; 0 if it is not known."""
    told = np.asarray(curves[arm][seed].get(error_of(str(measurement(scalar))), ()), float)
    told = told[np.isfinite(told)]
    return float(told[-1]) if len(told) else 0.0


def error_of(scalar: str) -> str:
    """The name under which curves hold the error of a measurement."""
    return f"{scalar} ±"


def count_of(scalar: str) -> str:
    """The name under which curves hold how many answers of judges a share is made of."""
    return f"{scalar} #"


def preferred_to(arm: str) -> str:
    """The scalar of an arm: how often judges preferred its pictures to those of ``arm``."""
    return f"preferred to {arm}"


def _window(
    curves: Curves, arm: str, seed: int, scalar: Scalar, start: int, end: int | None
) -> np.ndarray:
    """The values of a scalar in a window; empty if it was not measured."""
    return np.asarray(curves[arm][seed].get(str(measurement(scalar)), ()), float)[start:end]


def _when(scalar: Scalar, start: int, end: int | None) -> str:
    return (
        "at the end" if is_evaluated(scalar) and not start and end is None else _epochs(start, end)
    )


def _epochs(start: int, end: int | None) -> str:
    if end is None:
        return f"from epoch {start}" if start else "over the run"
    return f"in epoch {start}" if end == start + 1 else f"in epochs {start} to {end - 1}"


def _told(shown: Interval, sign: int = 1) -> tuple[str, str]:
    """A mean, and its interval in brackets after a space; both negated if ``sign`` is -1."""
    low, high = sorted((sign * shown.low, sign * shown.high))
    number, interval = bracketed(sign * shown.mean, low, high, shown.half)
    return number, f" {interval}" if interval else ""


def _side(shown: Interval) -> int:
    """1: the interval is above 0, -1: below, 0: it contains 0. A single seed counts by its sign."""
    if not isfinite(shown.low):
        return int(np.sign(shown.mean))
    return 1 if shown.low > 0 else -1 if shown.high < 0 else 0


def _change(shown: Interval, more: str, less: str) -> str:
    """ "0.3 higher [0.2, 0.4]", with ``more`` or ``less``; "" if the interval contains 0."""
    if not (side := _side(shown)):
        return ""
    number, interval = _told(shown, side)
    return f"{number} {more if side > 0 else less}{interval}"


def _meaning(scalar: Scalar, shown: Interval) -> str:
    side = _side(shown)
    return meaning(scalar, side > 0) if side else ""


def _by(by: float) -> str:
    return f" by more than {by:g}" if by else ""


class _Plain:
    """The base class of predictions: a number without limits and without a meaning in words."""

    def __post_init__(self) -> None:
        for name, told in numbers_of(self).items():
            object.__setattr__(self, name, told)

    def limits(self) -> Limits:
        return ANY

    def errors(self, curves: Curves, seed: int) -> tuple[float, float]:
        """The error of the measure itself, of the arm and of the arm compared with; 0: unknown."""
        return 0.0, 0.0

    def meaning(self, shown: Interval) -> str:
        return ""


def numbers_of(prediction: Any) -> dict[str, Measurement]:
    """The measurements that a prediction is about, by field name."""
    names = ("scalar", "other", "start")
    told = {name: getattr(prediction, name, None) for name in names}
    return {name: measurement(value) for name, value in told.items() if value is not None}


def about(prediction: Any, own: Mapping[str, Measurement]) -> Any:
    """``prediction`` with the name of each user's metric replaced by its measurement.

    ``own``: name -> measurement.
    """
    told = {
        name: own[found.quantity.name]
        for name, found in numbers_of(prediction).items()
        if not found.evaluated and found.quantity.name in own
    }
    return replace(prediction, **told) if told else prediction


class _Own(_Plain):
    """Completes a user's prediction that defines only claim, measured, region and measure."""

    def __init__(self, own: Any) -> None:
        self.own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def claim(self) -> str:
        told: str = self.own.claim()
        return told

    def measured(self) -> str:
        told: str = self.own.measured()
        return told

    def region(self) -> tuple[float, float]:
        told: tuple[float, float] = self.own.region()
        return told

    def measure(self, curves: Curves, seed: int) -> float:
        found: float = self.own.measure(curves, seed)
        return found

    def errors(self, curves: Curves, seed: int) -> tuple[float, float]:
        told = getattr(self.own, "errors", None)
        return told(curves, seed) if told else (0.0, 0.0)

    def short(self) -> str:
        return self.claim()

    def expected(self) -> str:
        return region_told(*self.region())

    def found(self, shown: Interval) -> str:
        number, interval = _told(shown)
        return f"{self.claim()}? {self.measured()}: {number}{interval}"


def worded(prediction: Any) -> Prediction:
    """``prediction`` with all methods of :class:`Prediction`; missing ones are added."""
    return prediction if hasattr(prediction, "found") else _Own(prediction)


@dataclass(frozen=True)
class Within(_Plain):
    """The mean of ``scalar`` in ``arm`` lies in [low, high]."""

    scalar: Scalar
    arm: str
    low: float
    high: float
    from_epoch: int = 0
    to_epoch: int | None = None

    def claim(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        return f"{self.scalar} of “{self.arm}” lies in [{self.low:g}, {self.high:g}] {when}"

    def measured(self) -> str:
        return "mean"

    def region(self) -> tuple[float, float]:
        return self.low, self.high

    def measure(self, curves: Curves, seed: int) -> float:
        return _mean(curves, self.arm, seed, self.scalar, self.from_epoch, self.to_epoch)

    def errors(self, curves: Curves, seed: int) -> tuple[float, float]:
        return _error(curves, self.arm, seed, self.scalar), 0.0

    def limits(self) -> Limits:
        return limits(self.scalar)

    def short(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        return f"{stem(self.scalar)} of “{self.arm}” in [{self.low:g}, {self.high:g}] {when}"

    def expected(self) -> str:
        return region_told(self.low, self.high)

    def found(self, shown: Interval) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        number, interval = _told(shown)
        return f"{stem(self.scalar)} of “{self.arm}” is {number}{interval} {when}"


@dataclass(frozen=True)
class ShareOfRuns(_Plain):
    """The share of runs of ``arm`` whose ``scalar`` lies in [low, high] is in [least, most].

    An outcome of its own for runs that collapse: at most a fifth of them ends with a coverage
    below 0.1, ``ShareOfRuns(COVERAGE, "plain", high=0.1, most=0.2)``. The number of a seed is 1 or
    0, and the share has the exact interval of Clopper and Pearson (1934).
    """

    scalar: Scalar
    arm: str
    low: float = -inf
    high: float = inf
    least: float = 0.0
    most: float = 1.0
    from_epoch: int = 0
    to_epoch: int | None = None

    counted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.least <= self.most <= 1 or (self.least, self.most) == (0, 1):
            raise UserError(
                f"ShareOfRuns(least={self.least:g}, most={self.most:g}): expected a part of 0 to 1"
            )

    def claim(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        part = f"{self.least:.0%} to {self.most:.0%} of the runs of “{self.arm}”"
        return f"{part} have {self.scalar} {region_told(self.low, self.high)} {when}"

    def measured(self) -> str:
        return "share of runs"

    def region(self) -> tuple[float, float]:
        return self.least, self.most

    def measure(self, curves: Curves, seed: int) -> float:
        x = _mean(curves, self.arm, seed, self.scalar, self.from_epoch, self.to_epoch)
        return float(self.low <= x <= self.high) if isfinite(x) else nan

    def limits(self) -> Limits:
        return SHARE

    def short(self) -> str:
        return f"share of “{self.arm}” with {stem(self.scalar)} {self._where()}"

    def expected(self) -> str:
        return region_told(self.least, self.most)

    def found(self, shown: Interval) -> str:
        number, interval = _told(shown)
        return (
            f"the share of runs of “{self.arm}” with {stem(self.scalar)} {self._where()} "
            f"is {number}{interval}"
        )

    def _where(self) -> str:
        return region_told(self.low, self.high)


@dataclass(frozen=True)
class Preferred(_Plain):
    """Judges prefer the pictures of ``arm`` to those of ``than``, seen blindly, in more than half.

    The number of a seed is the share of answers for ``arm`` when one picture of each arm stands
    side by side, unlabelled (``bascule board``, :mod:`bascule.experiments.judgments`). It lies in
    (``least``, ``most``). ``judgments``: the answers that a seed needs, fixed in advance so that
    nobody stops at a good moment; a seed with fewer has no number.
    """

    arm: str
    than: str
    least: float = 0.5
    most: float = 1.0
    judgments: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.least <= self.most <= 1 or self.judgments < 1:
            raise UserError(
                f"Preferred(least={self.least:g}, most={self.most:g}, "
                f"judgments={self.judgments}): expected a part of 0 to 1, and at least 1 judgment"
            )

    def claim(self) -> str:
        return f"judges prefer “{self.arm}” to “{self.than}” in {self._part()} of their answers"

    def _part(self) -> str:
        return f"{self.least:.0%} to {self.most:.0%}" if self.most < 1 else f"over {self.least:.0%}"

    def measured(self) -> str:
        return f"share of answers, at least {self.judgments} a seed"

    def region(self) -> tuple[float, float]:
        return self.least, self.most

    def measure(self, curves: Curves, seed: int) -> float:
        name = preferred_to(self.than)
        enough = _mean(curves, self.arm, seed, count_of(name)) >= self.judgments
        return _mean(curves, self.arm, seed, name) if enough else nan

    def errors(self, curves: Curves, seed: int) -> tuple[float, float]:
        return _error(curves, self.arm, seed, preferred_to(self.than)), 0.0

    def limits(self) -> Limits:
        return SHARE

    def short(self) -> str:
        return f"“{self.arm}” preferred to “{self.than}”"

    def expected(self) -> str:
        return region_told(self.least, self.most)

    def found(self, shown: Interval) -> str:
        number, interval = _told(shown)
        return (
            f"judges preferred “{self.arm}” to “{self.than}” in a share of {number}{interval} of "
            "their answers"
        )

    def meaning(self, shown: Interval) -> str:
        if not (isfinite(shown.low) and isfinite(shown.high)):
            return ""
        if shown.low > 0.5:
            return f"people like the pictures of “{self.arm}” better"
        return f"people like the pictures of “{self.than}” better" if shown.high < 0.5 else ""


@dataclass(frozen=True)
class Lower(_Plain):
    """The mean of ``scalar`` is lower in ``arm`` than in ``than``, by more than ``by``.

    Compared seed by seed if the arms share a past, otherwise as independent samples
    (:mod:`bascule.experiments.verdict`).
    """

    scalar: Scalar
    arm: str
    than: str
    by: float = 0.0
    from_epoch: int = 0
    to_epoch: int | None = None

    def claim(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        told = f"{self.scalar} of “{self.arm}” is {self.way} than of “{self.than}”"
        return f"{told}{_by(self.by)} {when}"

    way = "lower"

    def measured(self) -> str:
        return f"difference of means, “{self.arm}” − “{self.than}”"

    def region(self) -> tuple[float, float]:
        return -inf, -self.by

    def measure(self, curves: Curves, seed: int) -> float:
        ours, theirs = self.sides(curves, seed)
        return ours - theirs

    def sides(self, curves: Curves, seed: int) -> tuple[float, float]:
        """The numbers of ``arm`` and of ``than`` on one seed."""
        ours, theirs = (
            _mean(curves, arm, seed, self.scalar, self.from_epoch, self.to_epoch)
            for arm in (self.arm, self.than)
        )
        return ours, theirs

    def errors(self, curves: Curves, seed: int) -> tuple[float, float]:
        ours, theirs = (_error(curves, arm, seed, self.scalar) for arm in (self.arm, self.than))
        return ours, theirs

    def limits(self) -> Limits:
        return of_difference(limits(self.scalar), limits(self.scalar))

    def short(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        told = f"{stem(self.scalar)} {self.way} in “{self.arm}” than in “{self.than}”"
        return f"{told}{_by(self.by)} {when}"

    def expected(self) -> str:
        return f"{self.way}{_by(self.by)}"

    def found(self, shown: Interval) -> str:
        name, when = stem(self.scalar), _when(self.scalar, self.from_epoch, self.to_epoch)
        if told := _change(shown, "higher", "lower"):
            return f"{name} is {told} in “{self.arm}” than in “{self.than}” {when}"
        if shown.low == shown.high == 0:
            return f"{name} is the same in “{self.arm}” and in “{self.than}” {when}"
        number, interval = _told(shown)
        return (
            f"{name} is neither clearly higher nor clearly lower in “{self.arm}” than in "
            f"“{self.than}” {when}: the difference is {number}{interval}"
        )

    def meaning(self, shown: Interval) -> str:
        return _meaning(self.scalar, shown)


@dataclass(frozen=True)
class Higher(Lower):
    """The mean of ``scalar`` is higher in ``arm`` than in ``than``, by more than ``by``."""

    way = "higher"

    def region(self) -> tuple[float, float]:
        return self.by, inf


@dataclass(frozen=True)
class Alike(Lower):
    """The mean of ``scalar`` differs between the two arms by at most ``by``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.by > 0:
            raise UserError(f"Alike(by={self.by:g}): expected a number > 0, the largest difference")

    def claim(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        both = f"“{self.arm}” and “{self.than}”"
        return f"{self.scalar} of {both} differs by at most {self.by:g} {when}"

    def region(self) -> tuple[float, float]:
        return -self.by, self.by

    def short(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        return f"{stem(self.scalar)} alike in “{self.arm}” and “{self.than}” {when}"

    def expected(self) -> str:
        return f"a difference of at most {self.by:g}"

    def found(self, shown: Interval) -> str:
        if not (-self.by <= shown.low and shown.high <= self.by):
            return super().found(shown)
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        number, interval = _told(shown)
        return (
            f"{stem(self.scalar)} is alike in “{self.arm}” and “{self.than}” {when}: "
            f"the difference is {number}{interval}"
        )

    def meaning(self, shown: Interval) -> str:
        alike = -self.by <= shown.low and shown.high <= self.by
        return "" if alike else super().meaning(shown)


@dataclass(frozen=True)
class Exceeds(_Plain):
    """The mean of ``scalar`` is higher than that of ``other`` in the same arm, by more than ``by``.

    Compared seed by seed.
    """

    scalar: Scalar
    other: Scalar
    arm: str
    by: float = 0.0
    from_epoch: int = 0
    to_epoch: int | None = None

    def claim(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        return f"{self.scalar} of “{self.arm}” exceeds its {self.other}{_by(self.by)} {when}"

    def measured(self) -> str:
        return "difference of the two means"

    def region(self) -> tuple[float, float]:
        return self.by, inf

    def measure(self, curves: Curves, seed: int) -> float:
        ours, theirs = (
            _mean(curves, self.arm, seed, scalar, self.from_epoch, self.to_epoch)
            for scalar in (self.scalar, self.other)
        )
        return ours - theirs

    def errors(self, curves: Curves, seed: int) -> tuple[float, float]:
        ours, theirs = (
            _error(curves, self.arm, seed, scalar) for scalar in (self.scalar, self.other)
        )
        return ours, theirs

    def limits(self) -> Limits:
        return of_difference(limits(self.scalar), limits(self.other))

    def short(self) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        ours, theirs = self._names()
        return f"{ours} of “{self.arm}” above its {theirs}{_by(self.by)} {when}"

    def expected(self) -> str:
        return f"higher{_by(self.by)}"

    def found(self, shown: Interval) -> str:
        when = _when(self.scalar, self.from_epoch, self.to_epoch)
        ours, theirs = self._names()
        if told := _change(shown, "higher", "lower"):
            return f"{ours} of “{self.arm}” is {told} than its {theirs} {when}"
        number, interval = _told(shown)
        return (
            f"{ours} of “{self.arm}” is neither clearly higher nor clearly lower than its "
            f"{theirs} {when}: the difference is {number}{interval}"
        )

    def _names(self) -> tuple[str, str]:
        """The names of both scalars; with their brackets if they differ only in these."""
        ours, theirs = stem(self.scalar), stem(self.other)
        return (str(self.scalar), str(self.other)) if ours == theirs else (ours, theirs)


@dataclass(frozen=True)
class Closes(_Plain):
    """``arm`` closes at least the share ``part`` of the gap between ``start`` and the arm ``than``.

    The number is (start - scalar of arm) / (start - scalar of than), where ``start`` is another
    scalar of ``arm``: 0 means no better than ``start``, 1 as good as ``than``. For scalars of which
    less is better. NaN if ``than`` is not below ``start``.
    """

    scalar: Scalar
    start: Scalar
    arm: str
    than: str
    part: float = 0.5

    def claim(self) -> str:
        return (
            f"{self.scalar} of “{self.arm}” closes at least {self.part:.0%} of the gap between "
            f"{self.start} and “{self.than}”"
        )

    def measured(self) -> str:
        return f"share of the gap in {self.scalar} that is closed"

    def region(self) -> tuple[float, float]:
        return self.part, inf

    def measure(self, curves: Curves, seed: int) -> float:
        start = _mean(curves, self.arm, seed, self.start)
        ours, bound = (_mean(curves, arm, seed, self.scalar) for arm in (self.arm, self.than))
        return (start - ours) / (start - bound) if bound < start else nan

    def short(self) -> str:
        return f"{stem(self.scalar)} of “{self.arm}” closes {self.part:.0%} of the gap"

    def expected(self) -> str:
        return f"at least {self.part:g}"

    def found(self, shown: Interval) -> str:
        number, interval = _told(shown)
        return (
            f"{stem(self.scalar)} of “{self.arm}” closes {number}{interval} of the gap between "
            f"{stem(self.start)} (0) and “{self.than}” (1)"
        )


@dataclass(frozen=True)
class Rises(_Plain):
    """The mean of ``scalar`` in ``arm`` is higher in the later window than in the earlier one.

    The difference is more than ``by``. Windows are pairs (from_epoch, to_epoch).
    """

    scalar: Scalar
    arm: str
    earlier: tuple[int, int]
    later: tuple[int, int]
    by: float = 0.0

    def claim(self) -> str:
        return f"{self.scalar} of “{self.arm}” {self.verb}{_by(self.by)} {self._moment()}"

    verb = "rises"

    def measured(self) -> str:
        return f"mean {self.scalar} {_epochs(*self.later)}, minus {_epochs(*self.earlier)}"

    def region(self) -> tuple[float, float]:
        return self.by, inf

    def measure(self, curves: Curves, seed: int) -> float:
        earlier, later = (
            _mean(curves, self.arm, seed, self.scalar, *window)
            for window in (self.earlier, self.later)
        )
        return later - earlier

    def limits(self) -> Limits:
        return of_difference(limits(self.scalar), limits(self.scalar))

    def short(self) -> str:
        return f"{stem(self.scalar)} of “{self.arm}” {self.verb}{_by(self.by)} {self._moment()}"

    def expected(self) -> str:
        return f"that it {self.verb}{_by(self.by)}"

    def found(self, shown: Interval) -> str:
        name = f"{stem(self.scalar)} of “{self.arm}”"
        if told := _change(shown, "higher", "lower"):
            return f"{name} becomes {told} {self._moment()}"
        number, interval = _told(shown)
        return (
            f"{name} neither clearly rises nor clearly falls {self._moment()}: "
            f"it changes by {number}{interval}"
        )

    def _moment(self) -> str:
        return f"from {_span(self.earlier)} to {_span(self.later)}"


@dataclass(frozen=True)
class Falls(Rises):
    """The mean of ``scalar`` in ``arm`` is lower in the later window than in the earlier one."""

    verb = "falls"

    def region(self) -> tuple[float, float]:
        return -inf, -self.by


def _span(window: tuple[int, int]) -> str:
    return _epochs(*window).removeprefix("in ")


@dataclass(frozen=True)
class Spike(_Plain):
    """``scalar`` jumps at ``at_epoch``, by at least ``height`` standard deviations.

    The peak is the highest batch of the ``width`` epochs from ``at_epoch`` on. It is compared with
    the highest batches of the ``before`` epochs before ``at_epoch``, by their mean and standard
    deviation.
    """

    scalar: Scalar
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
        new = _window(curves, self.arm, seed, name, at, at + self.width)
        if len(was) < 2 or not len(new):
            return nan
        return float((new.max() - was.mean()) / max(was.std(ddof=1), 1e-12))

    def short(self) -> str:
        return f"{stem(self.scalar)} of “{self.arm}” spikes at epoch {self.at_epoch}"

    def expected(self) -> str:
        return f"a height of at least {self.height:g}"

    def found(self, shown: Interval) -> str:
        jumps = isfinite(shown.low) and shown.low >= self.height
        start = "jumps, and its peak" if jumps else "has a peak that"
        number, interval = _told(shown, -1 if shown.mean < 0 else 1)
        side = "below" if shown.mean < 0 else "above"
        return (
            f"at epoch {self.at_epoch} {stem(self.scalar)} of “{self.arm}” {start} stands {number}"
            f"{interval} standard deviations {side} the highest batches before"
        )


@dataclass(frozen=True)
class Settles(_Plain):
    """``scalar`` settles: from ``from_epoch`` on, its epochs vary by at most ``within``.

    The number is the standard deviation of the epochs' means. The claimed region has no lower edge,
    since the interval over seeds may reach below 0 although the number cannot.
    """

    scalar: Scalar
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
        return float(window.std(ddof=1)) if len(window) > 1 else nan

    def limits(self) -> Limits:
        return POSITIVE

    def short(self) -> str:
        when = _epochs(self.from_epoch, self.to_epoch)
        return f"{stem(self.scalar)} of “{self.arm}” settles {when}"

    def expected(self) -> str:
        return f"at most {self.within:g}"

    def found(self, shown: Interval) -> str:
        when = _epochs(self.from_epoch, self.to_epoch)
        number, interval = _told(shown)
        return (
            f"{stem(self.scalar)} of “{self.arm}” varies by {number}{interval} {when} "
            "(the standard deviation over its epochs)"
        )


def check(
    prediction: Prediction,
    arms: Mapping[str, int],
    scalars: Iterable[str] = SCALARS,
    measured: bool = True,
    own: Collection[str] = (),
) -> None:
    """Raises :class:`UserError` for an unknown arm or scalar, or epochs beyond the end of the run.

    So it does for a region with every possible value of the number, or with none.
    ``arms``: the number of epochs of each arm. ``scalars``: those of their steps and callbacks.
    ``measured``: whether runs are evaluated. ``own``: the names of the user's metrics.
    """
    told = {f.name: getattr(prediction, f.name) for f in fields(prediction)}  # type: ignore[arg-type]
    kind = type(prediction).__name__
    for name in ("arm", "than"):
        if name in told and told[name] not in arms:
            raise unknown(f"arm in {kind}", told[name], arms)
    named = numbers_of(prediction).values()
    for scalar in named:
        _check_scalar(kind, scalar, scalars, own)
    if any(map(is_evaluated, named)) and not measured:
        raise UserError(f"{prediction.claim()}: nothing is measured; give measure=Measure()")
    epochs = min(arms[told[name]] for name in ("arm", "than") if name in told)
    for start, end in windows(prediction):
        if start + 1 > epochs or (end is not None and not start < end <= epochs):
            window = f"epochs {start} to {end}" if end is not None else f"epoch {start}"
            raise UserError(
                f"{prediction.claim()}: {window} never comes, the run has {epochs} epochs"
            )
    if isinstance(prediction, Spike) and prediction.at_epoch < 2:
        raise UserError(f"{prediction.claim()}: needs at least 2 epochs before it")
    if isinstance(prediction, Settles):
        start, end = prediction.from_epoch, prediction.to_epoch or epochs
        if end - start < 2:
            raise UserError(f"{prediction.claim()}: needs at least 2 epochs")
    low, high = prediction.region()
    if not low <= high:
        raise UserError(f"{prediction.claim()}: the region [{low:g}, {high:g}] is empty")
    least, most = worded(prediction).limits()
    range_told = f"every value from {least:g} to {most:g}"
    if low <= least and most <= high:
        raise UserError(
            f"{prediction.claim()}: {range_told} is in the region [{low:g}, {high:g}], so nothing "
            "could refute it; claim a part of them"
        )
    if high < least or most < low:
        raise UserError(
            f"{prediction.claim()}: {range_told} is outside the region [{low:g}, {high:g}], so "
            "nothing could support it; claim a part of them"
        )


def windows(prediction: Prediction) -> list[tuple[int, int | None]]:
    """The epochs that count, as pairs (from_epoch, to_epoch); to_epoch None: to the end."""
    if isinstance(prediction, Rises):
        return [prediction.earlier, prediction.later]
    start = getattr(prediction, "at_epoch", getattr(prediction, "from_epoch", 0))
    return [(start, getattr(prediction, "to_epoch", None))]


def _check_scalar(
    kind: str, scalar: Measurement, of_steps: Iterable[str], own: Collection[str]
) -> None:
    if scalar.evaluated:
        measures = [name for name, found in known_quantities().items() if found.evaluated]
        if not scalar.known and scalar.quantity.name not in own:
            raise unknown(f"measure in {kind}", scalar.name, [*own, *measures])
        return
    known = dict.fromkeys((*of_steps, *MORE_SCALARS, *ASKED, TAKEN_FOR_REAL))
    if str(scalar) not in known and "/" not in str(scalar):
        raise unknown(f"scalar in {kind}", str(scalar), [*own, *known])

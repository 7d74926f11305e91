"""The results of an evaluation, and which of them may be compared.

Two numbers may be in one column of a table or on one axis of a figure only if they have the same
scale: the same statistic, extractor (weights, version and resize), reference images, sample sizes
and metric code. :func:`one_scale` raises an error otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite, nan
from typing import Any

from bascule.core import html
from bascule.core.errors import UserError
from bascule.core.fields import from_plain
from bascule.features.judges import why_not
from bascule.metrics.measurement import Measurement, parse
from bascule.metrics.metric import Measured
from bascule.metrics.quantity import SHARE, Better

VERSION = 1  # of the metric code; raise it when a number would change


@dataclass(frozen=True)
class Scale:
    """What two numbers must have in common to be compared.

    label      of the measurement
    extractor  its full identity: name, version, weights, resize
    images     digest of the reference images
    n, m       images in the measured sample, and in the reference
    version    of the metric code
    split      which of the images are held out, as in :class:`bascule.data.images.ImageSet`
    """

    label: str
    extractor: str
    images: str
    n: int
    m: int
    version: int = VERSION
    split: str = ""

    @property
    def over_seeds(self) -> Scale:
        """This scale without what an experiment may vary with the seed.

        That is the split, with the sizes of its parts, and the seed of draws in ``extractor``.
        """
        extractor = re.sub(r", seed \d+$", "", self.extractor)
        if not self.split:
            return replace(self, extractor=extractor)
        return replace(self, extractor=extractor, split="of the seed", n=0, m=0)


@dataclass(frozen=True)
class Value:
    """One number with its floor, its scale, and the direction in which it is better."""

    measured: Measured
    scale: Scale
    better: Better

    @property
    def label(self) -> str:
        """The label of the measurement: "KID[efficientnet-lite0,128px]"."""
        return self.scale.label

    @property
    def measurement(self) -> Measurement:
        """The measurement of which this is the value."""
        return parse(self.scale.label)

    @property
    def space(self) -> str:
        """The space in which it was measured; of "FID" and "KID", that of the published network."""
        return self.measurement.space or self.scale.extractor

    @property
    def error(self) -> float:
        """The error of the measure itself: runs that differ by less are not known to be equal.

        The standard error over disjoint sets of fakes. If a share is the same in all of them, that
        of a count: ``(p (1 - p) / n)**0.5`` with ``p = (x n + 1/2) / (n + 1)``. 0 if it is not
        known, and for errors of a single set (KID's), which count real images that all runs share.
        """
        one = self.measured
        if one.repeats < 2 or not isfinite(one.se):
            return 0.0
        if one.se == 0 and self.measurement.quantity.limits == SHARE:
            n = one.n * one.repeats
            share = (one.value * n + 0.5) / (n + 1)
            return float((share * (1 - share) / n) ** 0.5)
        return one.se


@dataclass(frozen=True)
class LeftOut:
    """The label of a number that was not measured, and why: "needs 40 held-out images, ..."."""

    label: str
    why: str


@dataclass(frozen=True)
class Price:
    """What it cost to draw one picture.

    evaluations  of the network: 1 for a G of a GAN, one or two for every step of a flow
    ms           milliseconds on the machine that measured, in the mean
    """

    evaluations: int
    ms: float

    def __str__(self) -> str:
        times = f"{self.evaluations} evaluation{'s' * (self.evaluations > 1)} of the network"
        return f"{times} and {self.ms:.2g} ms" if self.ms < 100 else f"{times} and {self.ms:.0f} ms"


@dataclass(frozen=True)
class Evaluation:
    """All measurements of one set of fakes.

    subject   the source of the fakes: a run's id or a folder's name
    epoch     complete epochs of the run; None for a folder
    fakes     how many there were
    data      name of the reference images
    values    the numbers
    notes     what a reader must know, one line each
    left_out  what was requested but could not be measured
    seed      of the latents, and of all other draws of the evaluation
    price     what a picture cost to draw; None for a folder, and if it was not measured
    """

    subject: str
    epoch: int | None
    fakes: int
    data: str
    values: tuple[Value, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    seed: int = 0
    price: Price | None = field(default=None, compare=False)

    def with_more(self, values: Sequence[Value], left_out: Sequence[LeftOut] = ()) -> Evaluation:
        """This evaluation with more numbers of the same fakes."""
        return replace(self, values=(*self.values, *values), left_out=(*self.left_out, *left_out))

    def judged(self, saw: Collection[str]) -> Evaluation:
        """This evaluation without the numbers of networks through which a game was trained.

        ``saw``: the names of these networks. The numbers are left out, each with the reason.
        """
        reasons = {value: why_not(saw, value.space) for value in self.values}
        lost = [LeftOut(value.label, why) for value, why in reasons.items() if why]
        kept = tuple(value for value, why in reasons.items() if not why)
        return replace(self, values=kept).with_more((), lost) if lost else self

    @property
    def labels(self) -> set[str]:
        """The labels of everything that was requested, measured or left out."""
        return {v.label for v in self.values} | {one.label for one in self.left_out}

    def remarks(self) -> list[str]:
        """The notes, the price, and lines such as "C_T left out: needs ...", one for a reason."""
        found = by_reason({one.label: one.why for one in self.left_out})
        price = [f"drawing a picture took {self.price}"] if self.price else []
        return [*self.notes, *price, *(f"{names} left out: {why}" for names, why in found)]

    def __getitem__(self, label: str) -> Value:
        return {value.label: value for value in self.values}[label]

    def _repr_html_(self) -> str:
        """Every number beside its floor, for a notebook."""
        when = "" if self.epoch is None else f" after {self.epoch} epochs"
        title = f"{self.subject}{when}: {self.fakes:,} pictures against {self.data}"
        columns = ("measure", "value", "floor", "better", "n")
        return (
            html.heading(title)
            + html.table(columns, map(_cells, self.values))
            + html.lines(*self.remarks())
        )

    def plain(self) -> dict[str, Any]:
        """The evaluation as plain JSON values; NaN and infinity become null."""
        told = asdict(self)
        for value in told["values"]:
            value["measured"] = {k: _none(v) for k, v in value["measured"].items()}
        return told

    @staticmethod
    def read(plain: Mapping[str, Any]) -> Evaluation:
        """The evaluation from the result of :meth:`plain`. Raises ValueError for other values."""
        try:
            values = [v | {"measured": _numbers(v["measured"])} for v in plain["values"]]
            return from_plain(Evaluation, {**plain, "values": values})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not an evaluation: {error}") from None


def _cells(value: Value) -> tuple[str, ...]:
    """A row of the table that a notebook shows."""
    numbers = value.measured
    pairs = ((numbers.value, numbers.se), (numbers.floor, numbers.floor_se))
    told = [f"{x:.3g} ± {se:.2g}" if isfinite(se) else f"{x:.3g}" for x, se in pairs]
    return (value.label, *told, value.better, f"{numbers.n:,}")


def by_reason(left_out: Mapping[str, str]) -> list[tuple[str, str]]:
    """{label: why} grouped by reason: ("FD, Vendi", "each needs 5 fakes, 2 are given")."""
    names: dict[str, list[str]] = {}
    for label, why in left_out.items():
        name = parse(label).name
        if name not in names.setdefault(why, []):
            names[why].append(name)
    return [(", ".join(n), f"{'each ' if len(n) > 1 else ''}{why}") for why, n in names.items()]


def _numbers(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: nan if value is None else value for name, value in plain.items()}


def _none(x: float) -> float | None:
    return x if isfinite(x) else None


def one_scale(label: str, values: Sequence[tuple[str, Value]]) -> Scale:
    """The scale that all ``values`` share; they are (owner, value) pairs.

    Raises :class:`UserError` if two scales differ; it names both owners and the differences.
    """
    (first, one), *others = values
    for name, other in others:
        ours, theirs = asdict(one.scale), asdict(other.scale)
        differ = [f for f in ours if ours[f] != theirs[f]]
        if differ:
            told = ", ".join(f"{f} {_short(ours[f])} and {_short(theirs[f])}" for f in differ)
            raise UserError(
                f"{label} of {first} and of {name} cannot be compared: {told}; evaluate both with "
                "the same images, extractor and number of fakes"
            )
    return one.scale


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

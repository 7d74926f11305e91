"""What was measured of a set of fakes, and what may be compared with what.

Two numbers may share a table's column or a figure's axis only when they are of one scale: the same
statistic, extractor (weights, version and resize), reference images, sample sizes and metric code.
:func:`one_scale` refuses anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite, nan
from typing import Any

from bascule.core.errors import UserError
from bascule.metrics.measurement import Measurement, parse
from bascule.metrics.metric import Measured
from bascule.metrics.quantity import Better

VERSION = 1  # of the metric code: raised when a number would come out different


@dataclass(frozen=True)
class Scale:
    """What two numbers must have in common.

    extractor  its whole identity: name, version, weights, resize.
    images     digest of the reference images.
    n, m       images in the measured sample, and in the reference.
    """

    label: str
    extractor: str
    images: str
    n: int
    m: int
    version: int = VERSION


@dataclass(frozen=True)
class Value:
    """One number beside its floor, its scale, and in which direction it is better."""

    measured: Measured
    scale: Scale
    better: Better

    @property
    def label(self) -> str:
        """What it may be called: "KID[efficientnet-lite0,128px]"."""
        return self.scale.label

    @property
    def measurement(self) -> Measurement:
        """What it is a number of."""
        return parse(self.scale.label)


@dataclass(frozen=True)
class LeftOut:
    """A number that could not be had, by its label, and why: "needs 40 held-out images, ..."."""

    label: str
    why: str


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one set of fakes.

    subject  what made the fakes: a run's id or a folder's name.
    epoch    epochs that were done; None for a folder.
    fakes    how many were made.
    data     name of the reference images.
    notes    what a reader must know, one line each.
    left_out what was asked for and is not among the values.
    """

    subject: str
    epoch: int | None
    fakes: int
    data: str
    values: tuple[Value, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def with_more(self, values: Sequence[Value], left_out: Sequence[LeftOut] = ()) -> Evaluation:
        """With other numbers of the same fakes."""
        return replace(self, values=(*self.values, *values), left_out=(*self.left_out, *left_out))

    @property
    def labels(self) -> set[str]:
        """Of all that was asked for, measured or left out."""
        return {v.label for v in self.values} | {one.label for one in self.left_out}

    def remarks(self) -> list[str]:
        """The notes, then "C_T left out: needs ...", a line a reason."""
        found = by_reason({one.label: one.why for one in self.left_out})
        return [*self.notes, *(f"{names} left out: {why}" for names, why in found)]

    def __getitem__(self, label: str) -> Value:
        return {value.label: value for value in self.values}[label]

    def plain(self) -> dict[str, Any]:
        """Plain JSON values; what is not a number is null."""
        told = asdict(self)
        for value in told["values"]:
            value["measured"] = {k: _none(v) for k, v in value["measured"].items()}
        return told

    @staticmethod
    def read(plain: Mapping[str, Any]) -> Evaluation:
        """What :meth:`plain` told. Raises ValueError where it is something else."""
        try:
            values = tuple(
                Value(
                    Measured(**_numbers(value["measured"])),
                    Scale(**value["scale"]),
                    value["better"],
                )
                for value in plain["values"]
            )
            left_out = tuple(LeftOut(**one) for one in plain.get("left_out", ()))
            own = ("values", "left_out")  # the latter is not in older files
            told = {f.name: plain[f.name] for f in fields(Evaluation) if f.name not in own}
            read = {"values": values, "notes": tuple(told["notes"]), "left_out": left_out}
            return Evaluation(**(told | read))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an evaluation: {error}") from None


def by_reason(left_out: Mapping[str, str]) -> list[tuple[str, str]]:
    """Label -> why, as ("FD, Vendi", "each needs 5 fakes, 2 are given"): one pair a reason."""
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
    """The scale that all ``values``, (whose, value) pairs, share.

    Raises :class:`UserError` where two differ, naming both and in what.
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

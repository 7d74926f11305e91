"""What was measured of a set of fakes, and what may be compared with what.

Two numbers may share a table's column or a figure's axis only when they are of one scale: the same
statistic, extractor (weights, version and resize), reference images, sample sizes and metric code.
:func:`one_scale` refuses anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite, nan
from typing import Any, Literal

from bascule.errors import Refusal
from bascule.metrics.measured import Measured

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
    better: Literal["lower", "higher", "floor"]

    @property
    def label(self) -> str:
        """What it may be called: "KID[efficientnet-lite0,128px]"."""
        return self.scale.label


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one set of fakes.

    subject  what made the fakes: a run's id or a folder's name.
    epoch    epochs that were done; None for a folder.
    fakes    how many were made.
    data     name of the reference images.
    notes    what a reader must know, one line each.
    """

    subject: str
    epoch: int | None
    fakes: int
    data: str
    values: tuple[Value, ...]
    notes: tuple[str, ...] = ()

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
            told = {f.name: plain[f.name] for f in fields(Evaluation) if f.name != "values"}
            return Evaluation(**{**told, "values": values, "notes": tuple(told["notes"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an evaluation: {error}") from None


def _numbers(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: nan if value is None else value for name, value in plain.items()}


def _none(x: float) -> float | None:
    return x if isfinite(x) else None


def one_scale(label: str, values: Sequence[tuple[str, Value]]) -> Scale:
    """The scale that all ``values``, (whose, value) pairs, share.

    Raises :class:`Refusal` where two differ, naming both and in what.
    """
    (first, one), *others = values
    for name, other in others:
        ours, theirs = asdict(one.scale), asdict(other.scale)
        differ = [f for f in ours if ours[f] != theirs[f]]
        if differ:
            told = ", ".join(f"{f} {_short(ours[f])} and {_short(theirs[f])}" for f in differ)
            raise Refusal(
                f"{label} of {first} and of {name} cannot be compared: {told}; evaluate both with "
                "the same images, extractor and number of fakes"
            )
    return one.scale


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

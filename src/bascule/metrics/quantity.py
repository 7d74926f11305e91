"""Quantities: the name of a kind of number, its direction, its limits and its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

Limits = tuple[float, float]
ANY: Limits = (-inf, inf)
SHARE: Limits = (0.0, 1.0)
SIGNED: Limits = (-1.0, 1.0)
POSITIVE: Limits = (0.0, inf)
Better = Literal["lower", "higher", "floor"]  # floor: the nearer to that of real images


@dataclass(frozen=True)
class Quantity:
    """A kind of number, wherever it is measured.

    better     which direction is better; None if that depends on the question
    limits     (low, high) of all possible values; may be infinite
    more, less what larger and smaller values mean: "D is fooled more", "D is fooled less"
    explained  one line that explains it
    takes      the parameters that its labels may have, among those of
               :class:`~bascule.metrics.measurement.Measurement`
    of         what may be measured instead of fakes: "copy" in "KID of copy"
    joiner     the text between its name and an attribute: " of " in "TV of hairVariant"
    evaluated  whether evaluations measure it; otherwise training or diagnostics do
    """

    name: str
    better: Better | None = None
    limits: Limits = ANY
    more: str = ""
    less: str = ""
    explained: str = ""
    takes: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    joiner: str = ""
    evaluated: bool = True

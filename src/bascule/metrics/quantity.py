"""What a number is: its name, which way is better, between which limits it lies, what it means."""

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

    better     which way; None where that depends on the question.
    limits     between which numbers it always lies; a side may be infinite.
    more, less what more of it and less of it mean: "D is fooled more", "D is fooled less".
    explained  a line on what it is.
    takes      the parameters that its labels may have, of those of
               :class:`~bascule.metrics.measurement.Measurement`.
    of         what may be measured in the place of fakes: "copy" in "KID of copy".
    joiner     what stands between its name and an attribute: " of " in "TV of hairVariant".
    evaluated  measured by an evaluation, not during the game.
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

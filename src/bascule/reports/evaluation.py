"""What was measured of a set of fakes, as tables: every number beside its floor."""

from __future__ import annotations

from math import isfinite

from bascule.evaluation.evaluation import Evaluation, Value
from bascule.reports import facts
from bascule.reports.page import Table

NARROW = "\u202f"  # a space that does not break
COLUMNS = ("measure", "value", "floor", "better", "n", "reading")
CAPTION = (
    "Floor: held-out real images in the place of the fakes, at the same n; of what codes can do "
    "(AUROC, holes, edits), what needs no codes. ±: one standard error, given these training "
    "images. Better: lower or higher, up to the floor; or the nearer to it. Reading: the value "
    "against its floor, at two standard errors."
)


def evaluation_table(evaluation: Evaluation) -> Table:
    """One row a measure."""
    rows = [
        (
            value.label,
            _plus_minus(value.measured.value, value.measured.se),
            _plus_minus(value.measured.floor, value.measured.floor_se),
            value.better,
            f"{value.measured.n:,}".replace(",", NARROW),
            reading(value),
        )
        for value in evaluation.values
    ]
    return Table(COLUMNS, rows, CAPTION)


def title(evaluation: Evaluation) -> str:
    """ "5,000 fakes of RUN after 60 epochs, against faces-micah"."""
    when = "" if evaluation.epoch is None else f" after {evaluation.epoch} epochs"
    return f"{evaluation.fakes:,} fakes of {evaluation.subject}{when}, against {evaluation.data}"


def reading(value: Value) -> str:
    """Where the value stands to its floor: "at the floor", "worse than the floor"."""
    measured = value.measured
    apart = measured.value - measured.floor
    if not isfinite(apart):
        return "not measured"
    if not isfinite(measured.se):
        return "no standard error"
    doubt = sum(e**2 for e in _errors(value)) ** 0.5
    if abs(apart) <= 2 * doubt:
        return "at the floor"
    if value.better == "floor":
        return "above the floor" if apart > 0 else "below the floor"
    worse = (apart > 0) == (value.better == "lower")
    return f"{'worse' if worse else 'better'} than the floor"


def _errors(value: Value) -> tuple[float, float]:
    """The standard errors of value and floor.

    A floor of one set has none of its own: it scatters as one set of fakes does.
    """
    measured = value.measured
    se = measured.se if isfinite(measured.se) else 0.0
    floor_se = measured.floor_se
    return se, floor_se if isfinite(floor_se) else se * measured.repeats**0.5


def _plus_minus(x: float, se: float) -> str:
    if not isfinite(x):
        return "–"
    error = f"{NARROW}±{NARROW}{se:.2g}" if isfinite(se) else ""
    return f"{facts.number(x)}{error}"

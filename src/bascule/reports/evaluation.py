"""Tables of the measurements of a set of fakes, with the floor of every number."""

from __future__ import annotations

from math import isfinite

from bascule.evaluation.evaluation import Evaluation, Value
from bascule.experiments.digits import rounded
from bascule.reports import facts
from bascule.reports.page import Table

NARROW = "\u202f"  # a space that does not break
COLUMNS = ("measure", "value", "floor", "better", "n", "reading")
CAPTION = (
    "Floor: held-out real images in the place of the fakes, at the same n{codes}. ±: one standard "
    "error, given these training images. Better: lower or higher, up to the floor; or the nearer "
    "to it. Reading: the value against its floor, at two standard errors."
)
OF_CODES = ("AUROC", "hole L1", "edited as told", "others kept")
CODES = "; of what codes can do (AUROC, holes, edits), what needs no codes"


def evaluation_table(evaluation: Evaluation) -> Table:
    """A table with one row per measurement."""
    rows = [
        (
            value.label,
            with_error(value.measured.value, value.measured.se),
            with_error(value.measured.floor, value.measured.floor_se),
            value.better,
            f"{value.measured.n:,}".replace(",", NARROW),
            reading(value),
        )
        for value in evaluation.values
    ]
    codes = any(value.measurement.quantity.name in OF_CODES for value in evaluation.values)
    return Table(COLUMNS, rows, CAPTION.format(codes=CODES if codes else ""))


def title(evaluation: Evaluation) -> str:
    """ "5,000 fakes of RUN after 60 epochs, against faces-micah"."""
    when = "" if evaluation.epoch is None else f" after {evaluation.epoch} epochs"
    return f"{evaluation.fakes:,} fakes of {evaluation.subject}{when}, against {evaluation.data}"


def reading(value: Value) -> str:
    """How the value compares with its floor: "at the floor", "worse than the floor"."""
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
    """The standard errors of the value and of the floor.

    A floor from a single set has no standard error. It is assumed to vary like a set of fakes.
    """
    measured = value.measured
    se = measured.se if isfinite(measured.se) else 0.0
    floor_se = measured.floor_se
    return se, floor_se if isfinite(floor_se) else se * measured.repeats**0.5


def with_error(x: float, se: float) -> str:
    """A number and its standard error: "1.50 ± 0.10"."""
    if not isfinite(x):
        return "–"
    return f"{NARROW}±{NARROW}".join(rounded(se, x, se)) if isfinite(se) else facts.number(x)

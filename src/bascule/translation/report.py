"""Tables of the measurements of a translator."""

from __future__ import annotations

from collections.abc import Iterator

from bascule.evaluation.evaluation import Evaluation, Value
from bascule.metrics.numbers import BASELINES
from bascule.reports import facts
from bascule.reports.evaluation import evaluation_table, with_error
from bascule.reports.page import Table
from bascule.translation.pairs import ATTRIBUTES

MAIN = (
    *("KID", "coverage", "paired L1", "paired SSIM", "R@1", "mean rank"),
    *("attributes kept", "attributes matched", "spread"),
)
CAPTION = (
    "Best: what the true counterparts score, or held-out pictures of the second kind where there "
    "are none. Copy: untranslated pictures; random target: training pictures of the second kind; "
    "colour transfer: the pictures with its mean and deviation in Lab. ±: one standard error over "
    "pictures. Paired L1: share of the range. R@1: how often the own counterpart is the nearest of "
    "all. Matched: after the best renaming of an attribute's values. Spread: mean distance of two "
    "pictures, over that of the second kind."
)
OF_ATTRIBUTES = (
    "Share of translations in which the attribute is read as it should be; matched: after the best "
    "renaming of its values; information: on the attribute, from 0 to 1. Ceiling: read from the "
    "counterparts themselves. Kept or swapped: 90 % of the ceiling, as it is or after renaming; "
    "lost: less than a tenth of the information is left."
)
CYCLE = "cycle L1"
OF_CYCLES = (
    "Mean absolute difference of held-out pictures and what comes of going there and back, a share "
    "of the range. What grows under 8 bits, JPEG or faint noise was hidden from the eye."
)


def translation_tables(evaluation: Evaluation) -> list[Table]:
    """Tables: the translator and its baselines, the attributes, the cycle error, and the rest."""
    found = {_name(value): value for value in evaluation.values}
    tables = [_beside(found), _by_attribute(found), _cycles(found)]
    rest = tuple(value for value in evaluation.values if not _is_told(value))
    last = Evaluation(evaluation.subject, evaluation.epoch, evaluation.fakes, "", rest)
    return [*(table for table in tables if table.rows), evaluation_table(last)]


def _name(value: Value) -> str:
    return value.measurement.name


def _is_told(value: Value) -> bool:
    found = value.measurement
    kinds = (*MAIN, "kept", "matched", "information", CYCLE)
    return found.quantity.name in kinds and not found.split


def _beside(found: dict[str, Value]) -> Table:
    rows = []
    for name in MAIN:
        if name not in found:
            continue
        value = found[name]
        others = [_cell(found.get(f"{name} of {baseline}")) for baseline in BASELINES]
        best = facts.number(value.measured.floor)
        rows.append((value.label, _cell(value), best, *others, value.better))
    return Table(("measure", "translations", "best", *BASELINES, "better"), rows, CAPTION)


def _by_attribute(found: dict[str, Value]) -> Table:
    rows = [
        (name, *map(facts.number, told), _verdict(*told)) for name, told in _of_attributes(found)
    ]
    columns = ("attribute", "kept", "matched", "ceiling", "information", "its ceiling", "reading")
    return Table(columns, rows, OF_ATTRIBUTES)


def _of_attributes(found: dict[str, Value]) -> Iterator[tuple[str, tuple[float, ...]]]:
    for name in ATTRIBUTES:
        if f"kept {name}" in found:
            kept, matched, told = (
                found[f"{kind} {name}"].measured for kind in ("kept", "matched", "information on")
            )
            yield name, (kept.value, matched.value, kept.floor, told.value, told.floor)


def _verdict(kept: float, matched: float, ceiling: float, told: float, most: float) -> str:
    if kept >= 0.9 * ceiling:
        return "kept"
    if matched >= 0.9 * ceiling:
        return "swapped"
    return "lost" if told < 0.1 * most else "partly"


def _cycles(found: dict[str, Value]) -> Table:
    rows = [(name, _cell(value)) for name, value in found.items() if _is_cycle(value)]
    return Table(("way there and back", "error"), rows, OF_CYCLES)


def _is_cycle(value: Value) -> bool:
    return value.measurement.quantity.name == CYCLE


def _cell(value: Value | None) -> str:
    return "–" if value is None else with_error(value.measured.value, value.measured.se)

"""An evaluation as a table, and what is said of a number beside its floor."""

from dataclasses import replace
from math import nan

import pytest

from bascule.evaluation.evaluation import Evaluation, Scale, Value
from bascule.metrics.measured import Measured
from bascule.reports.evaluation import evaluation_table, reading, title

SCALE = Scale("KID[net]", "net v1", "digest", 200, 1800)


def value(x, se, floor=1.0, floor_se=nan, better="lower", repeats=4):
    return Value(Measured(x, floor, se, floor_se, 200, 1800, repeats), SCALE, better)


READINGS = {
    "near": (value(1.3, 0.1), "at the floor"),  # doubt: 2 sqrt(0.1^2 + (0.1 * 2)^2) = 0.447
    "far": (value(1.5, 0.1), "worse than the floor"),
    "far, sure floor": (value(1.3, 0.1, floor_se=0.05), "worse than the floor"),
    "less is better": (value(0.5, 0.1), "better than the floor"),
    "more is better": (value(0.5, 0.1, better="higher"), "worse than the floor"),
    "neither": (value(0.5, 0.1, better="floor"), "below the floor"),
    "above": (value(1.5, 0.1, better="floor"), "above the floor"),
    "a rate of 0": (value(0.0, 0.0, better="higher"), "worse than the floor"),
    "one set": (value(1.5, nan), "no standard error"),
    "no number": (value(nan, nan), "not measured"),
}


@pytest.mark.parametrize("case", READINGS)
def test_reading(case):
    given, said = READINGS[case]
    assert reading(given) == said


def test_a_row_tells_value_floor_and_n():
    whole = Evaluation("run-1", 60, 5000, "faces-micah", (value(1.5, 0.1), value(2.0, nan)))
    table = evaluation_table(whole)
    assert table.rows[0] == (
        *("KID[net]", "1.50\u202f±\u202f0.10", "1", "lower", "200", "worse than the floor"),
    )
    assert table.rows[1][1] == "2"
    assert title(whole) == "5,000 fakes of run-1 after 60 epochs, against faces-micah"
    assert " after " not in title(Evaluation("f", None, 9, "d", ()))


def test_words_about_codes_stand_only_where_codes_were_measured():
    def caption(label):
        told = replace(value(1.5, 0.1), scale=replace(SCALE, label=label))
        return evaluation_table(Evaluation("run-1", 60, 5000, "faces-micah", (told,))).caption

    assert "codes" not in caption("KID[net]")
    for label in ("AUROC of shuffled[codes]", "hole L1 of layer 1 at k_fb=0[inpainted]"):
        assert "what needs no codes" in caption(label)

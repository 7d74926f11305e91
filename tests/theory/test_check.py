"""Words for numbers, on both sides of every tolerance."""

from math import nan

import pytest

from bascule.theory.check import Check


@pytest.mark.parametrize(
    ("predicted", "measured", "tolerance", "kind", "word"),
    [
        (2.0, 2.05, 0.03, "equals", "agrees"),
        (2.0, 2.07, 0.03, "equals", "differs"),
        (-2.0, -2.05, 0.03, "equals", "agrees"),
        (0.0, 0.02, 0.03, "equals", "agrees"),
        (0.0, -0.04, 0.03, "equals", "differs"),
        (3.0, 3.0, 0.0, "equals", "agrees"),
        (0.8, 0.1, 0.01, "at most", "bound holds"),
        (0.8, 0.805, 0.01, "at most", "bound holds"),
        (0.8, 0.82, 0.01, "at most", "differs"),
        (0.8, 0.9, 0.01, "at least", "bound holds"),
        (0.8, 0.78, 0.01, "at least", "differs"),
        (6.3, 1.0, 0.0, "reference", "reference"),
        (1.0, nan, 9.0, "equals", "differs"),
        (1.0, nan, 9.0, "at most", "differs"),
    ],
)
def test_every_verdict(predicted, measured, tolerance, kind, word):
    assert Check("x", predicted, measured, tolerance, "by hand", kind).word == word


def test_the_error_is_relative_unless_nothing_is_predicted():
    assert Check("x", -2.0, -1.0, 0.0, "").error == 0.5
    assert Check("x", 0.0, -0.25, 0.0, "").error == -0.25

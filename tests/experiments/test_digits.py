"""Numbers with as many digits as are known of them."""

from math import inf, nan

import pytest

from bascule.experiments.digits import bracketed, number, rounded


@pytest.mark.parametrize(
    ("half", "numbers", "told"),
    [
        (0.0438, (0.3312, 0.2874, 0.3750), ["0.331", "0.287", "0.375"]),
        (26.2, (13.14, -13.04, 39.33), ["13", "−13", "39"]),
        (123.4, (1234.0, 1110.6), ["1230", "1110"]),
        (0.0996, (0.5,), ["0.50"]),  # two digits of 0.10
        (0.00011, (0.4999,), ["0.49990"]),
        (1.2e-6, (3.456e-5, 2.2e-7), ["3.46e−05", "2e−07"]),
        (0.05, (-0.0001,), ["0.000"]),
        (0.0, (0.36641,), ["0.3664"]),
        (nan, (0.36641,), ["0.3664"]),
        (inf, (12345.6,), ["1.235e+04"]),
        (1e-17, (0.36641,), ["0.3664"]),  # the rounding of a mean
    ],
)
def test_two_digits_of_the_half_width_decide(half, numbers, told):
    assert rounded(half, *numbers) == told


def test_a_cut_interval_is_rounded_as_the_whole():
    assert bracketed(0.01, 0.0, 0.04, 0.03) == ("0.010", "[0.000, 0.040]")
    assert bracketed(0.36641, -inf, inf, inf) == ("0.3664", "")


def test_a_number_without_an_error_has_four_digits():
    assert number(-0.123456) == "−0.1235" and number(-0.0) == "0" and number(nan) == "–"

"""Numbers and regions in words."""

from math import inf, nan
from types import SimpleNamespace

import numpy as np
import pytest

from bascule.experiments.intervals import Interval
from bascule.reports import facts
from bascule.reports.curves import Change
from fakes import ARMS, SWITCH


def test_numbers_regions_and_intervals():
    assert facts.number(-0.123456) == "−0.1235" and facts.number(-0.0) == "0"
    assert facts.number(nan) == "–"
    assert facts.region(0.45, 0.55) == "0.45 to 0.55"
    assert facts.region(-inf, -0.1) == "at most −0.1" and facts.region(5, inf) == "at least 5"
    assert facts.interval(Interval(0.5, 0.4, 0.6)) == "0.50 [0.40, 0.60]"
    assert facts.interval(Interval(0.5, -inf, inf)) == "0.5 [no interval]"
    assert facts.interval(Interval(0.01, -0.02, 0.04).within(0, 1)) == "0.010 [0.000, 0.040]"
    assert facts.interval(Interval(nan, -inf, inf)) == "not measured"
    # t(0.975, 2) = 4.3027; standard deviation 1 over sqrt(3)
    assert facts.plus_minus([1, 2, 3]) == "2.0 ± 2.5" and facts.plus_minus([1]) == "1"
    assert facts.duration(3725) == "1 h 02 min" and facts.duration(59.6) == "1 min 00 s"


def test_a_p_is_told_no_finer_than_it_is_known():
    assert facts.probability(0.01234) == "0.012" and facts.probability(1.0) == "1"
    assert facts.probability(3e-9) == "below 0.0001" and facts.probability(nan) == "–"


def test_changes_of_several_arms_share_a_line():
    assert facts.changes(list(ARMS.values())) == [Change(SWITCH, "PerfectG, InstanceNoise")]


@pytest.mark.parametrize(
    ("computed", "told", "not_told"),
    [
        ([("cpu", "fp32")], "The numbers come out the same bit for bit", "not promised"),
        ([("cpu", "bf16")], "For bf16 and for GPUs, as here, equal bits are not promised", "same"),
        ([("cuda", "fp32")], "equal bits are not promised", "bit for bit"),
        ([("cpu", "fp32"), ("cpu", "bf16")], "For the others equal bits are not", "The numbers"),
        ([], "Every draw is addressed", "bit"),
    ],
)
def test_only_what_is_promised_is_called_exact(computed, told, not_told):
    recipe = ARMS["plain"]
    runs = [
        SimpleNamespace(recipe=recipe.replace(device=device, precision=precision))
        for device, precision in computed
    ]
    found = facts.reproducibility(runs, "Runs")
    assert told in found and not_told not in found.replace("last bits differ", "")


def test_paths_lose_their_folders_and_addresses_do_not():
    told = "cannot write /home/me/runs/x.pt: see https://example.org/a/b, or 3/4 of C:\\d\\e.txt"
    assert facts.without_paths(told) == (
        "cannot write …/x.pt: see https://example.org/a/b, or 3/4 of …/e.txt"
    )


def test_the_last_epochs_of_a_scalar_are_those_that_measured_it():
    first_stage = np.array([9.0, 1.0, 2.0, 3.0, 4.0, 5.0, np.nan, np.nan])
    assert facts.final({"cost": first_stage}, "cost") == 3.0
    assert facts.final({"cost": first_stage}, "loss_D") is None
    assert facts.final({"cost": np.array([np.nan])}, "cost") is None
    assert facts.finals([{"cost": first_stage}], ["cost"]) == ["3"]


def test_arms_with_the_same_rows_share_them():
    found = {"a": [("1", "x"), ("2", "y")], "b": [("1", "x")], "c": [("1", "x"), ("2", "y")]}
    assert facts.alike(found) == {"a; c": ["a", "c"], "b": ["b"]}
    assert facts.shared(found) == [("a; c", "1", "x"), ("a; c", "2", "y"), ("b", "1", "x")]


def test_the_rounding_of_a_mean_is_no_interval():
    assert facts.plus_minus([0.3664, 0.3664, 0.36640000000000006]) == "0.3664 ± 0"
    assert facts.plus_minus([0.3664, 0.3665]) != "0.3664 ± 0"


def test_a_mean_over_seeds_stays_within_its_limits():
    shares = [0.0, 0.01, 0.05]  # mean 0.02, half width 4.3027 * 0.02646 / sqrt(3) = 0.0657
    assert facts.plus_minus(shares) == "0.020 ± 0.066"
    assert facts.plus_minus(shares, (0, 1)) == "0.020 [0.000, 0.086]"
    curves = [{"D_Gz": np.full(5, x), "loss_D": np.full(5, x)} for x in shares]
    assert facts.finals(curves, ["D_Gz", "loss_D"]) == ["0.020 [0.000, 0.086]", "0.020 ± 0.066"]
    of_game = facts.finals(curves, ["loss_D"], list(ARMS.values()))
    assert of_game == ["0.020 [0.000, 0.086]"]  # a cross-entropy is not below 0

"""What each prediction measures, against hand-computed numbers."""

import re
from math import inf, isnan

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.experiments.intervals import Interval
from bascule.experiments.predictions import (
    KID,
    Alike,
    Closes,
    Exceeds,
    Falls,
    Higher,
    Lower,
    Rises,
    Settles,
    Spike,
    Within,
    check,
    mean_tv,
)


def curves(**arms):
    """``curves(a=[...])``: loss_D and its highest batches are the given numbers, on seed 7."""
    return {
        arm: {7: {"loss_D": np.array(values), "loss_D_max": np.array(values) + 1.0}}
        for arm, values in arms.items()
    }


def test_within_is_the_mean_of_the_window():
    p = Within("loss_D", "a", 1, 2, from_epoch=1, to_epoch=3)
    assert p.measure(curves(a=[9.0, 1.0, 2.0, 9.0]), 7) == 1.5
    assert p.region() == (1, 2)
    assert p.claim() == "loss_D of “a” lies in [1, 2] in epochs 1 to 2"


def test_lower_and_higher_are_paired_differences():
    both = curves(a=[0.0, 1.0, 2.0], b=[0.0, 4.0, 7.0])
    lower = Lower("loss_D", "a", than="b", by=0.5, from_epoch=1)
    higher = Higher("loss_D", "b", than="a", from_epoch=2)
    assert lower.measure(both, 7) == 1.5 - 5.5
    assert lower.region() == (-inf, -0.5)
    assert higher.measure(both, 7) == 5.0
    assert higher.region() == (0.0, inf)
    assert "higher than of “a” from epoch 2" in higher.claim()


def test_spike_counts_standard_deviations_of_what_was():
    p = Spike("loss_D", "a", at_epoch=3, before=3, width=2)
    # maxima before: 2, 3, 4 (mean 3, deviation 1); the peak of epochs 3 and 4 is 11
    assert p.measure(curves(a=[1.0, 2.0, 3.0, 5.0, 10.0, 99.0]), 7) == pytest.approx(8.0)


def test_settles_is_the_spread_over_epochs():
    p = Settles("loss_D", "a", within=1.0, from_epoch=2)
    assert p.measure(curves(a=[50.0, 9.0, 1.0, 2.0, 3.0]), 7) == pytest.approx(1.0)
    assert p.region() == (-inf, 1.0)


@pytest.mark.parametrize(
    ("prediction", "told"),
    [
        (Within("loss_D", "x", 0, 1), "unknown arm in Within 'x'"),
        (Lower("loss_D", "a", than="plane"), "did you mean plain"),
        (Within("lossD", "a", 0, 1), "did you mean loss_D"),
        (Within("D_x", "a", 0, 1, from_epoch=10), "epoch 10 never comes, the run has 10 epochs"),
        (Within("D_x", "a", 0, 1, from_epoch=3, to_epoch=11), "epochs 3 to 11 never comes"),
        (Spike("D_x", "a", at_epoch=1), "at least 2 epochs before"),
        (Settles("D_x", "a", 0.1, from_epoch=9), "at least 2 epochs"),
        (Within("D_x", "a", 1, 0), "is empty"),
    ],
)
def test_what_can_never_be_measured_is_refused(prediction, told):
    with pytest.raises(UserError, match=told):
        check(prediction, {"a": 10, "plain": 10})


def measured(**arms):
    """``measured(a=[...])``: KID and mmd are the given numbers, None where nothing was measured."""
    nan = float("nan")
    values = {arm: np.array([nan if v is None else v for v in row]) for arm, row in arms.items()}
    return {arm: {7: {str(KID): row, "mmd": row}} for arm, row in values.items()}


def test_what_was_measured_at_a_few_epochs_is_their_mean():
    found = measured(a=[None, 4.0, None, 6.0], b=[None, 1.0, None, 2.0])
    assert Within("mmd", "a", 0, 9).measure(found, 7) == 5.0
    assert Within("mmd", "a", 0, 9, from_epoch=2).measure(found, 7) == 6.0
    assert Lower("mmd", "b", than="a", from_epoch=2).measure(found, 7) == -4.0
    assert isnan(Within("mmd", "a", 0, 9, from_epoch=2, to_epoch=3).measure(found, 7))
    assert isnan(Within("coverage", "a", 0, 9).measure(found, 7))  # never measured


def test_of_an_evaluation_the_last_counts_unless_a_window_is_given():
    found = measured(a=[None, 4.0, None, 6.0])
    assert Within(KID, "a", 0, 9).measure(found, 7) == 6.0
    assert Within(KID, "a", 0, 9).claim() == f"{KID} of “a” lies in [0, 9] at the end"
    assert Within(KID, "a", 0, 9, to_epoch=2).measure(found, 7) == 4.0


def test_alike_is_a_difference_with_two_sides():
    p = Alike("loss_D", "a", than="b", by=0.5)
    assert p.measure(curves(a=[1.0, 2.0], b=[1.0, 1.0]), 7) == 0.5
    assert p.region() == (-0.5, 0.5)
    assert p.claim() == "loss_D of “a” and “b” differs by at most 0.5 over the run"
    with pytest.raises(UserError, match="expected a number > 0, the largest difference"):
        Alike("loss_D", "a", than="b")


def test_rises_and_falls_compare_two_windows_of_one_arm():
    one = curves(a=[1.0, 3.0, 9.0, 9.0, 4.0, 6.0])
    rises = Rises("loss_D", "a", earlier=(0, 2), later=(4, 6), by=1)
    assert rises.measure(one, 7) == 5.0 - 2.0
    assert rises.region() == (1, inf)
    assert rises.claim() == (
        "loss_D of “a” rises by more than 1 from epochs 0 to 1 to epochs 4 to 5"
    )
    falls = Falls("loss_D", "a", earlier=(2, 4), later=(4, 6))
    assert falls.measure(one, 7) == -4.0
    assert falls.region() == (-inf, 0.0)


@pytest.mark.parametrize(
    ("prediction", "told"),
    [
        (Within("KIT[x,1px]", "a", 0, 1), "unknown measure in Within 'KIT': did you mean KID"),
        (Within("covrage", "a", 0, 1), "did you mean coverage"),
        (Rises("mmd", "a", (0, 5), (8, 12)), "epochs 8 to 12 never comes"),
        (Rises("mmd", "a", (5, 5), (8, 9)), "epochs 5 to 5 never comes"),
    ],
)
def test_more_that_cannot_be_measured_is_refused(prediction, told):
    with pytest.raises(UserError, match=re.escape(told)):
        check(prediction, {"a": 10})


@pytest.mark.parametrize(
    "scalar", ["lead", "r_t", "auc_held_out", "ResetD.0/resets", KID, mean_tv(32)]
)
def test_known_scalars(scalar):
    check(Within(scalar, "a", 0, 0.9), {"a": 10})


def test_exceeds_compares_two_scalars_of_one_arm():
    curves = {"a": {0: {"x": np.array([1.0, 5.0]), "y": np.array([2.0, 2.0])}}}
    prediction = Exceeds("x", "y", "a", by=0.5, from_epoch=1)
    assert prediction.measure(curves, 0) == 3
    assert prediction.region() == (0.5, np.inf)
    assert prediction.claim() == "x of “a” exceeds its y by more than 0.5 from epoch 1"
    with pytest.raises(UserError, match="unknown scalar in Exceeds 'y': known"):
        check(Exceeds("loss_D", "y", "a"), {"a": 10})
    with pytest.raises(UserError, match="unknown measure in Exceeds 'SSIM of layer 0'"):
        check(Exceeds("SSIM of layer 1[k_fb=1]", "SSIM of layer 0[k_fb=1]", "a"), {"a": 10})
    with pytest.raises(UserError, match="nothing is measured"):
        check(Exceeds("cost[k_fb=1]", "cost[k_fb=0]", "a"), {"a": 10}, measured=False)


def test_scalars_are_those_of_the_arms():
    check(Within("error_2", "a", 0, 1), {"a": 10}, ("cost", "error_1", "error_2"))
    with pytest.raises(UserError, match="unknown scalar in Within 'loss_D'"):
        check(Within("loss_D", "a", 0, 1), {"a": 10}, ("cost", "error_1", "error_2"))


def test_without_a_measure_nothing_can_be_said_of_an_evaluation():
    with pytest.raises(UserError, match="nothing is measured; give measure="):
        check(Within(KID, "a", 0, 1), {"a": 10}, measured=False)


def test_closes_is_the_share_of_the_gap_to_the_bound():
    curves = {
        "ours": {0: {"L1[t]": np.array([np.nan, 0.3]), "L1 of copy[t]": np.array([np.nan, 0.5])}},
        "bound": {0: {"L1[t]": np.array([np.nan, 0.1])}},
    }
    prediction = Closes("L1[t]", "L1 of copy[t]", "ours", than="bound", part=0.4)
    assert prediction.measure(curves, 0) == pytest.approx(0.5)
    assert prediction.region() == (0.4, inf)
    assert "closes at least 40% of the gap between L1 of copy[t] and “bound”" in prediction.claim()
    for no_better in (0.5, 0.7):
        worse = {"ours": curves["ours"], "bound": {0: {"L1[t]": np.array([no_better])}}}
        assert isnan(prediction.measure(worse, 0))


def test_measures_of_translation_are_known():
    arms = {"a": 3, "b": 3}
    for label in ("paired L1", "kept hair_colour", "R@1 of random target", "cycle L1 after JPEG"):
        check(Lower(f"{label}[translation,64px]", "a", than="b"), arms)
    check(Closes("paired L1[x]", "paired L1 of copy[x]", "a", than="b"), arms)
    for label in ("paired L2", "R@1 of nothing", "cycle L1 of copy"):
        with pytest.raises(UserError, match="unknown measure in Lower"):
            check(Lower(f"{label}[translation,64px]", "a", than="b"), arms)
    with pytest.raises(UserError, match="unknown arm in Closes"):
        check(Closes("paired L1[x]", "paired L1 of copy[x]", "a", than="c"), arms)


def seen(low, high):
    return Interval((low + high) / 2, low, high)


ONE_SEED = Interval(0.3, -inf, inf)
LOWER = Lower("D_Gz", "new", than="old", from_epoch=5)


@pytest.mark.parametrize(
    ("prediction", "shown", "told"),
    [
        (LOWER, seen(-0.4, -0.2), "D_Gz is 0.30 lower [0.20, 0.40] in “new” than in “old”"),
        (LOWER, seen(0.2, 0.4), "D_Gz is 0.30 higher [0.20, 0.40] in “new” than in “old”"),
        (LOWER, seen(-0.1, 0.2), "neither clearly higher nor clearly lower in “new” than in “old”"),
        (LOWER, seen(-0.1, 0.2), "from epoch 5: the difference is 0.05 [−0.10, 0.20]"),
        (LOWER, ONE_SEED, "D_Gz is 0.3 higher in “new” than in “old” from epoch 5"),
        (LOWER, Interval(0.0, 0.0, 0.0), "D_Gz is the same in “new” and in “old”"),
        (Higher(KID, "new", than="old"), seen(1, 3), "KID is 2.0 higher [1.0, 3.0] in “new”"),
        (
            Alike("D_x", "a", than="b", by=1),
            seen(-0.1, 0.2),
            "D_x is alike in “a” and “b” over the",
        ),
        (Alike("D_x", "a", than="b", by=0.1), seen(0.2, 0.4), "D_x is 0.30 higher [0.20, 0.40]"),
        (
            Within("D_x", "a", 0, 0.1),
            seen(0.2, 0.4),
            "D_x of “a” is 0.30 [0.20, 0.40] over the run",
        ),
        (Exceeds("D_x", "D_Gz", "a"), seen(-0.4, -0.2), "is 0.30 lower [0.20, 0.40] than its D_Gz"),
        (
            Exceeds("SSIM[1]", "SSIM[2]", "a"),
            seen(-0.1, 0.2),
            "SSIM[1] of “a” is neither clearly higher nor clearly lower than its SSIM[2]",
        ),
        (
            Closes("L1[x]", "L1 of copy[x]", "a", than="b"),
            seen(0.1, 0.3),
            "L1 of “a” closes 0.20 [0.10, 0.30] of the gap between L1 of copy (0) and “b” (1)",
        ),
        (
            Rises("mmd", "a", (0, 2), (4, 6)),
            seen(-0.4, -0.2),
            "mmd of “a” becomes 0.30 lower [0.20, 0.40] from epochs 0 to 1 to epochs 4 to 5",
        ),
        (Falls("mmd", "a", (0, 2), (4, 6)), seen(-0.1, 0.2), "neither clearly rises nor clearly"),
        (
            Spike("loss_D", "a", 9),
            seen(8, 18),
            "at epoch 9 loss_D of “a” jumps, and its peak stands 13",
        ),
        (Spike("loss_D", "a", 9), seen(-13, 39), "has a peak that stands 13 [−13, 39] standard"),
        (Spike("loss_D", "a", 9), seen(-3, -1), "stands 2.0 [1.0, 3.0] standard deviations below"),
        (Settles("D_x", "a", 0.05, 5), seen(0.1, 0.3), "D_x of “a” varies by 0.20 [0.10, 0.30]"),
    ],
)
def test_what_was_found_follows_the_numbers_and_not_the_claim(prediction, shown, told):
    assert told in prediction.found(shown)


def test_what_a_difference_means_follows_its_sign():
    assert LOWER.meaning(seen(0.2, 0.4)) == "D is fooled more"
    assert LOWER.meaning(seen(-0.4, -0.2)) == "D is fooled less"
    assert LOWER.meaning(seen(-0.1, 0.2)) == ""
    assert Alike("D_Gz", "a", than="b", by=1).meaning(seen(0.2, 0.4)) == ""  # alike
    assert Lower("r_v", "a", than="b").meaning(seen(0.2, 0.4)) == ""


@pytest.mark.parametrize(
    ("prediction", "low", "high"),
    [
        (Within("D_x", "a", 0, 1), 0, 1),
        (LOWER, -1, 1),
        (Rises("D_x", "a", (0, 1), (1, 2)), -1, 1),
        (Settles("r_v", "a", 0.1, 0), 0, inf),
        (Exceeds("D_x", "lead", "a"), -1, 2),
        (Lower(KID, "a", than="b"), -inf, inf),
        (Spike("D_x", "a", 3), -inf, inf),
    ],
)
def test_between_which_numbers_a_measurement_lies(prediction, low, high):
    assert prediction.limits() == (low, high)


def test_a_scalar_that_no_epoch_measured_is_no_error():
    nothing = {"a": {7: {}}}
    for claim in (Spike("lead", "a", 3), Settles("mmd", "a", 0.1, 0), Within("mmd", "a", 0, 1)):
        assert isnan(claim.measure(nothing, 7))

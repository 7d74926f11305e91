"""What each prediction measures, against hand-computed numbers."""

from math import inf

import numpy as np
import pytest

from bascule.errors import Refusal
from bascule.experiments.predictions import Higher, Lower, Settles, Spike, Within, check


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
    with pytest.raises(Refusal, match=told):
        check(prediction, {"a": 10, "plain": 10})

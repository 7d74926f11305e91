"""Outlooks of predictions and chances of a verdict, from pilot curves."""

from math import inf, isnan

import numpy as np
import pytest

from bascule.experiments.planning import chances, outlook, told
from bascule.experiments.power import careful
from bascule.experiments.predictions import Higher, ShareOfRuns, Within
from bascule.experiments.verdict import find


def curves(**arms):
    return {
        arm: {seed: {"loss_D": np.full(4, x)} for seed, x in enumerate(values)}
        for arm, values in arms.items()
    }


def test_the_outlook_of_one_arm_by_hand():
    found = find(Within("loss_D", "a", 0.5, inf), curves(a=[1.0, 1.1, 1.2]), range(3))
    seen = outlook(found, 5)
    assert seen.pilot == 3 and seen.distance == pytest.approx(0.6) and seen.holds
    assert seen.deviation == pytest.approx(careful(0.1, 3)) and not seen.two_arms
    assert seen.needed == 4 and 0.3 < seen.finds < 0.5
    assert "5 seeds find a distance of 0.3" in told(seen, 5) and "take 4 seeds" in told(seen, 5)


def test_two_arms_share_one_deviation_from_both():
    pilot = curves(a=[1.0, 1.1, 1.2], b=[2.0, 2.3, 2.6])
    found = find(Higher("loss_D", "b", than="a"), pilot, range(3))
    seen = outlook(found, 5)
    assert seen.two_arms and seen.distance == pytest.approx(1.2)
    assert seen.deviation == pytest.approx(careful(((0.1**2 + 0.3**2) / 2) ** 0.5, 5))
    paired = find(Higher("loss_D", "b", than="a"), pilot, range(3), shares_past=lambda a, b: True)
    assert outlook(paired, 5).deviation == pytest.approx(careful(0.2, 3))


def test_without_a_pilot_or_without_spread_nothing_is_promised():
    for pilot in (curves(a=[1.0]), curves(a=[1.0, 1.0, 1.0]), curves(a=[])):
        seen = outlook(find(Within("loss_D", "a", 0.5, inf), pilot, range(len(pilot["a"]))), 5)
        assert isnan(seen.deviation) and seen.needed is None and told(seen, 5) == ""
        assert chances([seen], 5) is None


def test_a_share_of_runs_needs_the_runs_of_an_exact_interval():
    """With no collapse seen, the upper end of 0 of n falls below 0.2 at 17 runs."""
    found = find(ShareOfRuns("loss_D", "a", high=0.1, most=0.2), curves(a=[1, 1, 1]), range(3))
    assert outlook(found, 5).needed == 17


def test_chances_tell_whether_a_verdict_can_come_out_both_ways():
    sure = find(Within("loss_D", "a", 0.5, inf), curves(a=[3.0, 3.1, 3.2]), range(3))
    weak = find(Within("loss_D", "a", 1.0, inf), curves(a=[1.0, 1.1, 1.2]), range(3))
    clear = chances([outlook(sure, 5)], 5)
    assert clear.supported == clear.refuted == 1.0 and clear.both_ways and clear.needed <= 5
    both = chances([outlook(sure, 5), outlook(weak, 5)], 5)
    assert both.supported < 0.3 and both.refuted == 1.0 and not both.both_ways
    assert both.needed is None or both.needed > 20

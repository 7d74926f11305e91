"""Power: against textbook values, and the seeds that effects take."""

from math import inf

import pytest
from scipy import stats

from bascule.experiments.power import careful, detectable, power, seeds_needed


def test_the_power_of_one_sample_is_at_most_that_of_students_test():
    """Noncentral t, two-sided at 95 %; the sign test takes a little of it."""
    for effect in (1.0, 2.0, 3.0):
        t = stats.nct.sf(stats.t.ppf(0.975, 4), 4, effect * 5**0.5)
        assert t - 0.12 < power(effect, 5, False, 0.95) < t + 0.03


def test_the_power_of_two_arms_is_that_of_a_two_sample_test():
    """With 8 seeds Welch's test is as strong as the pooled one, within the simulation's error."""
    t = stats.nct.sf(stats.t.ppf(0.975, 14), 14, 1.5 * (8 / 2) ** 0.5)
    assert power(1.5, 8, True, 0.95) == pytest.approx(t, abs=0.04)


def test_no_effect_is_found_as_often_as_the_level_allows():
    assert power(0.0, 5, False, 0.95) < 0.035 and power(0.0, 5, True, 0.95) < 0.035


def test_what_is_found_shrinks_with_seeds_and_grows_with_looks_and_claims():
    found = [detectable(n, True) for n in (3, 5, 8)]
    assert found == sorted(found, reverse=True) and detectable(2, True) == inf
    assert detectable(5, True, look=2) > detectable(5, True)
    assert detectable(5, True, claims=10) > detectable(5, True)
    assert power(detectable(5, True), 5, True, 0.95) == pytest.approx(0.8, abs=0.05)


def test_seeds_needed_have_the_power_and_fewer_have_not():
    n = seeds_needed([1.2], [True])
    assert power(1.2, n, True, 0.95) >= 0.8 > power(1.2, n - 1, True, 0.95)
    assert seeds_needed([1.2, 1.2], [True, True]) > n
    assert seeds_needed([0.05], [True]) is None and seeds_needed([0.0], [False]) is None


def test_a_careful_deviation_is_exceeded_by_the_truth_in_one_pilot_of_five():
    import numpy as np

    pilots = np.random.default_rng(0).normal(size=(4000, 3)).std(1, ddof=1)
    below = [careful(s, 3) < 1 for s in pilots]
    assert np.mean(below) == pytest.approx(0.2, abs=0.03)

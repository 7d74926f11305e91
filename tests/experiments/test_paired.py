"""Arms among runs, and differences within a seed."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from bascule.experiments.paired import arms_of, difference
from bascule.interventions import PerfectG


def test_runs_of_one_recipe_but_for_the_seed_are_one_arm(tiny, make_run):
    plain = [make_run(tiny.replace(seed=s), f"q plain s{s}") for s in (0, 1)]
    swap = [
        make_run(tiny.replace(seed=s, interventions=PerfectG(2)), f"q swap s{s}") for s in (1, 2)
    ]
    arms = arms_of([plain[0], swap[0], plain[1], swap[1]])
    assert arms == {
        "plain": {0: plain[0], 1: plain[1]},
        "swap": {1: swap[0], 2: swap[1]},
    }


def test_two_arms_of_one_name_stay_two(tiny, make_run):
    runs = [make_run(tiny.replace(epochs=n), "same") for n in (3, 4)]
    assert list(arms_of(runs)) == ["same", runs[1].id]


def test_a_second_run_of_one_seed_is_an_arm_of_its_own(tiny, make_run, tmp_path):
    first = make_run(tiny, "first")
    again = SimpleNamespace(id="again", name="again", recipe=tiny, about=first.about)
    assert arms_of([first, again]) == {"first": {0: first}, "again": {0: again}}


OURS, THEIRS = {0: 1.0, 1: 4.0, 2: 2.5, 7: 9.0}, {2: 1.0, 1: 2.0, 0: 0.0}


def test_only_matched_seeds_count_and_the_interval_of_pairs_is_students():
    found = difference("x", "b", "a", OURS, THEIRS, paired=True)
    assert found.values == {0: 1.0, 1: 2.0, 2: 1.5}
    assert found.interval.mean == pytest.approx(1.5)
    half = 4.302652729911275 * np.std([1, 2, 1.5], ddof=1) / np.sqrt(3)  # t of 2 degrees, 97.5 %
    assert found.interval.high - found.interval.mean == pytest.approx(half)


def test_arms_without_a_shared_past_have_welchs_interval():
    found = difference("x", "b", "a", OURS, THEIRS)
    welch = stats.ttest_ind([1.0, 4.0, 2.5], [0.0, 2.0, 1.0], equal_var=False)
    told = (found.interval.low, found.interval.high)
    assert told == pytest.approx(tuple(welch.confidence_interval(0.95)))
    equal = difference("x", "b", "a", {0: 1.0, 1: 1.0}, {0: 0.5, 1: 0.5})
    assert (equal.interval.low, equal.interval.high) == (0.5, 0.5)

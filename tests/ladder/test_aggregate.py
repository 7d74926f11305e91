"""Interquartile means, probabilities of improvement and profiles, by hand and against SciPy."""

from math import isnan

import numpy as np
import pytest
from scipy import stats

from bascule.ladder.aggregate import (
    Task,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    scores,
    standings,
    why_no_scores,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 7, 8, 30])
def test_the_interquartile_mean_is_scipy_s_trimmed_mean(n):
    x = RNG.normal(size=(6, n))
    assert np.allclose(interquartile_mean(x), stats.trim_mean(x, 0.25, axis=1))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (8, 8)])
def test_the_probability_of_improvement_is_that_of_mann_and_whitney(n, m):
    x, y = RNG.integers(0, 5, n), RNG.integers(0, 5, m)  # with ties
    found = probability_of_improvement(x, y)
    assert found == pytest.approx(stats.mannwhitneyu(x, y).statistic / (n * m))
    assert found + probability_of_improvement(y, x) == pytest.approx(1)
    assert np.allclose(
        probability_of_improvement(np.stack([x, x + 9]), np.stack([y, y])), [found, 1]
    )


def test_a_profile_is_the_share_above_each_threshold():
    found = performance_profile(np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.0, 0.1, 0.5, 0.8, 0.9]))
    assert found.tolist() == [1, 0.75, 0.25, 0.25, 0]


# KID of the reference is 2 on the mean, its floor 0; coverage 0.1 on the mean, its floor 0.9.
KID = Task("faces", {"old": np.array([1.0, 3.0]), "new": np.array([0.5, 1.0, 3.0])}, 0.0)
COVERAGE = Task("dogs", {"old": np.array([0.0, 0.2]), "new": np.array([0.5, 0.9])}, 0.9)


def test_zero_is_the_reference_and_one_the_floor_in_either_direction():
    assert scores(KID, "old")["new"].tolist() == [0.75, 0.5, -0.5]
    assert np.allclose(scores(COVERAGE, "old")["new"], [0.5, 1.0])
    for task in (KID, COVERAGE):
        assert scores(task, "old")["old"].mean() == pytest.approx(0)


def test_a_reference_as_good_as_held_out_reals_gives_no_scores():
    assert why_no_scores(KID, "old", "lower") == why_no_scores(COVERAGE, "old", "higher") == ""
    told = why_no_scores(Task("dogs", {"old": np.array([0.001, 0.003])}, 0.004), "old", "lower")
    assert (
        told
        == "on dogs the reference old is as good as held-out reals already (0.002, floor 0.004)"
    )


def test_standings_are_over_all_runs_and_tasks():
    found = standings([KID, COVERAGE], "old", np.array([0.0, 0.6]))
    # Scores are -0.5, 0.5, 0.5, 0.75 and 1; one is left out at either end.
    assert found["new"].iqm.value == pytest.approx((0.5 + 0.5 + 0.75) / 3)
    # Of KID, 0.5 is better than 1 and 3; 1 ties and is better than 3; 3 ties with 3.
    assert found["new"].improvement.value == pytest.approx(((2 + 1.5 + 0.5) / 6 + 1) / 2)
    assert found["new"].profile == pytest.approx([0.8, 0.4])
    assert found["old"].improvement.value == 0.5 and found["old"].iqm.value == pytest.approx(0)
    for standing in found.values():
        assert standing.iqm.low <= standing.iqm.value <= standing.iqm.high
        assert (standing.low <= standing.profile).all() and (
            standing.profile <= standing.high
        ).all()
    assert standings([KID, COVERAGE], "old", np.array([0.0]))["new"].iqm == found["new"].iqm


def test_a_recipe_that_lacks_a_task_has_no_standing_and_a_single_run_no_interval():
    lone = Task("faces", KID.runs | {"lone": np.array([1.0]), "lost": np.array([])}, 0.0)
    found = standings([lone], "old", np.array([0.0]))
    assert set(found) == {"old", "new", "lone"}
    assert found["lone"].iqm.value == 0.5 and isnan(found["lone"].iqm.low)
    assert isnan(found["lone"].low[0]) and isnan(found["lone"].improvement.high)
    assert set(standings([lone, COVERAGE], "old", np.array([0.0]))) == {"old", "new"}


def test_the_interval_is_as_wide_as_the_number_varies_when_all_runs_are_repeated():
    """Ten runs on one set, and a reference that is measured by ten runs, too."""
    rng, found = np.random.default_rng(1), []
    for _ in range(60):
        runs = {"old": rng.normal(10, 1, 10), "new": rng.normal(6, 1, 10)}
        found.append(standings([Task("t", runs, 0.0)], "old", np.array([0.0]))["new"].iqm)
    deviation = np.std([iqm.value for iqm in found], ddof=1)
    widths = [iqm.high - iqm.low for iqm in found]
    # The deviation of 60 numbers is known to 10 %, and few runs make intervals narrower.
    assert 0.7 < np.mean(widths) / (2 * 1.96 * deviation) < 1.3
    assert np.mean([iqm.low <= 0.4 <= iqm.high for iqm in found]) > 0.8

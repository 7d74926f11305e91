"""Counts of categories against counts by hand, and floors against what chance must give."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics.categories import (
    beside_floor,
    joint_coverage,
    missing,
    out_of_vocabulary,
    total_variation,
)


def labels(**counts: int) -> np.ndarray:
    return np.repeat(list(counts), list(counts.values()))


def test_total_variation_by_hand() -> None:
    real = labels(afro=50, bald=30, full=20)
    assert total_variation(real, real) == 0
    assert total_variation(real[::2], real) == pytest.approx(0)  # shares, not numbers
    # |.8-.5| + |.1-.3| + |.1-.2| = .6, halved
    assert total_variation(labels(afro=8, bald=1, full=1), real) == pytest.approx(0.3)
    assert total_variation(labels(full=7), real) == pytest.approx(0.8)
    assert total_variation(labels(turban=7), real) == 1
    assert total_variation(np.array([0, 0, 1]), np.array([0, 1, 1])) == pytest.approx(1 / 3)


def test_total_variation_is_scipys_distance_of_indicator_means() -> None:
    rng = np.random.default_rng(0)
    p, q = rng.integers(0, 9, 400), rng.integers(0, 12, 300)
    events = [(p == k).mean() - (q == k).mean() for k in range(12)]
    assert total_variation(p, q) == pytest.approx(sum(e for e in events if e > 0))
    assert total_variation(p, q) == pytest.approx(total_variation(q, p))


def test_missing_names_what_fakes_never_show_and_what_chance_would_miss() -> None:
    real = labels(afro=700, bald=200, full=96, seldom=4)
    found = missing(labels(bald=10), real)
    assert found.categories == ("afro", "full")  # the most frequent first; 0.4 % is too little
    assert found.by_chance == pytest.approx(0.3**10 + 0.8**10 + 0.904**10)
    assert missing(labels(bald=10), real, least_share=0.0).categories == ("afro", "full", "seldom")
    assert missing(labels(afro=1, bald=1, full=1, unheard=5), real).categories == ()


def test_missing_by_chance_is_what_draws_from_the_reals_miss_on_average() -> None:
    rng = np.random.default_rng(0)
    real = rng.choice(8, 2000, p=[0.4, 0.3, 0.1, 0.1, 0.04, 0.03, 0.02, 0.01])
    drawn = [missing(rng.choice(real, 40), real) for _ in range(400)]
    assert np.mean([len(d.categories) for d in drawn]) == pytest.approx(drawn[0].by_chance, abs=0.2)


def test_joint_coverage_counts_mass_of_the_reals() -> None:
    real = np.array([["afro", "smile"]] * 5 + [["afro", "sad"]] * 3 + [["bald", "smile"]] * 2)
    fake = np.array([["afro", "smile"], ["bald", "smile"], ["bald", "sad"], ["bald", "sad"]])
    found = joint_coverage(fake, real)
    assert found.coverage == pytest.approx(0.7)
    assert found.combinations == 3
    assert joint_coverage(real, real).coverage == 1
    # every single category appears, yet no combination does
    crossed = joint_coverage(np.array([[0, 1], [1, 0]]), np.array([[0, 0], [1, 1]]))
    assert (crossed.coverage, crossed.combinations) == (0, 2)


def test_joint_coverage_of_uniform_combinations_is_the_coupon_collectors() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 10, (20_000, 2)), rng.integers(0, 10, (150, 2))
    expected = 1 - (1 - 1 / 100) ** 150
    assert joint_coverage(fake, real).coverage == pytest.approx(expected, abs=0.05)


def test_out_of_vocabulary_is_a_share() -> None:
    assert out_of_vocabulary(np.array([True, False, False, False])) == 0.25


def test_floor_is_at_the_same_n_and_errors_come_with_it() -> None:
    rng = np.random.default_rng(0)
    real, held_out = rng.integers(0, 8, 4000), rng.integers(0, 8, 1000)
    fake = np.zeros(250, int)
    found = beside_floor(lambda x: total_variation(x, real), fake, held_out, len(real))
    assert (found.n, found.m, found.repeats) == (250, 4000, 1)
    assert found.value == pytest.approx(7 / 8, abs=0.02)
    assert found.se == pytest.approx(0)  # every resample of a collapsed set is the same
    # E|p - q| of 8 shares at n = 250: about 8 / 2 * sqrt(2 / pi * q (1 - q) / n) = 0.067
    assert found.floor == pytest.approx(0.067, abs=0.02)
    one_set = beside_floor(lambda x: total_variation(x, real), held_out[:250], held_out[:250], 4000)
    assert one_set.value == pytest.approx(one_set.floor)
    assert found.floor_se == pytest.approx(one_set.se / 2, rel=0.6)  # four sets, half the error


def test_many_fakes_are_cut_into_sets_of_the_held_out_size() -> None:
    rng = np.random.default_rng(0)
    real = rng.integers(0, 8, 4000)
    found = beside_floor(
        lambda x: total_variation(x, real),
        rng.integers(0, 8, 1050),
        rng.integers(0, 8, 100),
        len(real),
    )
    assert (found.n, found.repeats) == (100, 10)
    assert found.value == pytest.approx(found.floor, abs=0.05)


def test_standard_error_of_a_share_is_the_binomial_one() -> None:
    flags = np.arange(1000) % 5 == 0
    found = beside_floor(out_of_vocabulary, flags, flags, 10)
    assert found.value == 0.2
    assert found.se == pytest.approx((0.2 * 0.8 / 1000) ** 0.5, rel=0.25)
    assert found == beside_floor(out_of_vocabulary, flags, flags, 10)
    assert found != beside_floor(out_of_vocabulary, flags, flags, 10, seed=1)


@pytest.mark.parametrize(
    ("fake", "real", "message"),
    [
        (np.array([0.5]), np.array([1]), "float64: expected text or whole"),
        (np.array([], int), np.array([1]), r"shape \(0,\)"),
        (np.array([[1]]), np.array([1]), r"expected \(n,\)"),
        (np.array(["a"]), np.array([1]), "same attributes"),
    ],
)
def test_what_are_no_labels_is_refused(fake: np.ndarray, real: np.ndarray, message: str) -> None:
    for measure in (total_variation, missing):
        with pytest.raises(UserError, match=message):
            measure(fake, real)


def test_joint_labels_of_other_widths_and_other_flags_are_refused() -> None:
    with pytest.raises(UserError, match="same attributes"):
        joint_coverage(np.zeros((3, 2), int), np.zeros((3, 3), int))
    with pytest.raises(UserError, match=r"\(n, attributes\)"):
        joint_coverage(np.zeros(3, int), np.zeros(3, int))
    for flags in (np.zeros(3), np.zeros((3, 1), bool), np.zeros(0, bool)):
        with pytest.raises(UserError, match="flags"):
            out_of_vocabulary(flags)

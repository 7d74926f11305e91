"""What a metric accepts, and the one line for what it does not."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics.frechet import frechet_distance
from bascule.metrics.manifold import manifold
from bascule.metrics.memorisation import authenticity, copying
from bascule.metrics.mmd import permutation_p, polynomial_mmd
from bascule.metrics.neighbours import nearest
from bascule.metrics.points import pair, points
from bascule.metrics.sliced import sliced_wasserstein
from bascule.metrics.spread import mean_pairwise_distance, pairwise_ratio
from bascule.metrics.support import birthday
from bascule.metrics.two_sample import one_nn
from bascule.metrics.vendi import effective_rank, vendi_score

GOOD = np.random.default_rng(0).normal(size=(30, 3))


def rng():
    return np.random.default_rng(0)


TWO = {
    "frechet": frechet_distance,
    "mmd": polynomial_mmd,
    "permutation": lambda x, y: permutation_p(x, y, 9, rng()),
    "manifold": manifold,
    "one_nn": one_nn,
    "sliced": lambda x, y: sliced_wasserstein(x, y, rng()),
    "ratio": pairwise_ratio,
    "authenticity": authenticity,
    "copying, fake": lambda x, y: copying(x, y, GOOD),
    "nearest": nearest,
}
ONE = {
    "vendi": vendi_score,
    "rank": effective_rank,
    "spread": mean_pairwise_distance,
    "birthday": lambda x: birthday(x, 1.0),
}


def test_whatever_is_numeric_becomes_float64():
    for kind in (np.float16, np.float32, np.uint8, np.int64, bool):
        found = points(np.ones((2, 3), kind))
        assert found.dtype == np.float64 and found.shape == (2, 3)
    assert points(GOOD) is GOOD


BAD = {
    "nan": (np.where(np.arange(90).reshape(30, 3) == 33, np.nan, GOOD), "row 11"),
    "inf": (np.where(np.arange(90).reshape(30, 3) == 0, np.inf, GOOD), "not finite in 1 of 30"),
    "images": (np.zeros((30, 3, 8, 8)), r"\(30, 3, 8, 8\)"),
    "one dimension": (np.zeros(30), r"\(30,\)"),
    "empty": (np.zeros((0, 3)), "0 rows"),
    "no features": (np.zeros((30, 0)), "0 features"),
    "words": (np.full((30, 3), "a"), "expected numbers"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("metric", [*TWO, *ONE])
def test_every_metric_refuses_bad_input_in_one_line(metric, bad):
    x, said = BAD[bad]
    calls = [(x,)] if metric in ONE else [(x, GOOD), (GOOD, x)]
    for call in calls:
        with pytest.raises(UserError, match=said) as refusal:
            (ONE | TWO)[metric](*call)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("metric", TWO)
def test_different_numbers_of_features_are_refused(metric):
    with pytest.raises(UserError, match="features"):
        TWO[metric](GOOD, np.zeros((30, 4)))


@pytest.mark.parametrize("metric", [*TWO, *ONE])
def test_too_few_rows_are_refused_and_enough_are_not(metric):
    fewest = {"manifold": 6, "copying, fake": 20, "nearest": 1, "authenticity": 1, "vendi": 1}
    least = fewest.get(metric, 2)
    other = GOOD[:least] if metric in ("one_nn", "sliced") else GOOD
    if metric == "sliced":
        least, other = 1, GOOD[:1]
    if metric in ONE:
        ONE[metric](GOOD[:least])
        with pytest.raises(UserError, match=r"\d rows"):
            ONE[metric](GOOD[: least - 1])
    else:
        TWO[metric](GOOD[:least], other)
        with pytest.raises(UserError, match=r"\d rows"):
            TWO[metric](GOOD[: least - 1], other)


def test_a_refusal_names_the_set():
    with pytest.raises(UserError, match=r"^held_out has 1 rows"):
        pair(GOOD[:1], GOOD, ("held_out", "train"), at_least=2)

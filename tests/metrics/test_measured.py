"""Every metric beside its floor, on fakes whose fault is known."""

from math import isnan

import numpy as np
import pytest

from bascule.core.context import address
from bascule.core.errors import UserError
from bascule.metrics.frechet import frechet_distance
from bascule.metrics.manifold import expected_coverage
from bascule.metrics.measured import (
    METRICS,
    ON_HELD_OUT,
    against_held_out,
    least,
    measure,
    take,
)
from bascule.metrics.metric import Metric
from bascule.metrics.mmd import polynomial_mmd
from bascule.metrics.vendi import vendi_score

D = 12
TRAIN, HELD_OUT = (np.random.default_rng(s).normal(size=(n, D)) for s, n in ((0, 600), (1, 120)))


def law(n, seed):
    return np.random.default_rng(seed).normal(size=(n, D))


def copies(n, seed):
    rng = np.random.default_rng(seed)
    return TRAIN[rng.permutation(600)[:n]] + 0.02 * rng.normal(size=(n, D))


def collapsed(n, seed):
    return TRAIN[:1] + 0.05 * law(n, seed)


def noisy(n, seed):
    return law(n, seed) + 2 * law(n, seed + 1000)


def test_every_metric_is_told_with_its_floor():
    found = measure(METRICS, law(600, 2), TRAIN, HELD_OUT)
    assert list(found) == list(METRICS)
    for name, m in found.items():
        assert np.isfinite([m.value, m.floor, m.se]).all() and m.se > 0, name
        sizes = {"sets": (120, 5), "whole": (600, 1), "halves": (60, 10)}
        assert (m.n, m.repeats) == sizes[METRICS[name].cut] and m.m == 600
        assert isnan(m.floor_se) == (name != "KID")
        # one set of held-out reals scatters as one set of such fakes
        alone = m.floor_se if name == "KID" else m.se * m.repeats**0.5
        assert abs(m.value - m.floor) < 4 * np.hypot(m.se, alone), name


SEEN = {
    "copies": (copies, {"C_T": -1, "authenticity": -1, "1-NN fake half": -1}),
    "collapsed": (
        collapsed,
        {
            "FD": 1,
            "KID": 1,
            "sliced W1": 1,
            "recall": -1,
            "coverage": -1,
            "Vendi": -1,
            "spread": -1,
            "1-NN accuracy": 1,
            "1-NN fake half": 1,
        },
    ),
    "noisy": (
        noisy,
        {
            "FD": 1,
            "KID": 1,
            "sliced W1": 1,
            "precision": -1,
            "density": -1,
            "coverage": -1,
            "spread": 1,
            "C_T": 1,
            "authenticity": 1,
            "1-NN real half": 1,
        },
    ),
}


@pytest.mark.parametrize("fault", SEEN)
def test_a_fault_moves_the_metrics_that_should_see_it(fault):
    fakes, moved = SEEN[fault]
    found = measure(moved, fakes(480, 3), TRAIN, HELD_OUT)
    for name, direction in moved.items():
        m = found[name]
        error = np.hypot(m.se, 0 if isnan(m.floor_se) else m.floor_se)
        assert direction * (m.value - m.floor) > 4 * error, (name, m)
        if METRICS[name].better == "lower":
            assert direction == 1
        if METRICS[name].better == "higher":
            assert direction == -1


def test_one_set_is_the_metric_itself():
    fake = law(120, 4)
    names = ["KID", "FD", "Vendi", "coverage"]
    found = measure(names, fake, TRAIN, HELD_OUT)
    assert list(found) == names
    assert found["FD"].value == pytest.approx(frechet_distance(fake, TRAIN), rel=1e-10)
    assert found["FD"].floor == pytest.approx(frechet_distance(HELD_OUT, TRAIN), rel=1e-10)
    assert found["FD"].repeats == 1 and isnan(found["FD"].se)
    assert found["Vendi"].value == pytest.approx(vendi_score(fake, TRAIN.mean(0)), rel=1e-10)
    for measured, sample in ((found["KID"].value, fake), (found["KID"].floor, HELD_OUT)):
        assert measured == pytest.approx(polynomial_mmd(sample, TRAIN).value, rel=1e-8)
    errors = [polynomial_mmd(sample, TRAIN).se for sample in (fake, HELD_OUT)]
    assert [found["KID"].se, found["KID"].floor_se] == pytest.approx(errors, rel=1e-8)


def test_few_fakes_cut_the_held_out_into_sets():
    found = measure("coverage", law(30, 5), TRAIN, HELD_OUT)["coverage"]
    assert (found.n, found.repeats) == (30, 1)
    assert isnan(found.se) and found.floor_se > 0
    assert found.floor == pytest.approx(expected_coverage(600, 30), abs=5 * found.floor_se)


def test_sets_are_disjoint_and_at_most_ten():
    """Fakes that are numbered: each set's spread of numbers tells which it took."""
    taken = []

    class Spy(Metric):
        name = "spy"

        def measure(self, fakes, reals):
            assert reals is TRAIN
            taken.append(fakes)
            return 0.0

    fake = np.arange(1250.0)[:, None] * np.ones(D)
    assert take([Spy()], fake, TRAIN, HELD_OUT)["spy"].repeats == 10
    fakes, floor = np.concatenate(taken[:10])[:, 0], taken[10]
    assert len(taken) == 11 and len(np.unique(fakes)) == 1200
    assert (np.sort(floor, axis=0) == np.sort(HELD_OUT, axis=0)).all()
    assert not (np.sort(fakes[:120]) == np.arange(120)).all()  # shuffled


def test_the_error_is_that_of_the_mean_over_fresh_fakes():
    names = ["spread", "coverage", "FD"]
    draws = [measure(names, law(400, 100 + i), TRAIN, HELD_OUT[:40]) for i in range(60)]
    for name in names:
        values = [d[name].value for d in draws]
        errors = np.array([d[name].se for d in draws])
        assert np.sqrt((errors**2).mean()) == pytest.approx(np.std(values), rel=0.3), name


def test_seeded():
    fake = law(300, 6)
    names = ["1-NN accuracy", "C_T", "sliced W1"]
    first = measure(names, fake, TRAIN, HELD_OUT, seed=1)
    again = measure(names, fake.astype(np.float64), TRAIN, HELD_OUT, seed=1)
    other = measure(names, fake, TRAIN, HELD_OUT, seed=2)
    for name in names:
        assert first[name].value == again[name].value != other[name].value


def test_bad_input_is_refused_in_one_line():
    fake = law(120, 7)
    holes = fake.copy()
    holes[3, 3] = np.nan
    wrong = {
        "did you mean coverage": ("coverge", fake, TRAIN, HELD_OUT),
        "fake is not finite": ("FD", holes, TRAIN, HELD_OUT),
        "held_out has 4 features": ("FD", fake, TRAIN, np.zeros((50, 4))),
        "fake has 0 rows": ("FD", fake[:0], TRAIN, HELD_OUT),
        "C_T needs 40 held-out images, this set holds out 30; give more": (
            *(METRICS, fake, TRAIN, HELD_OUT[:30]),
        ),
        "precision needs 7 fakes, 6 are given": ("precision", fake[:6], TRAIN, HELD_OUT),
        "FD needs 5 training images, this set has 4": ("FD", fake, TRAIN[:4], HELD_OUT),
    }
    for said, (names, *sets) in wrong.items():
        with pytest.raises(UserError, match=said):
            measure(names, *sets)


@pytest.mark.parametrize("name", [*METRICS, *ON_HELD_OUT])
def test_the_fewest_images_that_a_metric_needs_give_a_number(name):
    """And one fewer of any kind is refused."""
    fewest = least(name)
    sets = law(fewest.fakes, 8), TRAIN[: fewest.train], HELD_OUT[: fewest.held_out]
    of = measure if name in METRICS else of_held_out
    found = of([name], *sets)[name]
    assert np.isfinite([found.value, found.floor]).all()
    for place in range(3):
        fewer = [x[:-1] if k == place else x for k, x in enumerate(sets)]
        with pytest.raises(UserError, match=f"^{name} needs "):
            of([name], *fewer)


def of_held_out(names, fake, train, held_out):
    return against_held_out(fake, train, held_out, names=names)


def test_against_held_out_is_what_the_formulas_say_of_them():
    fake = law(240, 2) + 0.3
    found = against_held_out(fake, TRAIN, HELD_OUT)
    kid, coverage = found["KID on held-out"], found["coverage of held-out"]
    assert kid.value == pytest.approx(polynomial_mmd(fake, HELD_OUT).value)
    assert kid.floor == pytest.approx(polynomial_mmd(TRAIN, HELD_OUT).value)
    assert (kid.n, kid.m, coverage.n, coverage.m, coverage.repeats) == (240, 120, 120, 120, 2)
    near = np.sort(np.linalg.norm(HELD_OUT[:, None] - HELD_OUT[None], axis=2), 1)[:, 5]
    order = np.random.default_rng(address("sets", "fake", 0)).permutation(240)
    apart = np.linalg.norm(HELD_OUT[:, None] - fake[order][None], axis=2)
    shares = [(apart[:, half].min(1) < near).mean() for half in (slice(120), slice(120, 240))]
    assert coverage.value == pytest.approx(np.mean(shares))
    assert list(found) == list(ON_HELD_OUT)


def test_copies_of_training_images_are_no_better_than_those_on_held_out_ones():
    found = against_held_out(copies(600, 3), TRAIN, HELD_OUT)["KID on held-out"]
    assert found.value == pytest.approx(found.floor, abs=2 * found.floor_se)

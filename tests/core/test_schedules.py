"""Laws: numbers that vary at random or over time."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.schedules import Anneal, Cosine, Uniform, check_strength, value_at

NOW = StepContext(seed=0, epoch=3, step=12)


def over_steps(law, n=3000) -> np.ndarray:
    return np.array([value_at(law, StepContext(0, 0, step)) for step in range(n)])


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (0.5, 2.0)])
def test_uniform_is_uniform(low, high):
    drawn = over_steps(Uniform(low, high))
    assert stats.kstest(drawn, "uniform", args=(low, high - low)).pvalue > 1e-3
    assert low <= drawn.min() and drawn.max() < high


def test_uniform_is_one_number_per_moment_and_scope():
    law = Uniform(0.0, 1.0)
    assert law.value_at(NOW) == law.value_at(NOW)
    moments = [NOW, StepContext(0, 3, 13), StepContext(1, 3, 12), NOW.within("a"), NOW.within("b")]
    assert len({law.value_at(context) for context in moments}) == 5


def test_uniform_scales_one_and_the_same_draw():
    """A dose-response sweep over ``high`` differs in the dose alone, not in the luck."""
    assert Uniform(0.0, 0.4).value_at(NOW) == pytest.approx(4 * Uniform(0.0, 0.1).value_at(NOW))
    assert Uniform(1.0, 2.0).value_at(NOW) == pytest.approx(1 + Uniform(0.0, 1.0).value_at(NOW))


def test_uniform_without_width_is_that_number():
    assert Uniform(0.25, 0.25).value_at(NOW) == 0.25


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 1.0), (1, 0.75), (2, 0.5), (4, 0.0), (5, 0.0), (1000, 0.0)]
)
def test_anneal_goes_linearly_and_then_stays(epoch, expected):
    assert Anneal(1.0, 0.0, until_epoch=4).value_at(StepContext(0, epoch, 99)) == pytest.approx(
        expected
    )


def test_anneal_may_rise():
    assert Anneal(0.1, 0.3, until_epoch=2).value_at(StepContext(0, 1, 0)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    # (1 + cos(pi/3))/2 = 3/4, (1 + cos(pi/2))/2 = 1/2
    [(0, 1.0), (2, 0.2 + 0.8 * 0.75), (3, 0.6), (6, 0.2), (99, 0.2)],
)
def test_cosine_is_half_a_wave_and_then_rests(epoch, expected):
    assert value_at(Cosine(1.0, 0.2, until_epoch=6), StepContext(0, epoch, 7)) == pytest.approx(
        expected
    )


@pytest.mark.parametrize("law", [0.3, 0, 2])
def test_a_plain_number_is_its_own_law(law):
    assert value_at(law, NOW) == law
    assert isinstance(value_at(law, NOW), float)


def test_drawing_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    value_at(Uniform(0.0, 1.0), NOW)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Uniform(-0.1, 0.1), r"Uniform\(-0.1, 0.1\): expected 0 <= low <= high"),
        (lambda: Uniform(0.2, 0.1), r"Uniform\(0.2, 0.1\): expected 0 <= low <= high"),
        (lambda: Uniform(math.nan, 1.0), r"low=nan in Uniform: .* finite"),
        (lambda: Uniform(0.0, math.nan), r"high=nan in Uniform: .* finite"),
        (lambda: Anneal(-1.0, 0.0, 3), r"Anneal\(-1.0, 0.0, until_epoch=3\): expected start, end"),
        (lambda: Anneal(0.0, -1.0, 3), r"Anneal\(0.0, -1.0"),
        (lambda: Anneal(0.1, 0.0, 0), r"until_epoch=0\): expected .* until_epoch >= 1"),
        (lambda: Cosine(0.1, -1.0, 3), r"Cosine\(0.1, -1.0"),
        (lambda: Cosine(0.1, 0.0, 0), r"until_epoch=0\): expected .* until_epoch >= 1"),
        (lambda: check_strength("X", "sigma", -0.1), r"X\(sigma=-0.1\): expected a number >= 0"),
        (lambda: check_strength("X", "sigma", math.nan), r"X\(sigma=nan\)"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, said):
    with pytest.raises(UserError, match=said) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Anneal(math.nan, 0.1, 3),
        lambda: Anneal(0.1, math.inf, 3),
        lambda: Uniform(0.0, math.inf),
        lambda: check_strength("X", "sigma", math.inf),
        lambda: check_strength("X", "sigma", "abc"),
    ],
    ids=["Anneal nan", "Anneal inf", "Uniform inf", "sigma inf", "sigma abc"],
)
def test_what_is_no_finite_number_is_refused(make):
    with pytest.raises(UserError):
        make()


@pytest.mark.parametrize("strength", [0, 0.0, 0.5, Uniform(0.0, 0.1), Cosine(0.1, 0.0, 5)])
def test_good_strengths_pass(strength):
    check_strength("X", "sigma", strength)

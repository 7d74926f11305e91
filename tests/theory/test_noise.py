"""Closed forms and quadrature against worked-out numbers, scipy's quadrature, and simulation."""

from math import log, pi

import numpy as np
import pytest
from scipy import integrate, stats

from bascule.core.errors import UserError
from bascule.core.schedules import Anneal, Uniform
from bascule.theory.noise import (
    BLIND,
    CERTAIN,
    known_image,
    level_density,
    manifold_logits,
    two_images,
    two_levels,
)

U = Uniform(0.0, 0.1)
PAIRS = [
    (0.1, 0.12, 256),
    (0.3, 0.1, 4),
    (Uniform(0.0, 0.1), 0.1, 256),
    (Uniform(0.0, 0.1), Uniform(0.0, 0.2), 12288),
    (0.1, Uniform(0.05, 0.15), 2),
    (Uniform(0.08, 0.1), Uniform(0.09, 0.2), 50),
    (U, (U, U), 12288),
    ((0.05, U), (0.03, 0.08, U), 50),
    ((Uniform(0.05, 0.1), U), (Uniform(0.02, 0.04), Uniform(0.08, 0.3)), 192),
]


def ends(law):
    return (law.low, law.high) if isinstance(law, Uniform) else (law, law)


def second_moment(law):
    low, high = ends(law)
    return (low**2 + low * high + high**2) / 3


@pytest.mark.parametrize(("ratio", "accuracy"), [(1.0, 0.691462), (2.0, 0.841345)])
def test_two_known_images(ratio, accuracy):
    found, auc = two_images(ratio * 0.3, 0.3)
    assert found == pytest.approx(accuracy, abs=1e-6)
    rng = np.random.default_rng(0)
    score = rng.normal([[0], [ratio]], 1, (2, 400_000))
    assert auc == pytest.approx((score[1] > score[0]).mean(), abs=3e-3)


@pytest.mark.parametrize(
    ("fake", "accuracy"), [(0.1005, 0.65208), (0.101, 0.78228), (0.11, 1 - 4e-14)]
)
def test_two_levels_at_64_pixels(fake, accuracy):
    assert two_levels(0.1, fake, 12288)[0] == pytest.approx(accuracy, abs=5e-6)
    assert two_levels(fake, 0.1, 12288) == two_levels(0.1, fake, 12288)


def test_two_levels_of_large_images_is_nearly_a_gaussian():
    approximately = stats.norm.cdf((12288 / 2) ** 0.5 * log(1.01))
    assert two_levels(0.1, 0.101, 12288)[0] == pytest.approx(approximately, abs=1e-4)
    assert two_levels(0.1, 0.1, 12288) == (0.5, 0.5)


def test_one_number_by_hand():
    """n = 1: the better answer is a threshold on |y|, which scipy integrates directly."""
    p, q = stats.norm(0, 1).pdf, stats.norm(0, 2).pdf
    crossing = (2 * log(2) / (1 - 1 / 4)) ** 0.5
    apart = integrate.quad(lambda y: abs(p(y) - q(y)), -30, 30, points=[-crossing, crossing])[0]
    assert two_levels(1.0, 2.0, 1)[0] == pytest.approx(0.5 + apart / 4, abs=1e-9)


@pytest.mark.parametrize("pair", [(0.1, 0.1005, 12288), (0.1, 0.12, 256), (0.3, 0.1, 4)])
def test_quadrature_agrees_with_the_closed_form(pair):
    accuracy, auc = two_levels(*pair)
    found = known_image(*pair)
    assert found.accuracy == pytest.approx(accuracy, abs=1e-6)
    assert found.auc == pytest.approx(auc, abs=1e-4)


@pytest.mark.parametrize("law", [0.1, Uniform(0.0, 0.1), Uniform(0.06, 0.1)])
@pytest.mark.parametrize("n", [2, 7, 12288])
def test_densities_integrate_to_one_and_to_their_second_moment(law, n):
    x = np.linspace(0, 0.7, 400_001)
    density = level_density(x, law, n)
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-6)
    assert np.trapezoid(x**2 * density, x) == pytest.approx(second_moment(law), rel=1e-5)


@pytest.mark.parametrize("pair", PAIRS)
def test_bounds_agree_with_a_simulation(pair):
    real, fake, n = pair
    rng = np.random.default_rng(1)

    def levels(noise, trials=200_000):
        laws = noise if isinstance(noise, tuple) else (noise,)
        squared = sum(rng.uniform(*ends(law), trials) ** 2 for law in laws)
        return (squared * rng.chisquare(n, trials) / n) ** 0.5

    def best(level):
        grid = np.linspace(0, level.max(), 8001)
        p, q = level_density(grid, real, n), level_density(grid, fake, n)
        return np.interp(level, grid, p / np.maximum(p + q, 1e-300))

    x, y = best(levels(real)), best(levels(fake))
    bound = known_image(*pair)
    assert bound.accuracy == pytest.approx(((x > 0.5).mean() + (y < 0.5).mean()) / 2, abs=3e-3)
    x, y = x.round(12), y.round(12)
    assert bound.auc == pytest.approx((x > y).mean() + (x == y).mean() / 2, abs=4e-3)
    assert bound.D_x == pytest.approx(x.mean(), abs=4e-3)
    assert bound.D_Gz == pytest.approx(y.mean(), abs=4e-3)
    x, y = np.clip(x, 1e-300, None), np.clip(1 - y, 1e-300, None)
    assert bound.loss_D == pytest.approx(-np.log(x).mean() - np.log(y).mean(), abs=0.01)


@pytest.mark.parametrize("n", [2, 12288])
@pytest.mark.parametrize("noise", [(0.05, U), (U, U), (Uniform(0.01, 0.2), Uniform(0.04, 0.1))])
def test_the_density_of_a_sum_is_its_average_over_one_law(noise, n):
    x = np.linspace(0, 1.5, 20_001)
    density = level_density(x, noise, n)
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-5)
    second = sum(second_moment(law) for law in noise)
    assert np.trapezoid(x**2 * density, x) == pytest.approx(second, rel=1e-4)
    at = np.array([0.03, 0.09, 0.1, 0.13])
    low, high = ends(noise[1])
    sigmas = low + (high - low) * (np.arange(500) + 0.5) / 500
    over = [level_density(at, (noise[0], sigma), n) for sigma in sigmas]
    assert level_density(at, noise, n) == pytest.approx(np.mean(over, 0), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(
    ("real", "fake", "limit"),
    [
        (U, (U, U), (1 + 1 / pi) / 2),
        (U, Uniform(0.0, 0.2), 0.75),
        ((0.03, 0.04), Uniform(0.0, 0.1), 1.0),
    ],
)
def test_sums_where_strengths_are_known_exactly(real, fake, limit):
    """Many numbers show the strength itself, and no D sees more than it."""
    accuracies = [known_image(real, fake, n).accuracy for n in (12, 192, 12288, 10**6)]
    assert accuracies == sorted(accuracies) and accuracies[-1] < limit
    assert accuracies[-1] == pytest.approx(limit, abs=2e-3)


def test_one_uniform_against_the_sum_of_two_by_hand():
    """For large n: densities 1 and pi/2 r up to 1, and (pi/2 - 2 arccos(1/r)) r up to sqrt(2)."""

    def sums(r):
        return r * (pi / 2 - 2 * np.arccos(np.minimum(1 / r, 1)))

    r = (np.arange(10**6) + 0.5) * 2**0.5 / 10**6
    p, q = (r < 1) / 1.0, sums(r)
    best = p / (p + q)
    log_loss = -p * np.log(np.where(p > 0, best, 1)) - q * np.log1p(-best)
    bound, step = known_image(U, (U, U), 10**6), 2**0.5 / 10**6
    assert bound.accuracy == pytest.approx((1 + 1 / pi) / 2, abs=1e-5)
    assert bound.auc == pytest.approx(1 - pi / 12, abs=2e-4)
    assert bound.loss_D == pytest.approx(log_loss.sum() * step, abs=1e-3)
    assert bound.D_x == pytest.approx((p * best).sum() * step, abs=1e-3)
    assert bound.D_Gz == pytest.approx((q * best).sum() * step, abs=1e-3)


def test_one_law_is_never_told_from_itself_and_clean_always_from_noise():
    assert known_image(Uniform(0.0, 0.1), Uniform(0.0, 0.1), 100) == BLIND
    assert known_image(0.0, Uniform(0.0, 0.0), 100) == BLIND
    assert known_image(0.0, Uniform(0.0, 0.1), 100) == CERTAIN
    assert known_image(0.0, 1e-9, 2) == CERTAIN


def test_sums_of_one_law_are_not_told_and_clean_images_always():
    assert known_image((U, 0.1), (0.1, U), 100) == BLIND
    assert known_image((U, 0.0), U, 100) == BLIND
    assert known_image((0.06, 0.08), 0.1, 100) == BLIND
    assert known_image((), (0.0, 0.0), 100) == BLIND
    assert known_image((), (U, U), 100) == CERTAIN
    assert known_image((U, U), 0.0, 100) == CERTAIN


def test_more_pixels_tell_more():
    accuracies = [known_image(0.1, 0.11, n).accuracy for n in (2, 12, 192, 3072)]
    assert accuracies == sorted(accuracies) and accuracies[0] < 0.6 and accuracies[-1] > 0.99


def test_manifold_logits_are_those_of_the_mixture_of_gaussians():
    rng = np.random.default_rng(0)
    images, y = rng.normal(20, 1, (5, 3)), rng.normal(20, 2, (7, 3))

    def density(sigma):
        return sum(stats.multivariate_normal(x, sigma**2 * np.eye(3)).pdf(y) for x in images) / 5

    expected = np.log(density(0.5)) - np.log(density(0.8))
    assert manifold_logits(y, images, 0.5, 0.8) == pytest.approx(expected, abs=1e-8)
    assert manifold_logits(y, images, 0.5, 0.5) == pytest.approx(np.zeros(7), abs=1e-12)


def test_manifold_logits_far_below_the_distances_are_those_at_the_nearest_image():
    images = np.array([[0.0, 0.0], [100.0, 0.0]])
    y = np.array([[100.1, 0.2]])
    expected = 2 * log(0.2 / 0.1) - (0.1**2 + 0.2**2) * (1 / 0.1**2 - 1 / 0.2**2) / 2
    assert manifold_logits(y, images, 0.1, 0.2)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: two_images(-1.0, 1.0), "expected distance >= 0"),
        (lambda: two_images(1.0, 0.0), "sigma > 0"),
        (lambda: two_levels(0.0, 0.1, 9), "expected two numbers > 0"),
        (lambda: two_levels(0.1, 0.2, 0), "at least 1 number"),
        (lambda: known_image(0.1, 0.2, 1), "at least 2 numbers"),
        (lambda: known_image(-0.1, 0.2, 9), "known_image(real=-0.1)"),
        (lambda: known_image(0.1, Anneal(0.1, 0.0, 5), 9), "it changes over time"),
        (lambda: known_image(0.1, (0.1, -0.2), 9), "known_image(fake=-0.2)"),
        (lambda: known_image((U, U, U), 0.1, 9), "at most two random strengths"),
        (lambda: manifold_logits(np.zeros((1, 2)), np.zeros((3, 2)), 0.0, 0.1), "no density"),
        (lambda: manifold_logits(np.zeros((1, 2)), np.zeros((3, 4)), 0.1, 0.2), "(N, n)"),
    ],
)
def test_bad_input_is_refused(ask, told):
    with pytest.raises(UserError) as refused:
        ask()
    assert told in str(refused.value)

"""The Dirac-GAN against numbers worked out elsewhere, numpy's eigenvalues, and an ODE solver."""

from math import log

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from bascule.theory.dirac import (
    Method,
    distance,
    eigenvalues,
    exact_growth,
    gan,
    gradient,
    measured_rate,
    noise_nodes,
    non_saturating,
    non_saturating_distance,
    play,
    played_by_the_step,
    predicted_rate,
    stable_up_to,
    wasserstein,
)


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def field(method, theta, psi):
    """(G's, D's) gradient of one game."""
    point = (torch.tensor([x], dtype=torch.float64) for x in (theta, psi))
    theta, psi = point
    return np.array([float(gradient(method, p, theta, psi)[0]) for p in ("G", "D")])


def jacobian(method, e=1e-5):
    """Of the gradient field at the equilibrium, by central differences."""
    columns = [(field(method, *(+e * d)) - field(method, *(-e * d))) / (2 * e) for d in np.eye(2)]
    return np.array(columns).T


@pytest.mark.parametrize(("theta", "psi"), [(1.0, 1.0), (-0.4, 0.7), (2.0, -1.5)])
def test_gradients_of_the_project_s_losses_are_those_of_the_paper(theta, psi):
    """With the logit u = psi theta: D descends softplus(u), G of each game as said."""
    u = theta * psi
    assert field(Method(gan()), theta, psi) == pytest.approx(
        [-psi * sigmoid(u), theta * sigmoid(u)]
    )
    ns = field(Method(non_saturating()), theta, psi)
    assert ns == pytest.approx([-psi * sigmoid(-u), theta * sigmoid(u)])
    assert field(Method(wasserstein()), theta, psi) == pytest.approx([-psi, theta])
    r1 = field(Method(gan(), penalty=0.3), theta, psi)
    assert r1 == pytest.approx([-psi * sigmoid(u), theta * sigmoid(u) + 0.3 * psi])
    gp = field(Method(wasserstein(), toward_one=1.0), theta, psi)
    assert gp == pytest.approx([-psi, theta + (abs(psi) - 1) * np.sign(psi)])
    s = sigmoid(u)
    energy = [
        theta * s**2 + (theta**2 + psi**2) * s**2 * (1 - s) * psi,
        psi * s**2 + (theta**2 + psi**2) * s**2 * (1 - s) * theta,
    ]
    consensus = field(Method(gan(), consensus=0.3), theta, psi)
    assert consensus == pytest.approx(
        field(Method(gan()), theta, psi) + 0.3 * np.array(energy), rel=1e-9
    )


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        (Method(gan()), (0.5,)),
        (Method(non_saturating()), (0.5,)),
        (Method(wasserstein()), (1.0,)),
        (Method(gan(), penalty=0.3), (0.5, 0.3)),
        (Method(gan(), penalty=2.0), (0.5, 2.0)),
        (Method(wasserstein(), penalty=0.3), (1.0, 0.3)),
        (Method(gan(), noise=0.6**0.5), (0.5, 0.3)),
        (Method(wasserstein(), noise=1.0), (1.0, 0.0)),
        (Method(gan(), consensus=0.3), (0.5, 0.3 / 4, True)),
    ],
)
def test_eigenvalues_are_those_of_the_field_s_jacobian(method, arguments):
    found = -np.linalg.eigvals(jacobian(method))
    expected = eigenvalues(*arguments)
    assert np.sort_complex(found.round(5)) == pytest.approx(
        np.sort_complex((expected + 0j).round(5)), abs=2e-5
    )


def test_known_rates():
    assert predicted_rate(0.5, np.array([0.3, 1.0, 2.0])) == pytest.approx(
        [-0.15, -0.5, -1 + 0.75**0.5]
    )
    assert eigenvalues(0.5, 2.0) == pytest.approx([-0.1339746, -1.8660254])


def test_simultaneous_descent_grows_by_the_exact_product():
    path = play(Method(gan()), 0.1, 500, start=(1.0, 0.0), simultaneous=True)
    assert distance(path)[-1, 0] ** 2 == pytest.approx(3.0827380582, abs=1e-10)
    assert exact_growth(path, 0.1)[0] == pytest.approx(3.0827380582, abs=1e-10)


@pytest.mark.parametrize(
    ("method", "at_100", "at_400", "rel"),
    [
        (Method(non_saturating()), 0.737, 0.425, 2e-3),
        (Method(wasserstein()), 1.39, 1.38, 5e-3),
    ],
)
def test_alternating_distances_worked_out_elsewhere(method, at_100, at_400, rel):
    far = distance(play(method, 0.1, 400))[:, 0]
    assert far[[100, 400]] == pytest.approx([at_100, at_400], rel=rel)


def test_alternating_descent_is_the_product_of_its_two_moves():
    """R1 near 0 is linear: D's move, then G's answer to the new D."""
    h, g = 0.1, 0.3
    D = np.array([[1, 0], [-h / 2, 1 - h * g]])
    G = np.array([[1, h / 2], [0, 1]])
    start = np.array([1e-4, 1e-4])
    path = play(Method(gan(), penalty=g), h, 100, start=tuple(start))[:, 0]
    assert path[-1] == pytest.approx(np.linalg.matrix_power(G @ D, 100) @ start, rel=1e-3)


def test_measured_rate_of_made_up_games():
    steps = np.arange(201)[:, None] * [0.01, 0.02]
    path = np.stack([np.exp(-steps), np.zeros_like(steps)], -1)
    assert measured_rate(path, 0.1) == pytest.approx([-0.1, -0.2])
    assert measured_rate(path, np.array([0.1, 0.2])) == pytest.approx([-0.1, -0.1])


def test_many_games_at_once_are_the_games_alone():
    both = play(
        Method(gan(), penalty=torch.tensor([0.3, 2.0], dtype=torch.float64)), steps=50, games=2
    )
    for k, penalty in enumerate((0.3, 2.0)):
        alone = play(Method(gan(), penalty=penalty), steps=50)
        assert np.array_equal(both[:, k], alone[:, 0])


def test_noise_nodes_have_the_first_moments_of_a_gaussian():
    nodes = noise_nodes()
    assert float(nodes.mean()) == pytest.approx(0, abs=1e-12)
    assert float(nodes.square().mean()) == pytest.approx(1)


def test_the_slow_approach_of_the_non_saturating_game_is_that_of_its_ode():
    def flow(t, x):
        u = x[0] * x[1]
        return [x[1] * sigmoid(-u), -x[0] * sigmoid(u)]

    far = np.hypot(*solve_ivp(flow, (0, 400), [1.0, 1.0], rtol=1e-9, atol=1e-12).y[:, -1])
    assert non_saturating_distance(2**0.5, 400) == pytest.approx(far, rel=0.01)


def test_the_stability_limit_is_four_gamma():
    assert stable_up_to(0.3, 300) == pytest.approx(1.2, rel=2e-3)


def test_the_project_s_step_plays_the_same_game():
    far = distance(play(Method(non_saturating()), 0.1, 100))[-1, 0]
    assert played_by_the_step(0.1, 100) == pytest.approx(far, rel=1e-5)
    assert far != pytest.approx(distance(play(Method(gan()), 0.1, 100))[-1, 0], rel=0.1)
    assert log(far) < 0

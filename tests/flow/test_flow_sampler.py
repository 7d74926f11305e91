"""The sampler on targets whose velocity and whose solution are known in closed form."""

import math

import pytest
import torch
from torch import nn

from bascule.flow.sampler import Sampler, integrate
from counting import seeded

MEAN, STD = 0.7, 0.3


def of_a_gaussian(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """E[n - x0 | (1 - t) x0 + t n = x] for x0 ~ N(MEAN, STD²) and n ~ N(0, 1)."""
    t = t.view(-1, *[1] * (x.ndim - 1))
    variance = (1 - t) ** 2 * STD**2 + t**2
    return (t - (1 - t) * STD**2) / variance * (x - (1 - t) * MEAN) - MEAN


def solution(noise: torch.Tensor) -> torch.Tensor:
    """The flow of a Gaussian keeps each point's distance from the mean in standard deviations."""
    return MEAN + STD * noise


def error(steps: int, solver: str) -> float:
    noise = torch.randn(1000, 2, generator=seeded(), dtype=torch.float64)
    found = integrate(of_a_gaussian, noise, steps, solver)
    return (found - solution(noise)).abs().max().item()


def test_it_draws_the_gaussian():
    assert error(400, "heun") < 1e-5
    assert error(4000, "euler") < 5e-3


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_the_error_falls_with_the_order_of_the_method(solver, order):
    found = math.log2(error(100, solver) / error(200, solver))
    assert found == pytest.approx(order, abs=0.15)


def test_a_straight_flow_needs_one_step():
    noise = torch.randn(5, 3, generator=seeded())
    to = torch.randn(5, 3, generator=seeded(1))
    assert torch.allclose(integrate(lambda x, t: noise - to, noise, 1, "euler"), to, atol=1e-6)


@pytest.mark.parametrize(("solver", "asked"), [("euler", [1, 0.5]), ("heun", [1, 0.5, 0.5, 0])])
def test_it_asks_for_these_times(solver, asked):
    times = []

    class Still(nn.Module):
        def forward(self, x, t):
            assert t.shape == (len(x),) and t.unique().numel() == 1
            times.append(t[0].item())
            return torch.zeros_like(x)

    z = torch.randn(40, 3 * 4 * 4, generator=seeded())
    made = Sampler(Still(), size=4, steps=2, solver=solver)(z)
    assert torch.equal(made, z.view(40, 3, 4, 4).clamp(-1, 1))
    assert times == asked * 2  # 40 images are two parts

"""Unrolled settling is settling: the codes that inference finds, and slopes that are theirs."""

import pytest
import torch

from bascule.core.context import generator
from bascule.sdpc.model import SDPC, Inference, Layer, infer, step_sizes, unrolled

NET = SDPC(
    (
        Layer(6, kernel=8, stride=4, padding=2, threshold=0.3, gain=1.5),
        Layer(7, kernel=4, stride=2, padding=1, threshold=0.02),
    ),
    size=16,
)


@pytest.fixture
def network():
    return NET.network(generator("unrolled"))


def draws(*shape):
    return torch.randn(*shape, generator=generator("draws", *shape))


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("k_fb", [0.0, 1.0, 4.0])
def test_it_takes_the_steps_that_inference_takes(network, steps, k_fb):
    x = 2 * draws(3, 3, 16, 16)
    how = Inference(k_fb=k_fb, momentum=False, tolerance=0.0, max_iterations=steps)
    how = how.replace(step_sizes=step_sizes(network, (16, 16), how))
    start, _ = unrolled(network, x, how, 0)
    g, e = unrolled(network, x, how, steps)
    codes = infer(network, x, how, start=start)
    for mine, theirs in zip(g, codes.maps, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(e[0], x - network.decode(g[0], 1, (16, 16)), atol=1e-5, rtol=1e-5)
    assert (g[0] > 0).any() and (g[1] > 0).any()


def test_it_begins_at_one_step_from_nothing(network):
    x = draws(2, 3, 16, 16)
    how = Inference(k_fb=0.0, momentum=False, tolerance=0.0, max_iterations=1)
    how = how.replace(step_sizes=step_sizes(network, (16, 16), how))
    g, _ = unrolled(network, x, how, 0)
    torch.testing.assert_close(g[0], infer(network, x, how).maps[0], atol=1e-6, rtol=1e-5)


def test_slopes_are_those_of_finite_differences(network):
    network.double()
    x = draws(1, 3, 16, 16).double().requires_grad_()
    weight = draws(1, 7, 2, 2).double()
    how = Inference(k_fb=1.0).replace(step_sizes=(0.05, 0.05))

    def value(at):
        g, e = unrolled(network, at, how, 3)
        return (g[1] * weight).sum() + (e[0] ** 2).sum()

    # One random direction of the whole image: an error in any slope shows.
    assert torch.autograd.gradcheck(value, x, eps=1e-6, atol=1e-4, nondet_tol=0.0, fast_mode=True)

"""One step of dictionary learning, against autograd and by hand."""

import pytest
import torch
from torch.nn.functional import conv_transpose2d, unfold

from bascule.core.context import StepContext, generator
from bascule.sdpc.model import SDPC, Inference, Layer, infer
from bascule.sdpc.step import Learner, sdpc_step

LAYERS = (
    Layer(6, 4, stride=2, padding=1, threshold=0.3, gain=1.5),
    Layer(5, 3, threshold=0.2, gain=2.0),
)
NOW = StepContext(seed=0, epoch=0, step=3)


@pytest.fixture
def learner():
    network = SDPC(LAYERS, size=12).network(generator("step")).double()
    with torch.no_grad():
        network.gains[0].copy_(torch.linspace(0.8, 2, 6))
    return Learner(
        network,
        torch.optim.SGD([{"params": [D], "lr": 0.01} for D in network.dictionaries]),
        torch.optim.SGD(network.gains, lr=0.01),
        [torch.zeros(6, dtype=torch.long), torch.zeros(5, dtype=torch.long)],
        torch.device("cpu"),
    )


@pytest.fixture
def x():
    return torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(1)).double()


def left_over(D, u, g, layer):
    return u - conv_transpose2d(g, D, stride=layer.stride, padding=layer.padding)


@pytest.mark.parametrize("mode", ["joint", "published"])
def test_dictionaries_and_gains_take_the_steps_that_autograd_says(learner, x, mode):
    how = Inference(mode, tolerance=1e-3)
    network = learner.network
    before = [D.clone() for D in network.dictionaries]
    v = [v.clone() for v in network.gains]
    g = infer(network, x, how).maps
    u = [x, g[0] * v[0][:, None, None]]
    weights = [torch.ones(1), v[0]] if mode == "joint" else [torch.ones(1)] * 2
    moved = []
    for i, layer in enumerate(LAYERS):
        D = before[i].clone().requires_grad_()
        e = left_over(D, u[i], g[i], layer) / weights[i][:, None, None]
        (slope,) = torch.autograd.grad(0.5 * e.square().sum() / 4, D)
        D = before[i] - 0.01 * slope
        moved.append(D / D.flatten(1).norm(dim=1)[:, None, None, None])
    told = sdpc_step(learner, x, NOW, how)
    for i, layer in enumerate(LAYERS):
        torch.testing.assert_close(network.dictionaries[i].data, moved[i])
        assert not torch.allclose(moved[i], before[i], atol=1e-5)
        gain = v[i].clone().requires_grad_()
        e = left_over(moved[i], u[i], gain[:, None, None] * g[i], layer)
        (slope,) = torch.autograd.grad(0.5 * e.square().sum() / 4, gain)
        torch.testing.assert_close(network.gains[i].data, v[i] - 0.01 * slope)
        weighed = left_over(before[i], u[i], g[i], layer) / weights[i][:, None, None]
        error = 0.5 * weighed.square().sum() / 4
        torch.testing.assert_close(told[f"error_{i + 1}"], error)
        assert told[f"active_{i + 1}"] == (g[i] > 0).float().mean()
    prices = sum(layer.threshold * m.sum() / 4 for layer, m in zip(LAYERS, g, strict=True))
    torch.testing.assert_close(told["cost"], told["error_1"] + told["error_2"] + prices)


def test_a_silent_atom_becomes_a_patch_of_what_is_left_unexplained(learner, x):
    how = Inference(tolerance=1e-3)
    network = learner.network
    for D in network.dictionaries:  # momentum has something to forget
        learner.opt_D.state[D]["momentum_buffer"] = torch.ones_like(D)
    learner.silent[0][[1, 4]] = 8
    network.dictionaries[0][[1, 4]] *= -1e3  # far outside, so that no step brings it back
    with torch.no_grad():
        network.dictionaries[0][[1, 4]] = 0.0
        network.dictionaries[0][[1, 4], 0, 0, 0] = -1.0
    x = x.abs()  # all positive: atoms that are negative are never used
    g = infer(network, x, how).maps[0]
    assert not (g[:, [1, 4]] > 0).any()
    e = left_over(network.dictionaries[0].clone(), x, g, LAYERS[0])
    sdpc_step(learner, x, NOW, how, redraw_after=9)
    patches = unfold(e, 4, stride=2, padding=1).transpose(1, 2).flatten(0, 1)
    patches = patches / patches.norm(dim=1, keepdim=True)
    alike = network.dictionaries[0].flatten(1) @ patches.T
    assert torch.isclose(alike[[1, 4]].amax(1), torch.ones(2).double()).all()
    assert (alike[[0, 2, 3, 5]].amax(1) < 0.999).all()
    assert learner.silent[0].tolist() == [0] * 6
    buffer = learner.opt_D.state[network.dictionaries[0]]["momentum_buffer"]
    assert not buffer[[1, 4]].any() and buffer[0].any()


def test_silence_is_counted_and_told(learner, x):
    learner.silent[1][:] = 60
    told = sdpc_step(learner, 0 * x, NOW, Inference())
    assert learner.silent[1].tolist() == [61] * 5 and learner.silent[0].tolist() == [1] * 6
    assert told["dead_2"] == 1 and told["dead_1"] == 0
    sdpc_step(learner, 0 * x, NOW, Inference(), redraw_after=10)  # nothing to draw from
    assert learner.silent[1].tolist() == [62] * 5


def test_atoms_keep_norm_1_and_a_batch_is_learnt(learner, x):
    costs = [sdpc_step(learner, x, NOW, Inference(tolerance=0.1))["cost"] for _ in range(30)]
    assert costs[-1] < 0.9 * costs[0]
    for D in learner.network.dictionaries:
        torch.testing.assert_close(D.flatten(1).norm(dim=1), torch.ones(len(D)).double())

"""How a network settles, against autograd, closed forms and scikit-learn's positive Lasso."""

import shutil

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d, relu

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.sdpc.model import SDPC, Inference, Layer, Network, energies, infer, joint_energy

LAYERS = (
    Layer(12, 8, stride=4, padding=2, threshold=0.2, gain=2.0),
    Layer(16, 4, stride=2, padding=1, threshold=0.1, gain=1.5),
)
SIZE = (24, 24)


@pytest.fixture(scope="module")
def network():
    drawn = SDPC(LAYERS, size=24).network(generator("test")).double()
    with torch.no_grad():
        drawn.gains[0].copy_(torch.linspace(0.5, 3, 12))
    return drawn


@pytest.fixture(scope="module")
def x():
    noise = torch.randn(5, 3, 30, 30, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(noise.double(), 7, 1)
    return smooth / smooth.std((1, 2, 3), keepdim=True)


def maps_of(network, i, g):
    layer = network.layers[i]
    return conv_transpose2d(g, network.dictionaries[i], stride=layer.stride, padding=layer.padding)


def parts_by_hand(network, x, g, mode):
    """Data term and feedback term of every layer, (B,) each, with plain convolutions."""
    found, below, gain = [], x, 1.0
    for i, _ in enumerate(network.layers):
        e = below - maps_of(network, i, g[i])
        e = e / gain if mode == "joint" else e
        back = torch.zeros(len(x), dtype=x.dtype)
        gain = network.gains[i].reshape(1, -1, 1, 1)
        if i + 1 < len(g):
            back = 0.5 * (g[i] - maps_of(network, i + 1, g[i + 1]) / gain).square().sum((1, 2, 3))
        found.append((0.5 * e.square().sum((1, 2, 3)), back))
        below = g[i] * gain
    return found


def published_by_autograd(network, x, how):
    """The published loop, written anew with autograd; returns z, g and the iterations done."""
    z = [
        torch.zeros(len(x), layer.atoms, *s, dtype=x.dtype)
        for layer, s in zip(network.layers, network.shapes(SIZE)[1:], strict=True)
    ]
    g, t, before = list(z), 1.0, None
    for iteration in range(1, how.max_iterations + 1):
        t_next, now = (1 + (1 + 4 * t * t) ** 0.5) / 2, []
        for i, layer in enumerate(network.layers):
            z[i] = z[i].detach().requires_grad_()
            data, back = parts_by_hand(network, x, z, "published")[i]
            F = data + how.k_fb * back
            (slope,) = torch.autograd.grad(F.sum(), z[i])
            step = how.step_sizes[i]
            new = relu(z[i] - step * slope - step * layer.threshold).detach()
            z[i] = new + (t - 1) / t_next * (new - g[i])
            g[i] = new
            now.append(F.sum().item())
        t = t_next
        if (
            before
            and iteration > 4
            and all(abs(a - b) < how.tolerance * b for a, b in zip(now, before, strict=True))
        ):
            break
        before = now
    return z, g, iteration


@pytest.mark.parametrize("k_fb", [0.0, 1.0, 4.0])
def test_published_equals_the_same_dynamics_by_autograd(network, x, k_fb):
    how = Inference("published", k_fb, 1e-3, step_sizes=(0.03, 0.02), stop="batch")
    z, g, iterations = published_by_autograd(network, x, how)
    assert 10 < iterations < 1000
    found = infer(network, x, how)
    ahead = infer(network, x, how.replace(returns="extrapolated"))
    assert found.iterations.tolist() == [iterations] * 5
    for i in range(2):
        torch.testing.assert_close(found.maps[i], g[i])
        torch.testing.assert_close(ahead.maps[i], z[i])
        assert found.maps[i].min() >= 0


def test_published_per_sample_stops_each_image_as_if_it_were_alone(network, x):
    how = Inference("published", 1.0, 1e-3)
    together = infer(network, x, how)
    assert len(set(together.iterations.tolist())) > 1
    for b in range(5):
        alone = infer(network, x[b : b + 1], how.replace(stop="batch"))
        assert alone.iterations.item() == together.iterations[b]
        for ours, theirs in zip(together.maps, alone.maps, strict=True):
            torch.testing.assert_close(ours[b : b + 1], theirs)


@pytest.mark.parametrize("k_fb", [0.0, 0.5, 1.0, 4.0])
def test_joint_meets_the_conditions_of_a_minimum(network, x, k_fb):
    """g > 0: slope + lambda = 0; g = 0: slope + lambda >= 0. To 1e-5 of the threshold."""
    how = Inference("joint", k_fb, tolerance=1e-6, max_iterations=20_000)
    codes = infer(network, x, how)
    assert codes.settled.all()
    for i, layer in enumerate(network.layers):
        g = [m.clone().requires_grad_(j == i) for j, m in enumerate(codes.maps)]
        parts = parts_by_hand(network, x, g, "joint")
        # layer i's share of the energy, over k_fb^(i-1); at k_fb = 0 a chain of minima
        own = parts[i][0] + k_fb * parts[i][1]
        (slope,) = torch.autograd.grad(own.sum(), g[i])
        excess = slope + layer.threshold
        violation = torch.where(g[i] > 0, excess.abs(), relu(-excess))
        assert violation.max() < 1e-5 * layer.threshold
        assert 0.02 < (g[i] > 0).double().mean() < 0.9


@pytest.mark.parametrize("k_fb", [0.5, 1.0, 4.0])
def test_without_momentum_the_joint_energy_never_increases(network, x, k_fb):
    how = Inference("joint", k_fb, tolerance=0.0, max_iterations=1, momentum=False)
    codes, before = None, torch.full((5,), float("inf"), dtype=torch.float64)
    for _ in range(60):
        codes = infer(network, x, how, start=codes and codes.maps)
        now = joint_energy(energies(network, x, codes.maps, how), k_fb)
        assert (now <= before * (1 + 1e-12)).all()
        before = now
    lowest = infer(network, x, how.replace(momentum=True, tolerance=1e-6, max_iterations=9999))
    bottom = joint_energy(energies(network, x, lowest.maps, how), k_fb)
    assert (bottom <= before).all() and (bottom > 0.9 * before).all()


@pytest.mark.parametrize("mode", ["joint", "published"])
def test_energies_by_hand(network, x, mode):
    g = [torch.rand(5, 12, 6, 6, dtype=torch.float64), torch.rand(5, 16, 3, 3, dtype=torch.float64)]
    found = energies(network, x, g, Inference(mode, k_fb=2.0))
    for i, (data, back) in enumerate(parts_by_hand(network, x, g, mode)):
        torch.testing.assert_close(found[:, i, 0], data)
        torch.testing.assert_close(found[:, i, 1], 2 * back)
        price = network.layers[i].threshold * g[i].sum((1, 2, 3))
        torch.testing.assert_close(found[:, i, 2], price)
    if mode == "joint":
        E = found[:, 0, [0, 2]].sum(1) + 2 * found[:, 1, [0, 2]].sum(1)
        torch.testing.assert_close(joint_energy(found, 2.0), E)
        torch.testing.assert_close(found[:, 0, 1], 2 * found[:, 1, 0])  # counted once


def test_layer_1_without_feedback_is_the_positive_lasso_of_scikit_learn():
    from sklearn.linear_model import Lasso

    layer = Layer(10, 4, stride=2, threshold=0.3)
    network = SDPC((layer, Layer(4, 3)), channels=1, size=10).network(generator("lasso")).double()
    x = torch.randn(1, 1, 10, 10, generator=torch.Generator().manual_seed(3)).double()
    how = Inference("joint", k_fb=0.0, tolerance=1e-7, max_iterations=50_000)
    ours = infer(network, x, how).maps[0].flatten()

    columns = maps_of(network, 0, torch.eye(160, dtype=torch.float64).reshape(160, 10, 4, 4))
    A, b = columns.reshape(160, -1).T.numpy(), x.flatten().numpy()
    lasso = Lasso(0.3 / len(b), positive=True, fit_intercept=False, tol=1e-14, max_iter=100_000)
    theirs = lasso.fit(A, b).coef_

    def objective(g):
        return 0.5 * np.square(b - A @ g).sum() + 0.3 * g.sum()

    assert objective(ours.numpy()) == pytest.approx(objective(theirs), rel=1e-6)
    assert 5 < (ours > 0).sum() < 160


@pytest.mark.parametrize("mode", ["joint", "published"])
def test_orthonormal_atoms_that_do_not_overlap_settle_in_closed_form(mode):
    basis = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(1)))[0]
    network = Network([Layer(16, 4, stride=4, threshold=0.5)], [basis.reshape(16, 1, 4, 4)])
    x = torch.randn(3, 1, 12, 12, generator=torch.Generator().manual_seed(2))
    expected = relu(conv2d(x, network.dictionaries[0], stride=4) - 0.5)
    codes = infer(network, x, Inference(mode, tolerance=1e-5))
    torch.testing.assert_close(codes.maps[0], expected, rtol=1e-4, atol=1e-5)
    exact = infer(network, x, Inference(mode, step_sizes=(1.0,), max_iterations=1))
    torch.testing.assert_close(exact.maps[0], expected)
    assert not exact.settled.any() or mode == "joint"


@pytest.mark.parametrize("mode", ["joint", "published"])
def test_codes_scale_with_image_and_thresholds(network, x, mode):
    layers = [Layer(**{**vars(layer), "threshold": 3 * layer.threshold}) for layer in LAYERS]
    other = Network(layers, list(network.dictionaries), list(network.gains))
    how = Inference(mode, tolerance=1e-3)
    ours, theirs = infer(network, x, how), infer(other, 3 * x, how)
    assert torch.equal(ours.iterations, theirs.iterations)
    for a, b in zip(ours.maps, theirs.maps, strict=True):
        torch.testing.assert_close(3 * a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["joint", "published"])
def test_an_image_settles_alike_whoever_is_beside_it(network, x, mode):
    how = Inference(mode, tolerance=1e-3)
    network = Network(LAYERS, [D.float() for D in network.dictionaries])  # in fp32, as used
    x = x.float()
    together = infer(network, x, how)
    for batch in ([2], [4, 2], [2, 0, 1]):
        part, at = infer(network, x[batch], how), batch.index(2)
        assert part.iterations[at] == together.iterations[2]
        for a, b in zip(together.maps, part.maps, strict=True):
            torch.testing.assert_close(a[2], b[at], rtol=1e-4, atol=1e-5)


def test_a_warm_start_goes_on_from_there(network, x):
    how = Inference(tolerance=1e-5)
    cold = infer(network, x, how)
    warm = infer(network, x, how.replace(tolerance=1e-4), start=cold.maps)
    assert (warm.iterations == 1).all() and (cold.iterations > 20).all()
    near = infer(network, x + 1e-3 * x.flip(0), how.replace(tolerance=1e-3), start=cold.maps)
    afar = infer(network, x + 1e-3 * x.flip(0), how.replace(tolerance=1e-3))
    assert (near.iterations < afar.iterations).all()


def test_too_few_iterations_are_told(network, x):
    codes = infer(network, x, Inference(tolerance=1e-4, max_iterations=7))
    assert codes.iterations.tolist() == [7] * 5 and not codes.settled.any()
    assert all((m > 0).any() for m in codes.maps)
    blank = infer(network, torch.zeros_like(x), Inference())
    assert blank.settled.all() and not any(m.any() for m in blank.maps)


def test_three_layers_and_one(x):
    layers = (*LAYERS, Layer(5, 3, threshold=0.01))
    network = SDPC(layers, size=24).network(generator("three")).double()
    codes = infer(network, x, Inference(tolerance=1e-5, max_iterations=9999))
    assert codes.settled.all()
    assert [tuple(m.shape[1:]) for m in codes.maps] == [(12, 6, 6), (16, 3, 3), (5, 1, 1)]
    one = Network(LAYERS[:1], list(network.dictionaries)[:1])
    assert infer(one, x, Inference()).settled.all()


def test_bf16_convolutions_give_nearly_the_same(network, x):
    network = Network(LAYERS, [D.float() for D in network.dictionaries])
    how = Inference(tolerance=1e-2)
    exact = infer(network, x.float(), how)
    coarse = infer(network, x.float(), how.replace(precision="bf16", max_iterations=200))
    for a, b in zip(exact.maps, coarse.maps, strict=True):
        assert b.dtype == torch.float32
        assert 0 < (a - b).norm() < 0.05 * a.norm()
    E, F = (joint_energy(energies(network, x.float(), c.maps, how), 1.0) for c in (exact, coarse))
    torch.testing.assert_close(F, E, rtol=5e-3, atol=0)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_iteration_gives_the_same(network, x):
    how = Inference(tolerance=1e-3)
    plain, fast = infer(network, x[:1], how), infer(network, x[:1], how.replace(compile=True))
    assert torch.equal(plain.iterations, fast.iterations)
    for a, b in zip(plain.maps, fast.maps, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda n, x: Inference(k_fb=-1), r"Inference\(k_fb=-1(.0)?\): expected a number >= 0"),
        (lambda n, x: Inference(tolerance=-1), "tolerance=-1"),
        (lambda n, x: Inference(max_iterations=0), "max_iterations=0"),
        (lambda n, x: Inference(step_sizes=(0.1, 0.0)), "step_sizes"),
        (lambda n, x: Inference(stop="batch"), "only with mode='published'"),
        (lambda n, x: Inference(returns="extrapolated"), "only with mode='published'"),
        (lambda n, x: infer(n, x, Inference(step_sizes=(0.1,))), "expected 2 numbers"),
        (lambda n, x: infer(n, x[:, :1]), r"expected \(B, 3, H, W\)"),
        (lambda n, x: infer(n, x[..., :23]), "an input of 23 px does not fit"),
        (lambda n, x: infer(n, x / (x != x[1, 0, 0, 0])), "image 1 of the batch .* not finite"),
        (lambda n, x: infer(n, x.float()), "images are torch.float32 and dictionaries"),
        (lambda n, x: infer(n, x, start=[x]), "the start is"),
    ],
)
def test_bad_input_is_refused(network, x, make, message):
    with pytest.raises(UserError, match=message):
        make(network, x)

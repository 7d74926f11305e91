"""AAE: its three nets by hand, their initial weights by law, their borders."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from bascule.aae.model import AAE
from bascule.core.errors import UserError
from counting import count, seeded

MODELS = [AAE(4, 6, 32, 10), AAE(4, 6, 64, 10), AAE(2, 6, 128, 10)]


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def counts(w: int, z: int, size: int, h: int) -> tuple[int, int, int]:
    """By hand: 4x4 kernels without biases, two numbers per BatchNorm channel; D has biases."""
    doubled = {32: [2, 4], 64: [2, 4, 8], 128: [2, 4, 8, 16]}[size]  # channels, in units of w
    pairs, top, norms = sum(k * k // 2 for k in doubled) * w * w, doubled[-1] * w, sum(doubled)
    convolutions = 16 * (3 * w + pairs + top * z)
    D = (z + 1) * h + (h + 1) * h + h + 1
    return convolutions + 2 * w * norms, convolutions + 2 * w * (1 + norms), D


@pytest.mark.parametrize("width", [3, 8])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_has_the_parameters_counted_by_hand(width, size):
    nets = AAE(width, 20, size, 30).players(seeded())
    assert tuple(map(count, nets)) == counts(width, 20, size, 30)


def test_published_sizes():
    """G is DCGAN's; D is a perceptron with two layers of 1000 units."""
    assert tuple(map(count, AAE().players(seeded()))) == (3_576_576, 3_576_704, 1_103_001)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_shapes_and_ranges(model):
    E, G, D = model.players(seeded())
    code = E(normal(5, 3, model.size, model.size))
    assert code.shape == (5, 6) and code.std() > 0
    x = G(3 * code)
    assert x.shape == (5, 3, model.size, model.size)
    assert x.abs().max() <= 1 and x.std() > 0
    assert D(code).shape == (5,)
    assert D(code[:1]).shape == (1,)


def test_codes_begin_at_the_scale_of_what_they_shall_become():
    E, _, _ = AAE(32, 20).players(seeded())
    assert 0.5 < E(normal(16, 3, 64, 64)).std() < 2


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_all_randomness_comes_from_the_generator(model):
    before = torch.get_rng_state()
    first, again, other = (model.players(seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for one, two, three in zip(first, again, other, strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.isfinite(tensor).all()
            assert torch.equal(tensor, two.state_dict()[name])
        assert any(
            not torch.equal(a, b) for a, b in zip(one.parameters(), three.parameters(), strict=True)
        )


def test_initial_weights_follow_their_law():
    for layer in nn.ModuleList(AAE(16).players(seeded())).modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert 0 < (layer.weight - 1).abs().max() < 0.1
            assert not layer.bias.any() and not layer.running_mean.any()
            assert torch.equal(layer.running_var, torch.ones_like(layer.running_var))
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            w = layer.weight
            linear = isinstance(layer, nn.Linear)
            std = math.sqrt(2 / layer.in_features) if linear else 0.02
            # Five standard errors of a sample's std and mean.
            assert abs(w.std().item() / std - 1) < 5 / math.sqrt(2 * w.numel())
            assert abs(w.mean().item()) < 5 * std / math.sqrt(w.numel())
            assert not layer.bias.any() if linear else layer.bias is None


def kinds(net: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in net.layers]


def test_layers_come_in_the_papers_order():
    E, G, D = MODELS[1].players(seeded())
    down = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    up = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds(E) == ["Conv2d", "LeakyReLU", *down * 3, "Conv2d"]
    assert kinds(G) == ["Unflatten", *up * 4, "ConvTranspose2d", "Tanh"]
    assert kinds(D) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]


def test_channels_last_changes_nothing_but_rounding():
    E, G, D = MODELS[1].players(seeded())
    fast = [copy.deepcopy(net).to(memory_format=torch.channels_last) for net in (E, G, D)]
    x = normal(4, 3, 64, 64)
    code = E(x)
    assert torch.allclose(fast[0](x.to(memory_format=torch.channels_last)), code, atol=1e-5)
    assert torch.allclose(fast[1](code), G(code), atol=1e-5)
    assert torch.equal(fast[2](code), D(code))


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_gradients_reach_every_weight_under_bf16_autocast(model):
    E, G, D = model.players(seeded())
    x = normal(4, 3, model.size, model.size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        code = E(x)
        again, logits = G(code).float(), D(code).float()
    (nn.functional.mse_loss(again, x) + nn.functional.softplus(logits).mean()).backward()
    for name, p in [(n, p) for net in (E, G, D) for n, p in net.named_parameters()]:
        assert p.grad is not None and torch.isfinite(p.grad).all(), name
        assert p.dtype == torch.float32


def test_a_gradient_penalty_on_codes_has_the_gradient_of_finite_differences():
    *_, D = MODELS[0].players(seeded())
    D.double()
    code = normal(3, 6).double().requires_grad_()

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(D(code).sum(), code, create_graph=True)
        return slope.square().sum()

    penalty().backward()
    weight = D.layers[2].weight
    way = normal(*weight.shape, seed=3).double()
    said = (weight.grad * way).sum()
    values = []
    for by in (1e-6, -2e-6):
        with torch.no_grad():
            weight.add_(by * way)
        values.append(penalty().detach())
    assert torch.allclose(said, (values[0] - values[1]) / 2e-6, rtol=1e-5)


@pytest.mark.parametrize("side", [32, 128])
def test_e_does_not_make_longer_codes_of_other_images(side):
    E, _, _ = MODELS[1].players(seeded())
    with pytest.raises(RuntimeError):
        E(torch.zeros(2, 3, side, side))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: AAE(size=48), "size=48.*32 or 64"),
        (lambda: AAE(size=256), "AAE.size=256"),
        (lambda: AAE(width=0), "AAE.width=0"),
        (lambda: AAE(width=16.0), "width=16.0"),
        (lambda: AAE(z_dim=-1), "z_dim=-1"),
        (lambda: AAE(hidden=0), "AAE.hidden=0"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

"""The DCGAN pairs: their sizes by hand, their initial weights by law, their borders."""

import copy
import math

import pytest
import torch
from torch import nn

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.layers import Modulation
from counting import count, seeded


def dcgan_counts(w: int, z: int, size: int) -> tuple[int, int]:
    """By hand: 4x4 kernels without biases, two numbers per BatchNorm channel."""
    k = 16
    if size == 32:
        pairs = 4 * w * 2 * w + 2 * w * w
        top, norms_g, norms_d = 4 * w, 4 + 2 + 1, 4 + 2
    elif size == 64:
        pairs = 8 * w * 4 * w + 4 * w * 2 * w + 2 * w * w
        top, norms_g, norms_d = 8 * w, 8 + 4 + 2 + 1, 8 + 4 + 2
    else:
        pairs = 16 * w * 8 * w + 8 * w * 4 * w + 4 * w * 2 * w + 2 * w * w
        top, norms_g, norms_d = 16 * w, 16 + 8 + 4 + 2 + 1, 16 + 8 + 4 + 2
    G = k * (z * top + pairs + w * 3) + 2 * w * norms_g
    D = k * (3 * w + pairs + top * 1) + 2 * w * norms_d
    return G, D


def w9_counts(w: int, z: int) -> tuple[int, int]:
    grid = 8 * w * 8 * 8
    pairs = 16 * (8 * w * 4 * w + 4 * w * 2 * w + 2 * w * w)
    G = (z * grid + grid) + pairs + (4 + 2 + 1) * w * (1 + 2) + (9 * w * 3 + 3)
    D = (16 * 3 * w + w) + pairs + (8 + 4 + 2) * w * (1 + 2) + (grid + 1)
    return G, D


@pytest.mark.parametrize("width", [3, 8, 64])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_dcgan_has_the_parameters_counted_by_hand(width, size):
    G, D = DCGAN(width=width, size=size, z_dim=20).players(seeded())
    assert (count(G), count(D)) == dcgan_counts(width, 20, size)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (DCGAN(), (3_576_704, 2_765_568)),
        (DCGAN(width=32), (1_100_224, 694_656)),
        (DCGANW9(), (6_065_155, 2_791_105)),
    ],
)
def test_published_sizes(model, expected):
    G, D = model.players(seeded())
    assert (count(G), count(D)) == expected


@pytest.mark.parametrize("width", [3, 8])
def test_w9_has_the_parameters_counted_by_hand(width):
    G, D = DCGANW9(width=width, z_dim=20).players(seeded())
    assert (count(G), count(D)) == w9_counts(width, 20)


MODELS = [DCGAN(8, 16, 32), DCGAN(8, 16), DCGAN(4, 16, 128), DCGANW9(8, 16)]
MODELS += [DCGAN(8, 16, 32, width_D=4, modulated=True), DCGAN(4, 16, modulated=True, channels=1)]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_shapes_and_ranges(model):
    G, D = model.players(seeded())
    x = G(3 * torch.randn(5, model.z_dim, generator=seeded(1)))
    assert x.shape == (5, getattr(model, "channels", 3), model.size, model.size)
    assert x.abs().max() <= 1 and x.std() > 0
    assert D(x).shape == (5,)
    assert D(x[:1]).shape == (1,)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_all_randomness_comes_from_the_generator(model):
    before = torch.get_rng_state()
    first, again = model.players(seeded(3)), model.players(seeded(3))
    other = model.players(seeded(4))
    assert torch.equal(torch.get_rng_state(), before)
    for one, two, three in zip(first, again, other, strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.isfinite(tensor).all()
            assert torch.equal(tensor, two.state_dict()[name])
        assert any(
            not torch.equal(a, b) for a, b in zip(one.parameters(), three.parameters(), strict=True)
        )


@pytest.mark.parametrize("model", [DCGAN(16), DCGANW9(16)], ids=repr)
def test_initial_weights_follow_their_law(model):
    for net in model.players(seeded()):
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                if isinstance(model, DCGAN):
                    assert 0 < (layer.weight - 1).abs().max() < 0.1
                    assert layer.eps == 1e-5
                else:
                    assert torch.equal(layer.weight, torch.ones_like(layer.weight))
                    assert layer.eps == 5e-5
                assert not layer.bias.any() and not layer.running_mean.any()
                assert torch.equal(layer.running_var, torch.ones_like(layer.running_var))
            elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                w = layer.weight
                std = 0.02
                if isinstance(model, DCGANW9):
                    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(w)
                    std = math.sqrt(4 / (1.04 * (fan_in + fan_out)))
                # Five standard errors of a sample's std and mean.
                assert abs(w.std().item() / std - 1) < 5 / math.sqrt(2 * w.numel())
                assert abs(w.mean().item()) < 5 * std / math.sqrt(w.numel())
                assert layer.bias is None or not layer.bias.any()


def test_self_modulation_against_plain_arithmetic():
    """Chen et al. 2019, equation 3, with a hidden layer for every gain and every bias."""
    model = DCGAN(3, 5, 32, modulated=True, norm_eps=1e-3)
    G, D = model.players(seeded())
    z = torch.randn(6, 5, generator=seeded(1))
    told = {name: value.double() for name, value in G.state_dict().items()}

    def learned(norm: str) -> torch.Tensor:
        hidden = z.double() @ told[f"{norm}.0.weight"].T + told[f"{norm}.0.bias"]
        return hidden.clamp(min=0) @ told[f"{norm}.2.weight"].T + told[f"{norm}.2.bias"]

    x = z.double()[:, :, None, None]
    up = nn.functional.conv_transpose2d
    for k in range(4):
        weight = told[f"layers.{1 + 3 * k}.weight"]
        x = up(x, weight) if k == 0 else up(x, weight, stride=2, padding=1)
        if k < 3:
            norm = f"layers.{2 + 3 * k}"
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            x = (x - mean[:, None, None]) / (var[:, None, None] + 1e-3).sqrt()
            gain, bias = learned(f"{norm}.gain"), learned(f"{norm}.bias")
            x = ((1 + gain[:, :, None, None]) * x + bias[:, :, None, None]).clamp(min=0)
    assert torch.allclose(G(z), x.tanh().float(), atol=1e-5)
    modulation = 2 * sum(5 * 32 + 32 + 32 * c + c for c in (12, 6, 3))
    assert count(G) == dcgan_counts(3, 5, 32)[0] - 2 * (12 + 6 + 3) + modulation
    assert count(D) == dcgan_counts(3, 5, 32)[1]


def test_modulation_starts_with_gains_and_biases_that_differ():
    G, _ = DCGAN(16, 100, modulated=True).players(seeded())
    z = torch.randn(500, 100, generator=seeded(1))
    for layer in G.modules():
        if isinstance(layer, Modulation):
            assert layer(z).std().item() == pytest.approx(0.35, rel=0.25)


def test_d_has_a_width_of_its_own():
    G, D = DCGAN(8, 16, width_D=4).players(seeded())
    assert count(G) == dcgan_counts(8, 16, 64)[0] and count(D) == dcgan_counts(4, 16, 64)[1]


def kinds(net: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in net.modules() if not list(layer.children())]


def test_layers_come_in_the_papers_order():
    G, D = DCGAN(4, 8).players(seeded())
    up = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    down = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds(G) == ["Unflatten", *up * 4, "ConvTranspose2d", "Tanh"]
    assert kinds(D) == ["Conv2d", "LeakyReLU", *down * 3, "Conv2d"]


def test_w9_normalises_after_leaky_relu_in_d_and_before_it_in_g():
    G, D = DCGANW9(4, 8).players(seeded())
    up = ["ConvTranspose2d", "BatchNorm2d", "LeakyReLU"]
    down = ["Conv2d", "LeakyReLU", "BatchNorm2d"]
    assert kinds(G) == ["Linear", "Unflatten", "LeakyReLU", *up * 3, "Conv2d", "Tanh"]
    assert kinds(D) == ["Conv2d", "LeakyReLU", *down * 3, "Flatten", "Linear"]
    convs = [layer for layer in D.modules() if isinstance(layer, nn.Conv2d)]
    assert [c.stride[0] for c in convs] == [2, 2, 1, 2]
    assert [c.padding[0] for c in convs] == [1, 1, 2, 1]
    assert {c.kernel_size for c in convs} == {(4, 4)}
    leaks = [x.negative_slope for net in (G, D) for x in net.modules() if "Leaky" in str(type(x))]
    assert set(leaks) == {0.2}


@pytest.mark.parametrize("model", [DCGAN(8, 16), DCGANW9(8, 16)], ids=repr)
def test_channels_last_changes_nothing_but_rounding(model):
    G, D = model.players(seeded())
    fast_G, fast_D = (copy.deepcopy(n).to(memory_format=torch.channels_last) for n in (G, D))
    z = torch.randn(4, model.z_dim, generator=seeded(1))
    x, fast_x = G(z), fast_G(z)
    assert torch.allclose(fast_x, x, atol=1e-5)
    image = fast_x.detach().to(memory_format=torch.channels_last)
    assert torch.allclose(fast_D(image), D(x), atol=1e-4)


@pytest.mark.parametrize("model", [DCGAN(8, 16), DCGANW9(8, 16)], ids=repr)
def test_gradients_reach_every_weight_under_bf16_autocast(model):
    G, D = model.players(seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = D(G(torch.randn(4, model.z_dim, generator=seeded(1))))
    nn.functional.softplus(-logits.float()).mean().backward()
    for name, p in [*G.named_parameters(), *D.named_parameters()]:
        assert p.grad is not None and torch.isfinite(p.grad).all(), name
        assert p.dtype == torch.float32


@pytest.mark.parametrize("model", [DCGAN(4, 8), DCGANW9(4, 8)], ids=repr)
def test_a_gradient_penalty_can_be_trained(model):
    """Activations work in place: the double backward must survive that."""
    _, D = model.players(seeded())
    x = torch.randn(3, 3, 64, 64, generator=seeded(1)).requires_grad_()
    (slope,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    grad = next(iter(D.parameters())).grad
    assert grad is not None and grad.abs().sum() > 0


def test_d_does_not_flatten_the_wrong_size_into_more_logits():
    _, D = DCGAN(4, 8, 64).players(seeded())
    with pytest.raises(RuntimeError):
        D(torch.zeros(2, 3, 128, 128))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DCGAN(size=48), "size=48.*32 or 64 or 128"),
        (lambda: DCGAN(size=512), "size=512"),
        (lambda: DCGAN(width_D=-1), "width_D=-1"),
        (lambda: DCGAN(width=0), "width=0"),
        (lambda: DCGAN(width=16.0), "width=16.0"),
        (lambda: DCGAN(z_dim=-1), "z_dim=-1"),
        (lambda: DCGANW9(width=0), "DCGANW9.width=0"),
        (lambda: DCGANW9(z_dim=True), "z_dim=True"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()


def test_spectral_D_has_unit_singular_values_and_no_batch_norm():
    before = torch.random.get_rng_state()
    _, D = DCGAN(width=8, norm_D="spectral").players(generator(0, "p"))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in D.modules())
    with torch.no_grad():
        for _ in range(100):
            D(torch.zeros(1, 3, 64, 64))  # each forward iterates once
        for layer in D.modules():
            if isinstance(layer, torch.nn.Conv2d):
                largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
                assert abs(largest.item() - 1) < 1e-3


def test_spectral_D_judges_each_image_by_itself():
    _, D = DCGAN(width=8, norm_D="spectral").players(generator(0, "p"))
    D.eval()
    x = torch.randn(6, 3, 64, 64, generator=generator(1, "x"))
    assert torch.allclose(D(x)[:2], D(x[:2]), atol=1e-6)


def test_spectral_players_come_from_the_generator_alone():
    pairs = [DCGAN(width=4, size=32, norm_D="spectral").players(generator(0, "p")) for _ in "ab"]
    torch.manual_seed(5)
    pairs.append(DCGAN(width=4, size=32, norm_D="spectral").players(generator(0, "p")))
    states = [D.state_dict() for _, D in pairs]
    assert all(torch.equal(states[0][k], s[k]) for s in states for k in states[0])


def test_unknown_norm_is_refused():
    with pytest.raises(UserError, match=r"norm_D='spectre' in DCGAN: .* 'spectral' or 'rms'"):
        DCGAN(norm_D="spectre")

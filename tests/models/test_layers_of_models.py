"""Shared layers against formulae written out, and what every residual pair must be able to do."""

import copy
import functools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from bascule.core.errors import UserError
from bascule.models.biggan import BigGAN, BigGANDeep
from bascule.models.layers import (
    ConditionalBatchNorm,
    DownBlock,
    SelfAttention,
    UpBlock,
    check_classes,
    check_size,
    filled,
    glorot,
    norm_of_labels,
    norm_of_vectors,
    orthogonal,
    spectrally_normed,
    xavier_normal,
)
from bascule.models.sagan import SAGAN
from bascule.models.sngan import SNGAN
from bascule.models.wgan_gp import WGANGP
from counting import seeded


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed))


def some(net: nn.Module) -> nn.Module:
    """``net`` with every parameter drawn, gains of attention and embeddings too."""
    rng = seeded(2)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(0.0, 0.5, generator=rng)
    return net


def test_attention_is_what_a_loop_over_places_gives():
    layer = some(SelfAttention(8))
    x = noise(2, 8, 4, 6)
    theta, phi, g, out = (
        layer.get_submodule(name).weight[:, :, 0, 0] for name in ("theta", "phi", "g", "out")
    )
    expected = x.clone()
    for b in range(2):
        places = [(2 * i, 2 * j) for i in range(2) for j in range(3)]
        squares = [x[b, :, i : i + 2, j : j + 2].flatten(1) for i, j in places]
        keys = [(phi @ square).amax(1) for square in squares]
        values = [(g @ square).amax(1) for square in squares]
        for i in range(4):
            for j in range(6):
                asks = theta @ x[b, :, i, j]
                shares = torch.stack([asks @ key for key in keys]).exp()
                told = sum(s * v for s, v in zip(shares / shares.sum(), values, strict=True))
                expected[b, :, i, j] += layer.gain * (out @ told)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_attention_begins_as_nothing_and_learns_its_gain_first():
    layer = glorot(SelfAttention(8), seeded())
    x = noise(2, 8, 4, 4)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.gain.grad != 0 and not layer.out.weight.grad.any()


def test_attention_has_at_least_one_channel():
    layer = SelfAttention(1)
    assert layer(noise(1, 1, 2, 2)).shape == (1, 1, 2, 2)


def test_norm_of_labels_is_batch_norm_with_the_gain_and_bias_of_each_label():
    layer = some(norm_of_labels(3)(5))
    x, y = noise(4, 5, 3, 3), torch.tensor([0, 2, 1, 2])
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    z = (x - mean) / (var + 1e-5).sqrt()
    rows = [
        z[i] * (1 + layer.gain.weight[k])[:, None, None] + layer.bias.weight[k][:, None, None]
        for i, k in enumerate(y)
    ]
    assert torch.allclose(layer(x, y), torch.stack(rows), atol=1e-5)


def test_norm_of_labels_begins_as_plain_batch_norm_and_remembers_as_it_does():
    layer, plain = filled(norm_of_labels(3)(5), _ones, seeded()), nn.BatchNorm2d(5)
    x, y = noise(4, 5, 3, 3), torch.tensor([0, 2, 1, 2])
    assert torch.allclose(layer(x, y), plain(x), atol=1e-6)
    assert torch.equal(layer.norm.running_var, plain.running_var)
    assert isinstance(layer.norm, _BatchNorm) and not list(layer.norm.parameters())
    assert torch.allclose(layer.eval()(x, y), plain.eval()(x), atol=1e-6)


def test_norm_without_labels_is_plain_batch_norm():
    assert type(norm_of_labels(0)(5)) is nn.BatchNorm2d


def test_norm_of_vectors_is_linear_in_them():
    layer = some(norm_of_vectors(2)(5))
    x, vectors = noise(4, 5, 3, 3), noise(4, 2, seed=3)
    z = nn.BatchNorm2d(5, affine=False)(x)
    gain, bias = 1 + vectors @ layer.gain.weight.T, vectors @ layer.bias.weight.T
    expected = torch.einsum("bchw,bc->bchw", z, gain) + bias[:, :, None, None]
    assert torch.allclose(layer(x, vectors), expected, atol=1e-5)


def twice(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_up_block_is_that_of_the_papers():
    """They double before the 1x1 convolution: the same."""
    block = some(UpBlock(4, 6))
    x = noise(3, 4, 5, 5)
    h = block.conv1(twice(block.norm1(x).relu()))
    expected = block.conv2(block.norm2(h).relu()) + block.skip(twice(x))
    assert torch.allclose(block(x), expected, atol=1e-4)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("down", [True, False])
def test_down_block_is_that_of_the_papers(down, first):
    """They take the mean after the 1x1 convolution in all blocks but the first: the same."""
    block = some(DownBlock(4, 6, down=down, first=first, hidden=5))
    x = noise(3, 4, 6, 6)
    one, two = (m for m in block.main if isinstance(m, nn.Conv2d))
    assert one.out_channels == 5
    (skip,) = (m for m in block.skip if isinstance(m, nn.Conv2d))
    expected = two(one(x if first else x.relu()).relu()) + skip(x)
    expected = F.avg_pool2d(expected, 2) if down else expected
    assert torch.allclose(block(x), expected, atol=1e-5)


def test_down_block_that_changes_nothing_passes_x_by():
    block = DownBlock(4, 4, down=False)
    assert not len(block.skip)
    x = noise(1, 4, 2, 2)
    assert torch.equal(block(x), block.main(x) + x)


def _ones(weight: torch.Tensor, rng: torch.Generator) -> None:
    weight.fill_(1.0)


def test_filled_fills_weights_and_leaves_norms_neutral():
    net = nn.Sequential(
        *(nn.Conv2d(2, 2, 1), nn.ConvTranspose2d(2, 2, 2), nn.Linear(2, 2), nn.Embedding(2, 2)),
        *(nn.BatchNorm2d(2), nn.GroupNorm(1, 2), nn.BatchNorm2d(2, affine=False)),
    )
    for name, p in filled(net, _ones, seeded()).named_parameters():
        assert torch.equal(p, torch.full_like(p, float(name.endswith("weight"))))


def test_glorot_keeps_to_its_bounds():
    net = glorot(nn.Sequential(nn.Linear(90, 60), DownBlock(8, 16)), seeded(), gain=2.0)
    line, block = net
    conv, _, skip = block.main[1], block.main[3], block.skip[1]
    bound = math.sqrt(6 / 150)
    assert 0.99 < line.weight.abs().max() / bound <= 1
    assert abs(line.weight.std() / (bound / math.sqrt(3)) - 1) < 0.05
    assert 0.98 < conv.weight.abs().max() / (2 * math.sqrt(6 / (9 * 24))) <= 1
    assert 0.9 < skip.weight.abs().max() / math.sqrt(6 / 24) <= 1


def test_xavier_normal_has_its_width():
    """gain * sqrt(2 / (fan_in + fan_out)), by hand."""
    line, conv = xavier_normal(
        nn.Sequential(nn.Linear(90, 60), nn.Conv2d(16, 48, 3)), seeded(), 0.5
    )
    for layer, fans in ((line, 90 + 60), (conv, 9 * (16 + 48))):
        assert layer.weight.std().item() == pytest.approx(0.5 * math.sqrt(2 / fans), rel=0.03)
        assert abs(layer.weight.mean()) < 0.05 * layer.weight.std()
        assert not layer.bias.any()


def test_orthogonal_rows_or_columns():
    net = orthogonal(nn.Sequential(nn.Linear(9, 4), nn.Linear(4, 9), nn.Embedding(1, 5)), seeded())
    wide, tall, one = (layer.weight for layer in net)
    assert torch.allclose(wide @ wide.T, torch.eye(4), atol=1e-5)
    assert torch.allclose(tall.T @ tall, torch.eye(4), atol=1e-5)
    assert torch.allclose(one.norm(), torch.ones(()), atol=1e-5)


@pytest.mark.parametrize("embeddings", [True, False])
def test_spectral_normalisation_of_embeddings_is_a_choice(embeddings):
    net = nn.Sequential(nn.Linear(3, 3), nn.Embedding(3, 3), nn.BatchNorm2d(3))
    spectrally_normed(net, seeded(), embeddings=embeddings, eps=1e-6)
    assert [is_parametrized(layer) for layer in net] == [True, embeddings, False]
    assert net[0].parametrizations.weight[0].eps == 1e-6


def test_refusals_of_shared_checks():
    with pytest.raises(UserError, match=r"Net\(size=48\): expected 32 or 64: resize the images"):
        check_size("Net", 48, 32, 64)
    with pytest.raises(UserError, match=r"Net\(classes=-1\)"):
        check_classes("Net", -1)


# What every residual pair must be able to do, in the training of any recipe.

MODELS = [
    SNGAN(2, 8, 32, classes=3),
    SAGAN(2, 8, 64),
    WGANGP(2, 8, 32),
    WGANGP(2, 8, 64),
    BigGAN(2, 10, 64),
    BigGAN(2, 8, 32, classes=3, shared=4),
    BigGANDeep(2, 8, 32, classes=3, shared=4),
]
every = pytest.mark.parametrize("model", MODELS, ids=repr)
N = 3
begun = functools.cache(lambda model: model.players(seeded()))


def players(model) -> tuple[nn.Module, nn.Module]:
    """Copies of (G, D) as drawn, which is slow to repeat."""
    return copy.deepcopy(begun(model))


def labels(model, n: int = N) -> tuple[torch.Tensor, ...]:
    """What G and D are called with beside z and x."""
    return (torch.arange(n) % model.classes,) if getattr(model, "classes", 0) else ()


def attending(net: nn.Module) -> nn.Module:
    """Attention speaks, as it does after some steps."""
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, SelfAttention):
                layer.gain.fill_(0.5)
    return net


@every
def test_shapes_and_ranges(model):
    G, D = players(model)
    y = labels(model)
    x = G(3 * noise(N, model.z_dim), *y)
    assert x.shape == (N, 3, model.size, model.size)
    assert x.abs().max() <= 1 and x.std() > 0
    assert D(x, *y).shape == (N,)
    assert D(x[:1], *labels(model, 1)).shape == (1,)


@every
def test_all_randomness_comes_from_the_generator_and_nothing_is_left_undrawn(model, monkeypatch):
    to_empty = nn.Module.to_empty

    def to_nan(net: nn.Module, **kwargs) -> nn.Module:
        to_empty(net, **kwargs)
        with torch.no_grad():
            for tensor in [*net.parameters(), *net.buffers()]:
                tensor.fill_(math.nan if tensor.is_floating_point() else -1)
        return net

    first, before = begun(model), torch.get_rng_state()
    monkeypatch.setattr(nn.Module, "to_empty", to_nan)
    again = model.players(seeded())
    assert torch.equal(torch.get_rng_state(), before)
    for one, two in zip(first, again, strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.isfinite(tensor).all(), name
            assert torch.equal(tensor, two.state_dict()[name]), name


def test_another_generator_draws_other_weights():
    ours, theirs = (WGANGP(2, 8, 32).players(seeded(seed)) for seed in (3, 4))
    for one, other in zip(ours, theirs, strict=True):
        assert not any(
            torch.equal(a, b)
            for a, b in zip(one.parameters(), other.parameters(), strict=True)
            if a.ndim > 1
        )


@every
def test_copies_in_channels_last_differ_by_rounding_alone(model):
    G, D = (attending(net) for net in players(model))
    fast_G, fast_D = (copy.deepcopy(n).to(memory_format=torch.channels_last) for n in (G, D))
    z, y = noise(N, model.z_dim), labels(model)
    x, fast_x = G(z, *y), fast_G(z, *y)
    assert torch.allclose(fast_x, x, atol=1e-4)
    image = fast_x.detach().to(memory_format=torch.channels_last)
    assert torch.allclose(fast_D(image, *y), D(x, *y), atol=1e-3)


@every
def test_gradients_reach_every_weight_under_bf16_autocast(model):
    G, D = (attending(net) for net in players(model))
    y = labels(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = D(G(noise(N, model.z_dim), *y), *y)
    F.softplus(-logits.float()).mean().backward()
    for name, p in [*G.named_parameters(), *D.named_parameters()]:
        assert p.grad is not None and torch.isfinite(p.grad).all(), name
        assert p.dtype == torch.float32
        assert p.grad.any() or "conv" in name or "main" in name, name


@every
def test_a_gradient_penalty_can_be_trained(model):
    """The double backward survives attention, pooling and normalisation."""
    D = attending(players(model)[1])
    x = noise(N, 3, model.size, model.size).to(memory_format=torch.channels_last).requires_grad_()
    (slope,) = torch.autograd.grad(D(x, *labels(model)).sum(), x, create_graph=True)
    slope.square().sum().backward()
    for layer in D.modules():
        if isinstance(layer, SelfAttention):
            assert layer.theta.parametrizations.weight.original.grad.any()
    grad = next(iter(p for p in D.parameters() if p.ndim == 4)).grad
    assert grad is not None and grad.abs().sum() > 0


@every
def test_d_judges_each_image_by_itself(model):
    D = attending(players(model)[1]).eval()
    x, y = noise(N, 3, model.size, model.size), labels(model)
    alone = D(x[1:2], *(label[1:2] for label in y))
    assert torch.allclose(D(x, *y)[1:2], alone, atol=1e-4)


@every
def test_g_learns_nothing_of_a_batch_when_its_norms_do_not_track_it(model):
    """So the step leaves a player that may not learn as it is."""
    G, _ = players(model)
    y = labels(model)
    for layer in G.modules():
        if isinstance(layer, ConditionalBatchNorm):
            assert isinstance(layer.norm, nn.BatchNorm2d)
        if isinstance(layer, _BatchNorm):
            layer.track_running_stats = False
    before = [layer.running_mean.clone() for layer in G.modules() if isinstance(layer, _BatchNorm)]
    G(noise(N, model.z_dim), *y)
    after = [layer.running_mean for layer in G.modules() if isinstance(layer, _BatchNorm)]
    assert before and all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("model", [m for m in MODELS if getattr(m, "classes", 0)], ids=repr)
def test_d_adds_the_projection_of_a_label(model):
    """The logit of (x, y) is linear in h, and so is its part that y decides."""
    D = players(model)[1].eval()
    x = noise(N, 3, model.size, model.size)
    h = D.blocks(x).relu().sum((2, 3))
    for y in range(3):
        expected = D.linear(h)[:, 0] + h @ D.embedding.weight[y]
        assert torch.allclose(D(x, torch.full((N,), y)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", [SAGAN(2, 8, 64), BigGAN(2, 10, 64)], ids=repr)
def test_a_fused_optimiser_moves_every_weight_and_gain(model):
    G, D = players(model)
    adam = torch.optim.Adam([*G.parameters(), *D.parameters()], fused=True)
    gains = [x.gain for net in (G, D) for x in net.modules() if isinstance(x, SelfAttention)]
    D(G(noise(N, model.z_dim))).sum().backward()
    adam.step()
    assert gains and all(gain != 0 for gain in gains)

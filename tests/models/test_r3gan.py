"""R3GAN: its sizes by hand and as published, its beginning, its layers."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from bascule.core.errors import UserError
from bascule.models.r3gan import R3GAN, Block, Discriminator, Generator
from bascule.models.resampling import Down, Up
from counting import count, seeded

PAPER = R3GAN((768, 768, 768, 768, 384), blocks=2)
TINY = R3GAN((12, 12, 8), z_dim=5, group=4)
LABELLED = R3GAN((12, 12, 8), blocks=2, z_dim=5, group=8, classes=3)
MODELS = [TINY, LABELLED]


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def labels(model: R3GAN, batch: int) -> tuple[Tensor, ...]:
    return (torch.arange(batch) % model.classes,) if model.classes else ()


def of(net: nn.Module, kind: type) -> list:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def stirred(net: nn.Module) -> nn.Module:
    """``net`` with no weight at zero, as training leaves it."""
    rng = seeded(7)
    with torch.no_grad():
        for p in net.parameters():
            if not p.any():
                p.normal_(0.0, 0.3, generator=rng)
    return net


def counts(model: R3GAN) -> tuple[int, int]:
    """By hand: in a block of width w, 1x1 to 2w, grouped 3x3, 1x1 back, and 2 times 2w biases."""

    def block(w: int) -> int:
        return w * 2 * w + 2 * w * model.group * 9 + 2 * w * w + 2 * 2 * w

    shared = model.blocks * sum(block(w) for w in model.widths) + 3 * model.widths[-1]
    shared += sum(a * b for a, b in pairwise(model.widths) if a != b)
    top, embedded = model.widths[0], model.classes * model.z_dim
    inputs, outputs = (2 * model.z_dim, model.z_dim) if model.classes else (model.z_dim, 1)
    return shared + (16 + inputs) * top + embedded, shared + (16 + outputs) * top + embedded


@pytest.mark.parametrize("model", [*MODELS, R3GAN((6, 9), 3, 7, 2, 4), R3GAN()], ids=repr)
def test_has_the_parameters_counted_by_hand(model):
    G, D = model.players(seeded())
    assert (count(G), count(D)) == counts(model)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (PAPER, (22_429_824, 22_381_440)),
        (R3GAN(), (465_344, 457_280)),
        (R3GAN((192, 192, 192, 192, 96)), (913_056, 900_960)),
        (R3GAN((192, 192, 192, 192, 96), blocks=2), (1_792_032, 1_779_936)),
    ],
)
def test_published_sizes(model, expected):
    with torch.device("meta"):
        assert (count(Generator(model)), count(Discriminator(model))) == expected
    assert model.size == 64


@pytest.mark.parametrize("model", [*MODELS, R3GAN((4, 4, 4, 4, 2), 1, 5, 2)], ids=repr)
def test_shapes(model):
    G, D = map(stirred, model.players(seeded()))
    x = G(normal(5, model.z_dim), *labels(model, 5))
    assert x.shape == (5, 3, model.size, model.size)
    assert x.std() > 0
    logits = D(x, *labels(model, 5))
    assert logits.shape == (5,)
    assert D(x[:1], *labels(model, 1)).shape == (1,)
    assert torch.allclose(D(x[:2], *labels(model, 2)), logits[:2], atol=1e-5)


def test_pictures_are_not_bounded():
    G, _ = TINY.players(seeded())
    z = normal(4, 5)
    assert G(1000 * z).abs().max() > 100


def test_labels_matter_to_both_and_must_be_given():
    G, D = LABELLED.players(seeded())
    z, none, ones = normal(4, 5), torch.zeros(4, dtype=torch.int64), torch.ones(4).long()
    x = G(z, none)
    assert not torch.allclose(x, G(z, ones), atol=1e-3)
    assert not torch.allclose(D(x, none), D(x, ones), atol=1e-3)
    with pytest.raises(TypeError):
        G(z)
    with pytest.raises(TypeError):
        D(x)


def test_without_classes_labels_are_overlooked():
    G, D = TINY.players(seeded())
    z, y = normal(2, 5), torch.tensor([0, 9])
    assert torch.equal(D(G(z, y), y), D(G(z)))


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_all_randomness_comes_from_the_generator(model):
    before = torch.get_rng_state()
    first, again, other = (model.players(seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for one, two, three in zip(first, again, other, strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.isfinite(tensor).all()
            assert torch.equal(tensor, two.state_dict()[name])
            assert not tensor.any() or not torch.equal(tensor, three.state_dict()[name])


def follows(weight: Tensor, std: float) -> bool:
    """Is this a sample of N(0, std²)? Five standard errors of a sample's std and mean."""
    n = weight.numel()
    return abs(weight.std().item() / std - 1) < 5 / math.sqrt(2 * n) and abs(
        weight.mean().item()
    ) < 5 * std / math.sqrt(n)


@pytest.mark.parametrize("blocks", [1, 3])
def test_initial_weights_follow_their_law(blocks):
    model = R3GAN((64, 64, 32), blocks, z_dim=32, classes=9)
    gain = math.sqrt(2 / 1.04) / (3 * blocks) ** 0.25
    G, D = model.players(seeded())
    for net in (G, D):
        within = set()
        for block in of(net, Block):
            width = block.narrow.out_channels
            assert follows(block.widen.weight, gain / math.sqrt(width))
            assert follows(block.mix.weight, gain / math.sqrt(16 * 9))
            assert not any(p.any() for p in (block.widen.bias, block.mix.bias, block.narrow.weight))
            assert block.narrow.bias is None
            within |= set(block.modules())
        plain = [layer for layer in of(net, nn.Conv2d | nn.Linear) if layer not in within]
        assert len(plain) == (3 if net is G else 4)
        for layer in plain:
            fan_in = math.prod(layer.weight.shape[1:])
            assert layer.bias is None and follows(layer.weight, 1 / math.sqrt(fan_in))
    assert follows(G.grid, 1.0)
    assert follows(G.embedding.weight, 1 / 3)
    assert follows(D.embedding.weight, 1 / math.sqrt(9 * 32))


def test_every_block_begins_as_the_identity_so_the_nets_begin_linear():
    G, D = TINY.players(seeded())
    for net in (G, D):
        for block in of(net, Block):
            x = normal(2, block.narrow.out_channels, 4, 4)
            assert torch.equal(block(x), x)
    z, x = normal(3, 5), normal(3, 3, 16, 16)
    assert torch.allclose(G(-2 * z), -2 * G(z), atol=1e-5)
    assert torch.allclose(D(-2 * x), -2 * D(x), atol=1e-5)


def test_a_block_adds_what_its_groups_make_of_x():
    """Against the sum written out: 1x1, 3x3 within each group of 4 channels, 1x1."""
    block = stirred(Block(4, 4))
    x = normal(1, 4, 3, 3)

    def leaky(h: Tensor) -> Tensor:
        return torch.where(h > 0, h, 0.2 * h)

    wide = torch.einsum("oi,bihw->bohw", block.widen.weight[:, :, 0, 0], x)
    h = leaky(wide + block.widen.bias[:, None, None])
    padded = nn.functional.pad(h, (1, 1, 1, 1))
    mixed = block.mix.bias[:, None, None].expand(1, 8, 3, 3).clone()
    for o in range(8):
        group = slice(o // 4 * 4, o // 4 * 4 + 4)
        for i in range(3):
            for j in range(3):
                seen = padded[0, group, i : i + 3, j : j + 3]
                mixed[0, o, i, j] += (block.mix.weight[o] * seen).sum()
    out = torch.einsum("oi,bihw->bohw", block.narrow.weight[:, :, 0, 0], leaky(mixed))
    assert torch.allclose(block(x), x + out, atol=1e-5)


def kinds(net: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in net.layers]


def test_stages_mirror_each_other_and_widths_change_on_the_smaller_grid():
    G, D = TINY.players(seeded())
    assert kinds(G) == ["Block", "Up", "Block", "Conv2d", "Up", "Block", "Conv2d"]
    down = ["Conv2d", "Block", "Down", "Conv2d", "Block", "Down", "Block"]
    assert kinds(D) == [*down, "Conv2d", "Flatten", "Linear"]


def test_channels_last_changes_nothing_but_rounding_and_lasts():
    G, D = map(stirred, LABELLED.players(seeded()))
    fast = [copy.deepcopy(net).to(memory_format=torch.channels_last) for net in (G, D)]
    layouts = []
    for net in fast:
        for layer in of(net, Block | Up | Down):
            layer.register_forward_hook(
                lambda _, __, out: layouts.append(
                    out.is_contiguous(memory_format=torch.channels_last)
                )
            )
    z, y = normal(4, 5), labels(LABELLED, 4)
    x, fast_x = G(z, *y), fast[0](z, *y)
    assert torch.allclose(fast_x, x, atol=1e-5)
    assert torch.allclose(fast[1](fast_x, *y), D(x, *y), atol=1e-4)
    assert len(layouts) == 2 * (6 + 2) and all(layouts)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_gradients_reach_every_weight_under_bf16_autocast(model):
    G, D = map(stirred, model.players(seeded()))
    z, y = normal(4, model.z_dim), labels(model, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = D(G(z, *y), *y).float()
    assert torch.allclose(logits, D(G(z, *y), *y), atol=0.05 * logits.abs().max().item())
    nn.functional.softplus(-logits).mean().backward()
    for name, p in [*G.named_parameters(), *D.named_parameters()]:
        assert p.grad is not None and torch.isfinite(p.grad).all() and p.grad.any(), name


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_gradient_penalty_has_the_gradient_of_finite_differences(model):
    D = stirred(model.players(seeded())[1]).double()
    x, y = normal(3, 3, model.size, model.size).double().requires_grad_(), labels(model, 3)

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(D(x, *y).sum(), x, create_graph=True)
        return slope.square().sum()

    penalty().backward()
    assert all(p.grad.any() for name, p in D.named_parameters() if "weight" in name)
    weights = [p for p in D.parameters() if p.grad is not None]
    ways = [torch.randn(p.shape, generator=seeded(3), dtype=p.dtype) for p in weights]
    said = sum((p.grad * way).sum() for p, way in zip(weights, ways, strict=True))

    def moved(by: float) -> Tensor:
        with torch.no_grad():
            for p, way in zip(weights, ways, strict=True):
                p.add_(by * way)
        return penalty().detach()

    eps = 1e-6
    above, below = moved(eps), moved(-2 * eps)
    assert torch.allclose(said, (above - below) / (2 * eps), rtol=1e-5)


def test_d_does_not_take_images_of_another_size():
    _, D = TINY.players(seeded())
    for side in (8, 32):
        with pytest.raises(RuntimeError):
            D(torch.zeros(2, 3, side, side))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: R3GAN(()), r"widths=\(\).*two or more"),
        (lambda: R3GAN((32,)), r"widths=\(32,\)"),
        (lambda: R3GAN((32, 0)), "R3GAN.widths=0"),
        (lambda: R3GAN((32, 16.0)), "widths"),
        (lambda: R3GAN((32, 20)), "group=16.*divisor of 40"),
        (lambda: R3GAN(group=0), "R3GAN.group=0"),
        (lambda: R3GAN(blocks=0), "R3GAN.blocks=0"),
        (lambda: R3GAN(z_dim=-1), "z_dim=-1"),
        (lambda: R3GAN(z_dim=True), "z_dim=True"),
        (lambda: R3GAN(classes=-1), "R3GAN.classes=-1"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

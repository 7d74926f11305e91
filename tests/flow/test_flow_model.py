"""The U-Net of velocities: its size, its shapes, its start, and refusals."""

import pytest
import torch
from torch import nn

from bascule.core.errors import UserError
from bascule.flow.model import EMBEDDED, UNet, embedded
from counting import count, seeded

SMALL = UNet((8, 16, 24), blocks=1, size=32)


def block(before: int, after: int) -> int:
    """By hand: GroupNorm, two 3x3 convolutions, the map of the time, the skip path."""
    convolutions = 9 * before * after + after + 9 * after * after + after
    skip = 0 if before == after else before * after + after
    return 2 * before + convolutions + (EMBEDDED + 1) * after + skip


def by_hand(widths: tuple[int, ...], blocks: int) -> int:
    total, channels = 3 * widths[0] + widths[0] + widths[0] * 3 + 3, widths[0]
    for width in widths:
        for _ in range(blocks):
            total, channels = total + block(channels, width), width
    for width in widths[-2::-1]:
        for _ in range(blocks):
            total, channels = total + block(channels + width, width), width
    return total


@pytest.mark.parametrize(("widths", "blocks"), [((8, 16), 1), ((16, 24, 40), 3)])
def test_has_the_parameters_counted_by_hand(widths, blocks):
    assert count(UNet(widths, blocks, 32).network(seeded())) == by_hand(widths, blocks)


def test_has_the_size_and_the_cost_of_the_small_published_network():
    """1.9 million weights and 1.14 billion multiplications at 64 px, with norms and times apart."""
    net = UNet().network(seeded())
    multiplications = []

    def counted(layer, given, made):
        multiplications.append(layer.weight.numel() * made[0, 0].numel())

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(counted)
    with torch.no_grad():
        net(torch.zeros(1, 3, 64, 64), torch.zeros(1))
    assert count(net) == by_hand((32, 64, 96, 128), 2) == pytest.approx(1.9e6, rel=0.05)
    assert sum(multiplications) == pytest.approx(1.14e9, rel=0.05)


def test_it_begins_with_velocities_of_zero_and_learns_in_every_weight():
    net = SMALL.network(seeded())
    x, t = torch.randn(4, 3, 32, 32, generator=seeded(1)), torch.rand(4, generator=seeded(2))
    assert not net(x, t).any()
    nn.init.normal_(net.last.weight, generator=seeded(3))
    made = net(x, t)
    assert made.shape == x.shape
    made.square().mean().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


def test_an_image_does_not_depend_on_its_batch():
    net = SMALL.network(seeded())
    nn.init.normal_(net.last.weight, generator=seeded(3))
    x, t = torch.randn(4, 3, 32, 32, generator=seeded(1)), torch.rand(4, generator=seeded(2))
    assert torch.allclose(net(x, t)[1:2], net(x[1:2], t[1:2]), atol=1e-5)
    assert not torch.allclose(net(x, t)[1], net(x, 1 - t)[1], atol=1e-3)


def test_all_randomness_comes_from_the_generator():
    before = torch.get_rng_state()
    first, again, other = (SMALL.network(seeded(seed)).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_times_have_sines_and_cosines_of_all_periods():
    assert torch.allclose(embedded(torch.zeros(1)), torch.tensor([[0.0] * 16 + [1.0] * 16]))
    quarter = embedded(torch.tensor([0.25]))[0]
    assert quarter[0].item() == pytest.approx(1) and quarter[16].item() == pytest.approx(
        0, abs=1e-6
    )
    assert embedded(torch.rand(7, generator=seeded())).shape == (7, EMBEDDED)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: UNet(size=48), "size=48.*32 or 64 or 128"),
        (lambda: UNet(widths=(32,)), r"widths=\(32,\).*2 to 6 numbers for 64 px"),
        (lambda: UNet(widths=(8,) * 7), "2 to 6 numbers for 64 px"),
        (lambda: UNet(widths=(32, 60)), "multiples of 8"),
        (lambda: UNet(widths=(32, 0)), "widths=0"),
        (lambda: UNet(blocks=0), "blocks=0"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

"""SNGAN: its sizes by hand and as published, where its norms stand, its borders."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from bascule.core.errors import UserError
from bascule.models.layers import ConditionalBatchNorm, DownBlock, UpBlock
from bascule.models.sngan import SNGAN
from counting import conv, count, residual, seeded


def up(before: int, after: int, labels: int) -> int:
    norms = 2 * labels * (before + after)
    return norms + conv(before, after, 3) + conv(after, after, 3) + conv(before, after, 1)


def counts(w: int, z: int, size: int, classes: int) -> tuple[int, int]:
    """By hand; a norm has a gain and a bias a channel, for every label where there are labels."""
    labels = max(1, classes)
    if size == 32:
        G = 3 * up(4 * w, 4 * w, labels)
        top, bottom, features = 4 * w, 4 * w, 2 * w
        D = residual(3, 2 * w, 2 * w) + residual(2 * w, 2 * w, 2 * w) + 4 * conv(2 * w, 2 * w, 3)
    else:
        G = sum(up(2 * k * w, k * w, labels) for k in (8, 4, 2, 1))
        top, bottom, features = 16 * w, w, 16 * w
        D = residual(3, w, w) + sum(residual(k * w, k * w, 2 * k * w) for k in (1, 2, 4, 8))
    if size == 128:  # one block more, with as many channels in as out; D's has no skip convolution
        G += up(16 * w, 16 * w, labels)
        D += 2 * conv(16 * w, 16 * w, 3)
    G += (z + 1) * 16 * top + 2 * bottom + conv(bottom, 3, 3)
    return G, D + features + 1 + classes * features


@pytest.fixture
def unnormed(monkeypatch):
    """Spectral normalisation adds no parameter, and is slow to begin."""
    monkeypatch.setattr("bascule.models.sngan.spectrally_normed", lambda net, rng, **_: net)


@pytest.mark.usefixtures("unnormed")
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("width", [2, 5])
def test_has_the_parameters_counted_by_hand(width, size, classes):
    G, D = SNGAN(width, 10, size, classes).players(seeded())
    assert (count(G), count(D)) == counts(width, 10, size, classes)


@pytest.mark.usefixtures("unnormed")
def test_published_size():
    """256 and 128 channels at 32 pixels; the sum for 64 pixels is too slow to build here."""
    G, D = SNGAN(width=64, size=32).players(seeded())
    assert (count(G), count(D)) == (4_276_739, 1_053_825)
    assert counts(64, 128, 64, 0) == (12_220_675, 10_141_441)


@pytest.mark.usefixtures("unnormed")
def test_default_is_as_big_as_a_light_dcgan():
    G, D = SNGAN().players(seeded())
    assert (count(G), count(D)) == (1_162_051, 635_329)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_d_alone_is_spectrally_normed_and_g_alone_has_batch_norm(size):
    G, D = SNGAN(2, 8, size, classes=3).players(seeded())
    assert not any(is_parametrized(layer) for layer in G.modules())
    weighty = [x for x in D.modules() if isinstance(x, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert all(is_parametrized(layer) for layer in weighty)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in D.modules())
    assert (
        sum(isinstance(x, ConditionalBatchNorm) for x in G.modules())
        == 2 * {32: 3, 64: 4, 128: 5}[size]
    )


@pytest.mark.parametrize(
    ("size", "sides"), [(32, [16, 8, 8, 8]), (64, [32, 16, 8, 4, 2]), (128, [64, 32, 16, 8, 4, 4])]
)
def test_blocks_halve_and_double_the_side(size, sides):
    G, D = SNGAN(2, 8, size).players(seeded())
    seen: dict[type, list[int]] = {UpBlock: [], DownBlock: []}
    for net in (G, D):
        for layer in net.modules():
            if isinstance(layer, UpBlock | DownBlock):
                layer.register_forward_hook(
                    lambda layer, _, out: seen[type(layer)].append(out.shape[-1])
                )
    D(G(torch.randn(2, 8, generator=seeded())))
    assert seen[DownBlock] == sides
    assert seen[UpBlock] == [8, 16, 32, 64, 128][: len(seen[UpBlock])]
    assert seen[UpBlock][-1] == size


def test_residual_convolutions_are_drawn_wider_than_the_others():
    G, _ = SNGAN(16, 8, 32).players(seeded())
    block = G.blocks[0]
    wide, plain = block.conv1.weight, block.skip.weight
    assert 0.98 < wide.abs().max() / math.sqrt(2 * 6 / (9 * 128)) <= 1
    assert 0.98 < plain.abs().max() / math.sqrt(6 / 128) <= 1
    assert 0.95 < G.to_image[2].weight.abs().max() / math.sqrt(6 / (9 * 67)) <= 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SNGAN(size=48), "SNGAN.size=48.*32 or 64 or 128"),
        (lambda: SNGAN(size=256), "size=256"),
        (lambda: SNGAN(width=0), "SNGAN.width=0"),
        (lambda: SNGAN(width=16.5), "width=16.5"),
        (lambda: SNGAN(z_dim=0), "z_dim=0"),
        (lambda: SNGAN(classes=-1), "SNGAN.classes=-1.*0 for no labels"),
        (lambda: SNGAN(classes=True), "classes=True"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

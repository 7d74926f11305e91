"""SAGAN: its sizes by hand, where attention and spectral normalisation stand, its borders."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from bascule.core.errors import UserError
from bascule.models.layers import ConditionalBatchNorm, SelfAttention
from bascule.models.sagan import SAGAN
from counting import attention, conv, count, residual, seeded


def block(before: int, after: int) -> int:
    return residual(before, after, after)


def counts(w: int, z: int, size: int, classes: int) -> tuple[int, int]:
    """By hand, for widths that 8 divides; 3x3 and 1x1 convolutions have biases."""
    labels = max(1, classes)
    if size == 32:
        G = 3 * (block(4 * w, 4 * w) + 2 * labels * 8 * w) + attention(4 * w)
        top, bottom, features = 4 * w, 4 * w, 2 * w
        D = block(3, 2 * w) + block(2 * w, 2 * w) + 4 * conv(2 * w, 2 * w, 3) + attention(2 * w)
    else:
        G = sum(block(2 * k * w, k * w) + 2 * labels * 3 * k * w for k in (8, 4, 2, 1))
        G += attention(2 * w)
        top, bottom, features = 16 * w, w, 16 * w
        D = block(3, w) + sum(block(k * w, 2 * k * w) for k in (1, 2, 4, 8)) + attention(w)
    if size == 128:  # a block more in each, and attention where there are twice the channels
        G += block(16 * w, 16 * w) + 2 * labels * 32 * w + attention(4 * w) - attention(2 * w)
        D += 2 * conv(16 * w, 16 * w, 3) + attention(2 * w) - attention(w)
    G += (z + 1) * 16 * top + 2 * bottom + conv(bottom, 3, 3)
    return G, D + features + 1 + classes * features


@pytest.fixture
def unnormed(monkeypatch):
    """Spectral normalisation adds no parameter, and is slow to begin."""
    monkeypatch.setattr("bascule.models.sagan.spectrally_normed", lambda net, rng, **_: net)


@pytest.mark.usefixtures("unnormed")
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_has_the_parameters_counted_by_hand(size, classes):
    G, D = SAGAN(8, 10, size, classes).players(seeded())
    assert (count(G), count(D)) == counts(8, 10, size, classes)


@pytest.mark.usefixtures("unnormed")
def test_default_size():
    G, D = SAGAN().players(seeded())
    assert (count(G), count(D)) == counts(16, 128, 64, 0) == (1_163_332, 1_223_410)


@pytest.mark.parametrize(("size", "side"), [(32, 16), (64, 32), (128, 32)])
def test_attention_stands_on_the_same_grid_in_both(size, side):
    players = SAGAN(2, 8, size).players(seeded())
    sides = []
    for net in players:
        (layer,) = [x for x in net.modules() if isinstance(x, SelfAttention)]
        layer.register_forward_hook(lambda _, given, out: sides.append(out.shape[2:]))
    G, D = players
    D(G(torch.randn(2, 8, generator=seeded())))
    assert sides == [(side, side)] * 2


def test_both_are_spectrally_normed_but_not_the_labels_gains():
    G, D = SAGAN(2, 8, 32, classes=3).players(seeded())
    for net in (G, D):
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert is_parametrized(layer)
    assert not any(is_parametrized(x) for x in G.modules() if isinstance(x, nn.Embedding))
    assert is_parametrized(D.embedding)
    assert sum(isinstance(x, ConditionalBatchNorm) for x in G.modules()) == 6


def test_labels_begin_alike_in_g_and_can_be_learned_apart():
    G, _ = SAGAN(2, 8, 32, classes=2).players(seeded())
    G.eval()
    z, zeros = torch.randn(3, 8, generator=seeded()), torch.zeros(3, dtype=torch.long)
    assert torch.equal(G(z, zeros), G(z, zeros + 1))
    G(z, zeros).square().sum().backward()
    gains = [x.gain.weight.grad for x in G.modules() if isinstance(x, ConditionalBatchNorm)]
    assert all(gain[0].any() and not gain[1].any() for gain in gains)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SAGAN(size=256), "SAGAN.size=256.*32 or 64 or 128"),
        (lambda: SAGAN(width=0), "SAGAN.width=0"),
        (lambda: SAGAN(z_dim=-3), "z_dim=-3"),
        (lambda: SAGAN(classes=-2), "SAGAN.classes=-2"),
        (lambda: SAGAN(classes=2.5), "classes=2.5"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

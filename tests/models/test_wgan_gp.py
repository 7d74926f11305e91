"""WGAN-GP: its sizes by hand, a critic that needs no batch, its borders."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from bascule.core.errors import UserError
from bascule.models.wgan_gp import WGANGP
from counting import conv, count, residual, seeded


def counts(w: int, z: int, size: int) -> tuple[int, int]:
    """By hand; a norm, of the batch or of a layer, has two numbers a channel."""
    if size == 32:
        c = 2 * w
        G = 3 * (residual(c, c, c) + 4 * c) + (z + 1) * 16 * c + 2 * c + conv(c, 3, 3)
        return G, residual(3, c, c) + residual(c, c, c) + 4 * conv(c, c, 3) + c + 1
    steps = [(8, 8)] * (size // 64) + [(8, 4), (4, 2), (2, 1)]
    G = sum(residual(a * w, b * w, b * w) + 2 * (a + b) * w for a, b in steps)
    G += (z + 1) * 16 * 8 * w + 2 * w + conv(w, 3, 3)
    D = sum(residual(b * w, b * w, a * w) + 4 * b * w for a, b in steps)
    return G, D + conv(3, w, 3) + 16 * 8 * w + 1


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("width", [2, 5])
def test_has_the_parameters_counted_by_hand(width, size):
    G, D = WGANGP(width, 10, size).players(seeded())
    assert (count(G), count(D)) == counts(width, 10, size)


def test_published_size():
    """128 channels at 32 pixels; the sum for the authors' 64-pixel nets is by hand alone."""
    G, D = WGANGP(width=64, size=32).players(seeded())
    assert (count(G), count(D)) == (1_204_483, 1_053_825)
    assert counts(64, 128, 64) == (8_541_443, 7_492_801)


@pytest.mark.parametrize(("size", "layer_norms"), [(32, 0), (64, 8), (128, 10)])
def test_the_critic_has_layer_norm_or_none(size, layer_norms):
    G, D = WGANGP(2, 8, size).players(seeded())
    assert not any(is_parametrized(layer) for net in (G, D) for layer in net.modules())
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in D.modules())
    norms = [layer for layer in D.modules() if isinstance(layer, nn.GroupNorm)]
    assert len(norms) == layer_norms
    assert all(layer.num_groups == 1 for layer in norms)
    assert (
        sum(isinstance(x, nn.BatchNorm2d) for x in G.modules())
        == 2 * {32: 3, 64: 4, 128: 5}[size] + 1
    )


def test_a_gradient_penalty_learns_through_layer_norm():
    _, D = WGANGP(2, 8, 64).players(seeded())
    x = torch.randn(2, 3, 64, 64, generator=seeded(1)).requires_grad_()
    (slope,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    (slope.flatten(1).norm(dim=1) - 1).square().mean().backward()
    learned = [p for name, p in D.named_parameters() if name.endswith("weight")]
    assert all(p.grad is not None and p.grad.any() for p in learned)


def test_the_slope_at_one_image_does_not_depend_on_the_others():
    _, D = WGANGP(2, 8, 64).players(seeded())
    x = torch.randn(3, 3, 64, 64, generator=seeded(1)).requires_grad_()
    (slope,) = torch.autograd.grad(D(x)[0], x)
    assert slope[0].any() and not slope[1:].any()


def test_d_does_not_flatten_the_wrong_size_into_more_numbers():
    _, D = WGANGP(2, 8, 64).players(seeded())
    with pytest.raises(RuntimeError):
        D(torch.zeros(2, 3, 128, 128))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WGANGP(size=512), "WGANGP.size=512.*32 or 64 or 128"),
        (lambda: WGANGP(width=0), "WGANGP.width=0"),
        (lambda: WGANGP(z_dim=0), "z_dim=0"),
        (lambda: WGANGP(width="16"), "width='16'"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

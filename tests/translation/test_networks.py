"""Nets from picture to picture: their weights as published, what they see, their places."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from bascule.core.errors import UserError
from bascule.translation.cut.model import CUT
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.networks import (
    Blur,
    PatchD,
    ResNetTranslator,
    ToFew,
    UNetTranslator,
    receptive_field,
)
from counting import count, seeded


@pytest.mark.parametrize("up", ["transposed", "nearest", "blurred"])
@pytest.mark.parametrize(
    ("width", "blocks", "published"),
    [(64, 9, 11_378_179), (64, 6, 7_837_699), (64, 4, 5_477_379), (32, 4, 1_374_723)],
)
def test_resnets_have_as_many_weights_as_published(width, blocks, published, up):
    with torch.device("meta"):
        assert count(ResNetTranslator(width, blocks, up)) == published


@pytest.mark.parametrize(
    ("downs", "norm", "published"),
    [(8, "batch", 54_413_955), (8, "instance", 54_409_603), (7, "batch", 41_828_995)],
)
def test_unets_have_as_many_weights_as_published(downs, norm, published):
    with torch.device("meta"):
        assert count(UNetTranslator(64, downs, norm)) == published


@pytest.mark.parametrize(
    ("halvings", "field", "published"),
    [(1, 16, 136_385), (2, 34, 662_977), (3, 70, 2_764_737), (4, 142, 6_959_553)],
)
def test_judges_have_as_many_weights_and_see_as_far_as_published(halvings, field, published):
    with torch.device("meta"):
        assert count(PatchD(64, halvings)) == published
    assert receptive_field(halvings) == field


@pytest.mark.parametrize("blurred", [False, True])
@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_logit_sees_a_patch_of_its_receptive_field_and_no_more(halvings, blurred):
    """By gradients; without InstanceNorm, through which every pixel of the picture counts."""
    D = PatchD(4, halvings, blurred=blurred)
    for name, layer in list(D.layers.named_children()):
        if isinstance(layer, nn.InstanceNorm2d):
            D.layers[int(name)] = nn.Identity()
        if isinstance(layer, nn.LeakyReLU):
            D.layers[int(name)] = nn.Identity()  # no pixel by chance without a slope
    x = torch.randn(1, 3, 160, 160, generator=seeded()).requires_grad_()
    logits = D(x)
    middle = logits.shape[-1] // 2
    (slope,) = torch.autograd.grad(logits[0, middle, middle], x)
    rows, columns = (slope[0].abs().sum((0, d)).nonzero().flatten() for d in (2, 1))
    side = receptive_field(halvings, blurred)
    for seen in (rows, columns):
        assert seen[-1] - seen[0] + 1 == side and len(seen) == side


def test_a_convolution_to_few_channels_is_a_convolution():
    """Forwards and backwards, column by column or at once."""
    layer = ToFew(5, 3, 7)
    plain = nn.Conv2d(5, 3, 7, padding=3, padding_mode="reflect")
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 5, 16, 12, generator=seeded()).requires_grad_()
    weight = torch.randn(2, 3, 16, 12, generator=seeded())
    ours, theirs = layer(x), plain(x)
    assert torch.allclose(ours, theirs, atol=1e-5)
    slopes = (
        torch.autograd.grad((y * weight).sum(), [x, *net.parameters()])
        for y, net in ((ours, layer), (theirs, plain))
    )
    for one, other in zip(*slopes, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_the_cost_of_the_papers_net():
    """49.55 billion multiplications and additions for a picture of 256 pixels."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        ResNetTranslator(64, 9)(torch.zeros(1, 3, 256, 256))
    assert counter.get_total_flops() / 2e9 == pytest.approx(49.55, abs=0.02)


@pytest.mark.parametrize("up", ["transposed", "nearest", "blurred"])
def test_any_size_of_multiples_of_4_is_kept(up):
    G = ResNetTranslator(4, 1, up)
    assert G(torch.zeros(2, 3, 36, 52)).shape == (2, 3, 36, 52)
    with pytest.raises(
        UserError, match="pictures of 30 x 32: expected sides that are multiples of 4"
    ):
        G(torch.zeros(1, 3, 32, 30))


def test_unets_keep_sizes_and_refuse_others():
    G = UNetTranslator(4, 5, "instance")
    assert G(torch.randn(2, 3, 64, 32)).shape == (2, 3, 64, 32)
    with pytest.raises(UserError, match="multiples of 32"):
        G(torch.zeros(1, 3, 48, 48))


def test_places_are_those_of_the_forward_pass_and_no_further_is_computed():
    G = ResNetTranslator(4, 3, "nearest").eval()
    x = torch.randn(2, 3, 32, 32, generator=seeded())
    seen = {}

    def note(name):
        return lambda module, inputs, output: seen.setdefault(name, output)

    G.pad.register_forward_hook(note("rgb"))
    G.down1[0].register_forward_hook(note("down1"))
    G.down2[0].register_forward_hook(note("down2"))
    for k, block in enumerate(G.blocks):
        block.register_forward_hook(note(f"res{k}"))
    G(x)
    forward = dict(seen)
    found = G.features(x, G.taps)
    assert G.taps == ("rgb", "down1", "down2", "res0", "res1", "res2")
    for name, h in zip(G.taps, found, strict=True):
        assert torch.equal(h, forward[name]), name
    seen.clear()
    G.features(x, ("down1",))
    assert set(seen) == {"rgb", "down1"}
    with pytest.raises(UserError, match="res9"):
        G.features(x, ("rgb", "res9"))


def test_blurs_are_binomial():
    x = torch.randn(1, 2, 8, 8, generator=seeded())
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    padded = F.pad(x, (1, 1, 1, 1), "reflect")
    by_hand = sum(
        line[i] * line[j] * padded[:, :, i : i + 8 : 2, j : j + 8 : 2]
        for i in range(3)
        for j in range(3)
    )
    assert torch.allclose(Blur()(x), by_hand, atol=1e-6)


def test_the_anti_aliased_doubling_is_that_of_zhangs_kernel():
    """Each pixel is spread by 1, 3, 3, 1 either way; the border is drawn out."""
    double = ResNetTranslator(2, 1, "blurred").up[0]
    x = torch.randn(1, 2, 5, 7, generator=seeded())
    line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    kernel = torch.outer(line, line).expand(2, 1, 4, 4)
    padded = F.pad(x, (1, 1, 1, 1), "replicate")
    wide = F.conv_transpose2d(padded, kernel, stride=2, padding=1, groups=2)
    assert torch.allclose(double(x), wide[:, :, 2:-2, 2:-2], atol=1e-6)


def test_cyclegan_has_28_million_weights_and_its_light_one_3():
    assert round(sum(map(count, CycleGAN().players(seeded()))) / 1e6, 2) == 28.29
    nets = CycleGAN(32, 4, 64, width_D=32, halvings=2).players(seeded())
    assert sum(map(count, nets)) == 2 * 1_374_723 + 2 * 167_649
    G_AB, G_BA, D_A, _ = nets
    x = torch.randn(2, 3, 64, 64, generator=seeded())
    assert G_BA(G_AB(x)).shape == x.shape and D_A(x).shape == (2, 14, 14)
    assert CycleGAN().patch == 70


def test_players_are_drawn_from_their_generator_alone():
    first, again = (CycleGAN(4, 1, 64, width_D=4).players(seeded(3)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
            assert torch.equal(x, y)
    weights = torch.cat([p.flatten() for p in first[0].parameters() if p.ndim == 4])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
    assert not torch.equal(first[0].last[0].weight, first[1].last[0].weight)


def test_an_anti_aliased_judge_is_that_of_cuts_authors():
    """Convolutions of stride 1, and after each activation a blur by 1, 2, 1 of stride 2."""
    D = CUT(4, 1, 32, width_D=4, halvings=2, taps=("rgb",), blurred_D=True).players(seeded())[1]
    with torch.device("meta"):
        assert count(PatchD(64, 3, blurred=True)) == count(PatchD(64, 3))
    x = torch.randn(2, 3, 32, 32, generator=seeded())
    line = torch.tensor([1.0, 2.0, 1.0]) / 4

    def halved(h):
        kernel = torch.outer(line, line).expand(h.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(h, (1, 1, 1, 1), "reflect"), kernel, stride=2, groups=h.shape[1])

    first, second, third, last = (m for m in D.layers if isinstance(m, nn.Conv2d))

    def convolved(layer, h):
        return F.conv2d(h, layer.weight, layer.bias, padding=1)

    h = halved(F.leaky_relu(convolved(first, x), 0.2))
    h = halved(F.leaky_relu(F.instance_norm(convolved(second, h)), 0.2))
    h = F.leaky_relu(F.instance_norm(convolved(third, h)), 0.2)
    assert torch.allclose(D(x), convolved(last, h).squeeze(1), atol=1e-5)


def test_weights_of_cut_begin_as_in_the_authors_code():
    """The residual blocks of width 64: 0.02 * sqrt(2 / (9 * 512)), 48 times less than 0.02."""
    published, wide = (
        CUT(64, 1, 32, width_D=64, halvings=2, taps=("rgb", "res0"), init=init).players(seeded())
        for init in ("xavier", "normal")
    )
    std = [nets[0].blocks[0].layers[0].weight.std().item() for nets in (published, wide)]
    assert std == pytest.approx([0.02 / 48, 0.02], rel=0.02)
    for layer in (published[0].first[0], published[1].layers[0], published[2].heads[1][2]):
        fans = sum(nn.init._calculate_fan_in_and_fan_out(layer.weight))
        expected = 0.02 * math.sqrt(2 / fans)
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)
        assert not layer.bias.any()


def test_the_heads_of_cut_count_and_compare_as_published():
    with torch.device("meta"):
        from bascule.translation.cut.model import Heads

        assert count(Heads([3, 128, 256, 256, 256], 256)) == 560_384
    G, D, heads = CUT(8, 2, 64, taps=("rgb", "down2", "res1"), features=16).players(seeded())
    x = torch.randn(2, 3, 64, 64, generator=seeded())
    maps = G.features(x, ("rgb", "down2", "res1"))
    places = [torch.arange(5), torch.arange(7), torch.tensor([0, 255])]
    found = heads(maps, places)
    assert [tuple(f.shape) for f in found] == [(2, 5, 16), (2, 7, 16), (2, 2, 16)]
    assert all(torch.allclose(f.norm(dim=2), torch.ones(f.shape[:2])) for f in found)
    assert D(x).shape == (2, 6, 6)
    # the second place of the last tap is its last pixel
    alone = heads([h[:, :, -1:, -1:] for h in maps], [torch.tensor([0])] * 3)
    assert torch.allclose(found[2][:, 1], alone[2][:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CycleGAN(width=0), "CycleGAN(width=0): expected a whole number >= 1"),
        (lambda: CycleGAN(size=66), "expected at least 32, a multiple of 4"),
        (lambda: CycleGAN(size=96, net="unet"), "expected at least 32, a power of 2"),
        (lambda: CycleGAN(size=64, halvings=5), "patches of 286 pixels are too large"),
        (lambda: CUT(blocks=4), "expected some of rgb, down1, down2, res0, res1, res2, res3"),
        (lambda: CUT(taps=("res0", "rgb")), "in order"),
        (lambda: CUT(size=30), "CUT(size=30): expected at least 32, a multiple of 4"),
    ],
)
def test_what_cannot_be_built_is_refused(make, message):
    with pytest.raises(UserError) as refused:
        make()
    assert message in str(refused.value)

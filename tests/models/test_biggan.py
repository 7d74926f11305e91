"""BigGAN and BigGAN-deep: sizes by hand and as measured elsewhere, chunks of z."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import is_parametrized

from bascule.core.errors import UserError
from bascule.models.biggan import BigGAN, BigGANDeep, DeepD, DeepG
from bascule.models.layers import SelfAttention, norm_of_vectors
from counting import attention, conv, count, residual, seeded


def block(before: int, after: int) -> int:
    return residual(before, after, after)


def bottleneck(before: int, hidden: int, after: int) -> int:
    return conv(before, hidden, 1) + 2 * conv(hidden, hidden, 3) + conv(hidden, after, 1)


def ups(w: int, size: int) -> list[tuple[int, int]]:
    if size == 32:
        return [(4 * w, 4 * w)] * 3
    return [(a * w, b * w) for a, b in UPS[: size.bit_length() - 3]]


UPS = [(16, 16), (16, 8), (8, 4), (4, 2), (2, 1)]


def ends(first: int, channels: list[tuple[int, int]], classes: int, shared: int) -> int:
    """The 4x4 grid of G, its embedding of labels, its last norm and convolution."""
    top, bottom = channels[0][0], channels[-1][1]
    return (first + 1) * 16 * top + classes * shared + 2 * bottom + conv(bottom, 3, 3)


def biggan_counts(w: int, z: int, size: int, classes: int, shared: int) -> tuple[int, int]:
    channels = ups(w, size)
    chunk = z // (len(channels) + 1)
    told = chunk + (shared if classes else 0)
    G = sum(block(a, b) + 2 * told * (a + b) for a, b in channels)
    G += ends(chunk, channels, classes, shared)
    if size == 32:
        D, features = block(3, 4 * w) + block(4 * w, 4 * w) + 4 * conv(4 * w, 4 * w, 3), 4 * w
        return G, D + features * (1 + classes) + 1
    D = block(3, w) + sum(block(k * w, 2 * k * w) for k in (1, 2, 4, 8)) + attention(w)
    if size == 128:  # a sixth block keeps the grid and the channels; it has no skip convolution
        D += 2 * conv(16 * w, 16 * w, 3)
    return G + attention(channels[-1][0]), D + 16 * w * (1 + classes) + 1


def deep_counts(w: int, z: int, size: int, classes: int, shared: int) -> tuple[int, int]:
    channels = ups(w, size)
    told = z + (shared if classes else 0)
    G = ends(told, channels, classes, shared)
    for before, after in channels:
        hidden = before // 4
        G += bottleneck(before, hidden, before) + bottleneck(before, hidden, after)
        G += 2 * 2 * told * (before + 3 * hidden)
    if size == 32:
        D, features = conv(3, 4 * w, 3) + 6 * bottleneck(4 * w, w, 4 * w), 4 * w
        return G, D + features * (1 + classes) + 1
    D = conv(3, w, 3) + attention(2 * w) + 16 * w * (1 + classes) + 1
    for before, after in [(k * w, 2 * k * w) for k in (1, 2, 4, 8)]:
        D += bottleneck(before, after // 4, after) + bottleneck(after, after // 4, after)
        D += conv(before, after - before, 1)
    if size == 128:  # two blocks more, with as many channels in as out
        D += 2 * bottleneck(16 * w, 4 * w, 16 * w)
    return G + attention(channels[-1][0]), D


COUNTS = {BigGAN: biggan_counts, BigGANDeep: deep_counts}


@pytest.fixture
def unnormed(monkeypatch):
    """Spectral normalisation adds no parameter, and is slow to begin."""
    monkeypatch.setattr("bascule.models.biggan.spectrally_normed", lambda net, rng, **_: net)


@pytest.mark.usefixtures("unnormed")
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("pair", COUNTS)
def test_has_the_parameters_counted_by_hand(pair, size, classes):
    G, D = pair(4, 60, size, classes, shared=6).players(seeded())
    assert (count(G), count(D)) == COUNTS[pair](4, 60, size, classes, 6)


def test_the_published_model_for_128_px():
    """What the authors' program counts: 1,000 classes, ch = 96, z of 120 numbers."""
    assert biggan_counts(96, 120, 128, 1000, 128) == (70_433_988, 87_982_370)


@pytest.mark.parametrize(
    ("pair", "z", "width", "in_millions"),
    [
        (BigGAN, 100, 16, ("2.05", "1.22")),
        (BigGAN, 100, 32, ("7.84", "4.89")),
        (BigGAN, 100, 64, ("30.7", "19.5")),
        (BigGANDeep, 128, 16, ("1.79", "0.298")),
        (BigGANDeep, 128, 32, ("4.56", "1.19")),
        (BigGANDeep, 128, 64, ("13", "4.73")),
    ],
)
def test_sizes_measured_of_the_authors_program(pair, z, width, in_millions):
    """64 pixels, one class, an embedding of 16; the sums are those that the test above checks."""
    sums = COUNTS[pair](width, z, 64, 1, 16)
    assert tuple(f"{n / 1e6:.3g}" for n in sums) == in_millions


@pytest.mark.usefixtures("unnormed")
def test_sizes_in_whole():
    G, D = BigGAN(16, classes=1, shared=16).players(seeded())
    assert (count(G), count(D)) == (2_047_572, 1_223_666)
    G, D = BigGANDeep(classes=1, shared=16).players(seeded())
    assert (count(G), count(D)) == (1_793_652, 297_922)


@pytest.mark.parametrize("pair", COUNTS)
def test_attention_stands_at_32_for_size_64_and_nowhere_for_size_32(pair):
    sides = []
    for size in (32, 64):
        G, D = pair(2, 20, size).players(seeded())
        for layer in [*G.modules(), *D.modules()]:
            if isinstance(layer, SelfAttention):
                layer.register_forward_hook(lambda _, given, out: sides.append(out.shape[-1]))
        D(G(torch.randn(2, 20, generator=seeded())))
        assert sides == [32] * (2 if size == 64 else 0)


@pytest.mark.parametrize("pair", COUNTS)
def test_all_is_spectrally_normed_but_the_embedding_of_g(pair):
    G, D = pair(2, 20, 32, classes=3, shared=4).players(seeded())
    for net in (G, D):
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert is_parametrized(layer)
            assert not isinstance(layer, _SpectralNorm) or layer.eps == 1e-6
    assert is_parametrized(D.embedding) and not is_parametrized(G.shared)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in D.modules())


def test_weights_are_orthogonal():
    G, D = BigGAN(4, 20, 32, classes=3, shared=8).players(seeded())
    convs = [layer for layer in D.modules() if isinstance(layer, nn.Conv2d)]
    weights = [layer.parametrizations.weight.original.flatten(1) for layer in convs]
    for w in [G.shared.weight, *weights]:
        short = w @ w.T if len(w) <= w.shape[1] else w.T @ w
        assert torch.allclose(short, torch.eye(len(short)), atol=1e-5)


def test_each_chunk_of_z_speaks_to_its_own_block():
    """Another chunk changes the blocks from its own onwards; the first chunk makes the grid."""
    G, _ = BigGAN(2, 8, 32).players(seeded())
    G.eval()
    seen: list[torch.Tensor] = []
    for layer in (G.stem, *G.blocks):
        layer.register_forward_hook(lambda _, given, out: seen.append(out))
    z = torch.randn(1, 8, generator=seeded(1))
    G(z)
    before = list(seen)
    for place in range(4):
        other = z.clone()
        other[:, 2 * place : 2 * place + 2] += 1
        seen.clear()
        G(other)
        same = [torch.equal(a, b) for a, b in zip(before, seen, strict=True)]
        assert same == [True] * place + [False] * (4 - place)


@pytest.mark.parametrize("pair", COUNTS)
def test_labels_tell_g_and_d_apart_from_the_start(pair):
    G, D = pair(2, 20, 32, classes=2, shared=4).players(seeded())
    G.eval()
    D.eval()
    z, zeros = torch.randn(2, 20, generator=seeded(1)), torch.zeros(2, dtype=torch.long)
    x = G(z, zeros)
    assert not torch.allclose(x, G(z, zeros + 1))
    assert not torch.allclose(D(x, zeros), D(x, zeros + 1))


def test_deep_blocks_of_g_drop_channels_on_the_way_round():
    block = DeepG(8, 4, norm_of_vectors(3), up=True)
    for weight in block.convs[3].parameters():
        nn.init.zeros_(weight)
    x = torch.randn(2, 8, 4, 4, generator=seeded())
    expected = x[:, :4].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(block(x, torch.zeros(2, 3)), expected)


def test_deep_blocks_of_d_add_channels_on_the_way_round():
    block = DeepD(4, 8, down=True)
    for weight in block.main[-1].parameters():
        nn.init.zeros_(weight)
    x = torch.randn(2, 4, 4, 4, generator=seeded())
    halved = nn.functional.avg_pool2d(x, 2)
    assert torch.allclose(block(x), torch.cat([halved, block.added(halved)], 1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BigGAN(size=512), "BigGAN.size=512.*32 or 64 or 128"),
        (lambda: BigGAN(z_dim=101), "z_dim=101.*multiple of 5, .* chunks at size 64"),
        (lambda: BigGAN(z_dim=90, size=32), "z_dim=90.*multiple of 4, .* chunks at size 32"),
        (lambda: BigGAN(width=0), "BigGAN.width=0"),
        (lambda: BigGAN(classes=-1), "BigGAN.classes=-1"),
        (lambda: BigGAN(shared=0), "shared=0"),
        (lambda: BigGANDeep(size=96), "BigGANDeep.size=96"),
        (lambda: BigGANDeep(z_dim=0), "BigGANDeep.z_dim=0"),
        (lambda: BigGANDeep(classes=-1), "BigGANDeep.classes=-1"),
        (lambda: BigGANDeep(shared=1.5), "shared=1.5"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

"""The nets of GAN x SDPC: they draw what dictionaries say, and see what settles in them."""

import pytest
import torch
from torch.nn import functional as F

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.sdpc.hybrid.model import LEAK, LEVEL, LOUD, SDPCGAN, CodesOf, SDPCCritic, rectified
from bascule.sdpc.model import SDPC, Inference, Layer, step_sizes, unrolled
from bascule.sdpc.preprocess.bands import Bands

LAYERS = (
    Layer(8, kernel=8, stride=4, padding=2, threshold=0.3, gain=2.0),
    Layer(12, kernel=4, stride=2, padding=1, threshold=0.2),
)
NET = SDPC(LAYERS, size=32)
RISE = Bands(4).rise(32).float()


@pytest.fixture
def network():
    return NET.network(generator("dictionaries"))


@pytest.fixture
def G(network):
    G, _ = SDPCGAN(width=2, z_dim=5, size=32).players(generator("players"), NET, RISE)
    G.take(network)
    return G


def draws(*shape):
    return torch.randn(*shape, generator=generator("draws", *shape))


def test_without_innovation_an_image_is_what_rectified_layer_2_stands_for(G, network):
    g2, low = draws(3, 12, 4, 4).relu(), 0.3 * draws(3, 3, 4, 4)
    x = G.decode(g2, low)
    # By PyTorch's own convolutions
    D1, D2 = network.dictionaries
    g1 = (F.conv_transpose2d(g2, D2, stride=2, padding=1) / 2.0).relu()
    band = F.conv_transpose2d(g1, D1, stride=4, padding=2)
    torch.testing.assert_close(x, Bands(4).up(low, 32, 32) + band, atol=1e-5, rtol=1e-5)
    assert G.innovated() == 0


def test_innovation_adds_to_what_layer_2_expects_of_layer_1(G):
    g2, low, u = draws(2, 12, 4, 4).relu(), draws(2, 3, 4, 4), 0.5 * draws(2, 8, 8, 8)
    G.decode(g2, low, u)
    expected, g1 = G.last["expected"], G.last["g1"]
    torch.testing.assert_close(g1, (expected + u).relu())
    new = (g1 - expected.relu()).square().sum()
    torch.testing.assert_close(G.innovated(), new / (new + expected.relu().square().sum()))
    assert 0 < G.innovated() < 1
    G.decode(0 * g2, low, u)
    assert G.innovated() == 1


def test_a_new_generator_has_few_codes_and_no_innovation(G):
    x = G(draws(4, 5))
    assert x.shape == (4, 3, 32, 32)
    assert G.last["u"].abs().max() == 0
    codes = G.codes(draws(500, 5))[:, :12]
    assert 0.005 < (codes > 0).float().mean() < 0.06
    assert LEVEL / 2 < codes.square().mean().sqrt() < 2 * LEVEL
    bare, _ = SDPCGAN(width=2, z_dim=5, size=32, innovation=False).players(
        generator("players"), NET, RISE
    )
    assert bare.innovation is None and bare(draws(4, 5)).shape == (4, 3, 32, 32)


def test_a_code_that_is_0_can_still_learn():
    a = torch.tensor([-2.0, -0.1, 0.3, 4.0], requires_grad=True)
    assert torch.equal(rectified(a), torch.tensor([0.0, 0.0, 0.3, 4.0]))
    rectified(a).sum().backward()
    torch.testing.assert_close(a.grad, torch.tensor([LEAK, LEAK, 1.0, 1.0]))


def test_codes_are_what_the_image_is_made_of(G):
    G.scale.fill_(3.0)
    z = draws(4, 5)
    codes = CodesOf(G).eval()(z)
    assert codes.shape == (4, 15, 4, 4)
    x = G.eval()(z)
    torch.testing.assert_close(G.last["g2"], 3 * codes[:, :12])
    torch.testing.assert_close(x, G.decode(3 * codes[:, :12], codes[:, 12:] / LOUD, G.last["u"]))


def test_gradients_reach_the_dictionaries_as_finite_differences_say(G):
    G.double()
    g2, low = draws(1, 12, 4, 4).relu().double(), draws(1, 3, 4, 4).double()
    weight = draws(1, 3, 32, 32).double()

    def value():
        return (G.decode(g2, low) * weight).sum()

    slopes = torch.autograd.grad(value(), list(G.dictionaries))
    for D, slope in zip(G.dictionaries, slopes, strict=True):
        place = (1, 2, 3, 1)
        at = D.data[place].item()
        both = []
        for step in (1e-6, -1e-6):
            D.data[place] = at + step
            both.append(value().item())
        D.data[place] = at
        assert slope[place].item() == pytest.approx((both[0] - both[1]) / 2e-6, rel=1e-5)


def test_atoms_go_back_to_norm_1(G):
    for D in G.dictionaries:
        D.data.mul_(draws(len(D)).abs()[:, None, None, None] + 0.1)
    G.normalise()
    for D in G.dictionaries:
        torch.testing.assert_close(D.flatten(1).norm(dim=1), torch.ones(len(D)))


def test_every_weight_follows_from_the_generator(network):
    model = SDPCCritic(width=2, z_dim=5, size=32)
    one, two = (model.players(generator("a"), NET, RISE, network) for _ in range(2))
    other = model.players(generator("b"), NET, RISE, network)
    for net, same, different in zip(one, two, other, strict=True):
        told = net.state_dict()
        assert all(torch.equal(v, same.state_dict()[k]) for k, v in told.items())
        assert any(not torch.equal(v, different.state_dict()[k]) for k, v in told.items())


def test_a_critic_learns_neither_dictionaries_nor_mixing(network):
    _, D = SDPCCritic(width=2, size=32).players(generator("players"), NET, RISE, network)
    names = [name for name, _ in D.named_parameters()]
    assert names and all(name.startswith("heads.") for name in names)
    before = D.eval()(draws(4, 3, 32, 32))
    network.dictionaries[0].copy_(network.dictionaries[0].flip(0))
    assert not torch.allclose(D.eval()(draws(4, 3, 32, 32)), before)  # it looks through them


def test_a_critic_sees_codes_and_what_they_leave_in_pixels(network):
    _, D = SDPCCritic(width=2, size=32, steps=2).players(generator("p"), NET, RISE, network)
    batches = [draws(6, 3, 32, 32), 0.5 * draws(6, 3, 32, 32) + 0.2]
    D.measure(batches)
    rates = step_sizes(network, (32, 32), Inference(k_fb=1.0))
    torch.testing.assert_close(D.rates, torch.tensor(rates).double())
    bands = [Bands(4).apply(x)[0].flatten(1).std(1) for x in batches]
    assert D.deviation.item() == pytest.approx(torch.cat(bands).mean().item(), rel=1e-5)
    # The split is exact: the low-pass and what the codes explain and leave make the image
    x = 3 * batches[0]
    low, e1, g1, e2, g2 = D.sight.features(x, RISE, D.deviation, rates)
    D1, D2 = network.dictionaries
    explained = F.conv_transpose2d(g1, D1, stride=4, padding=2)
    torch.testing.assert_close(Bands(4).up(low, 32, 32) + explained + e1, x, atol=1e-4, rtol=1e-4)
    expected = F.conv_transpose2d(g2, D2, stride=2, padding=1) / 2.0
    torch.testing.assert_close(e2, g1 - expected, atol=1e-5, rtol=1e-5)
    assert g1.abs().max() > 0 and g2.abs().max() > 0


def test_a_critic_sees_contrast(network):
    _, D = SDPCCritic(width=2, size=32).players(generator("p"), NET, RISE, network)
    x = draws(6, 3, 32, 32)
    D.measure([x])
    seen = [D.sight.features(k * x, RISE, D.deviation, D.rates.tolist()) for k in (0.5, 1.0)]
    for less, more in zip(*seen, strict=True):
        assert less.square().mean() < 0.5 * more.square().mean()


def test_each_head_plays_for_itself_and_their_mean_judges(network):
    _, D = SDPCCritic(width=2, size=32).players(generator("p"), NET, RISE, network)
    x = draws(4, 3, 32, 32)
    for _ in range(30):  # spectral normalisation goes on while it trains
        D(x)
    heads = D(x)
    assert heads.shape == (4, 5)
    torch.testing.assert_close(D.eval()(x), heads.mean(1), atol=1e-3, rtol=1e-2)


def test_a_flat_image_does_not_break_the_critic(network):
    _, D = SDPCCritic(width=2, size=32).players(generator("p"), NET, RISE, network)
    x = torch.zeros(2, 3, 32, 32, requires_grad=True)
    D(x).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("steps, k_fb", [(0, 1.0), (3, 0.0), (3, 2.0)])
def test_what_a_critic_sees_depends_on_steps_and_feedback(network, steps, k_fb):
    x = draws(2, 3, 32, 32)
    how = Inference(k_fb=k_fb, step_sizes=(0.05, 0.05))
    g, _ = unrolled(network, x, how, steps)
    less, _ = unrolled(network, x, how, max(steps - 1, 0))
    without, _ = unrolled(network, x, how.replace(k_fb=0.0), steps)
    assert torch.equal(g[0], less[0]) == (steps == 0)
    assert torch.allclose(g[0], without[0]) == (steps == 0 or k_fb == 0)


@pytest.mark.parametrize(
    "net, size, low, message",
    [
        (SDPC(LAYERS[:1], size=32), 32, 4, "expected 2, 32 px and 3 channels"),
        (SDPC(LAYERS, channels=1, size=32), 32, 4, "1 channels: expected 2"),
        (NET, 64, 4, "expected 2, 64 px and 3 channels"),
        (NET, 32, 8, r"low-pass of 8x8 cells and codes of 4x4; .*set Bands\(low=4\)"),
        (SDPC((Layer(8, 8, 4), Layer(8, 3, 2)), size=32), 32, 3, "codes of layer 2 are 3x3"),
        (
            SDPC((Layer(8, 4, 2), Layer(8, 8, 1)), size=32),
            32,
            8,
            "side divided by the strides",
        ),
    ],
)
def test_dictionaries_on_which_no_hybrid_can_stand_are_refused(net, size, low, message):
    with pytest.raises(UserError, match=message):
        SDPCGAN(size=size).players(generator("p"), net, Bands(low).rise(size).float())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: SDPCGAN(width=0), "width=0"),
        (lambda: SDPCGAN(size=48), "size=48"),
        (lambda: SDPCCritic(steps=-1), "steps=-1"),
        (lambda: SDPCCritic(k_fb=-0.5), "k_fb=-0.5"),
        (lambda: SDPCCritic(z_dim=0), "z_dim=0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()

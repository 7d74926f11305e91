"""FastGAN: its sizes, its step against one written out, its decoders, its refusals."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import _SpectralNorm

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.objectives import GANLoss
from bascule.gan.penalties import Reconstruction
from bascule.gan.recipe import GANRecipe, networks
from bascule.gan.step import Rules, gan_step, norms
from bascule.interventions import Intervention
from bascule.models.dcgan import DCGAN
from bascule.models.fastgan import Discriminator, FastGAN, Generator
from bascule.models.layers import Noise
from bascule.runs.execute import execute
from counting import count, seeded
from plain_step import Told, check_close, gradients, plain_step

TINY = FastGAN(width=2, width_D=2, z_dim=6)
FULL = replace(TINY, lite=False)
HINGE = GANLoss("hinge")


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def stirred(net: nn.Module) -> nn.Module:
    """``net`` with noise that is not 0."""
    for layer in net.modules():
        if isinstance(layer, Noise):
            layer.strength.data.fill_(0.3)
    return net


@pytest.mark.parametrize(
    ("width", "millions"), [(8, 1.3), (16, 3.0), (24, 5.2), (32, 7.9), (128, 76.0)]
)
def test_published_sizes_of_the_lite_generator(width, millions):
    with torch.device("meta"):
        assert round(count(Generator(FastGAN(width, size=64))) / 1e6, 1) == millions


@pytest.mark.parametrize("lite", [True, False])
@pytest.mark.parametrize("size", [64, 128, 256])
def test_g_has_the_parameters_counted_by_hand(size, lite):
    """The stem, then 3x3 convolutions to twice the channels, BatchNorm, and a noise's strength."""
    model = FastGAN(width=4, width_D=4, lite=lite, size=size)
    c = {4: 64, 8: 32, 16: 16, 32: 8, 64: 8, 128: 4, 256: 2}
    expected = 256 * 2 * 64 * 16 + 4 * 64 + 3 * 9 * c[size]
    for to in [s for s in c if 4 < s <= size]:
        expected += 9 * c[to // 2] * 2 * c[to] + 4 * c[to]
        expected += 0 if lite else 9 * c[to] * 2 * c[to] + 4 * c[to] + 2
    for low, to in ((4, 64), (8, 128), (16, 256)):
        expected += (16 * c[low] * c[to] + c[to] ** 2) if to <= size else 0
    with torch.device("meta"):
        assert count(Generator(model)) == expected


@pytest.mark.parametrize("size", [64, 128])
def test_d_has_the_parameters_counted_by_hand(size):
    with torch.device("meta"):
        D = Discriminator(FastGAN(width=4, width_D=4, size=size))

    def down(a: int, b: int) -> int:
        return 16 * a * b + 9 * b * b + a * b + 3 * 2 * b

    c = {side: 256 // side for side in (8, 16, 32, 64, 128) if side <= size}
    large = 27 * c[size] + sum(down(c[2 * s], c[s]) for s in c if s < size)
    large += sum(16 * c[8 * s] * c[s] + c[s] ** 2 for s in c if 8 * s <= size)
    large += 32 * 32 + 2 * 32 + 16 * 32
    inside = {s: c[s] // 2 for s in c if s <= size // 4}
    small = 48 * inside[size // 4] + 16 * inside[8]
    small += sum(down(inside[2 * s], inside[s]) for s in inside if 2 * s in inside)
    widths = {16: 8, 32: 4, 64: 4}
    decoders = 0
    for first in (32, 16, 16):
        before = first
        for side in [s for s in widths if s <= size // 2]:
            decoders += 9 * before * 2 * widths[side] + 4 * widths[side]
            before = widths[side]
        decoders += 27 * before
    assert count(D) == large + small + decoders


@pytest.mark.parametrize("model", [TINY, FULL, FastGAN(2, 2, size=128, z_dim=6)], ids=repr)
def test_shapes_and_ranges(model):
    G, D = map(stirred, model.players(seeded()))
    x = G(3 * normal(4, 6))
    assert x.shape == (4, 3, model.size, model.size)
    assert x.std() > 0 and x.abs().max() <= 1
    assert D(x).shape == (4, 50)
    rebuilt, target = D.rebuilt(x, 1), D.targets(x, 1)
    assert rebuilt.shape == target.shape == (4, 3, 3, model.size // 2, model.size // 2)


def test_all_randomness_comes_from_the_generator():
    before = torch.get_rng_state()
    first, again, other = (FULL.players(seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for one, two, three in zip(first, again, other, strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.isfinite(tensor).all() and torch.equal(tensor, two.state_dict()[name])
            if tensor.ndim > 1:
                assert not torch.equal(tensor, three.state_dict()[name]), name


# The networks again, from their weights alone. Weights are read once for each use, since spectral
# normalisation takes a step of its power iteration when they are read.


def conv(layer: nn.Conv2d, x: Tensor) -> Tensor:
    return F.conv2d(x, layer.weight, None, layer.stride, layer.padding)


def bn(layer: nn.BatchNorm2d, x: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    var = (x - mean).square().mean((0, 2, 3), keepdim=True)
    gain, bias = layer.weight[:, None, None], layer.bias[:, None, None]
    return (x - mean) / (var + 1e-5).sqrt() * gain + bias


def glu(x: Tensor) -> Tensor:
    c = x.shape[1] // 2
    return x[:, :c] / (1 + torch.exp(-x[:, c:]))


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def twice(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def means(x: Tensor, n: int) -> Tensor:
    """The mean over squares of n x n pixels."""
    return x.unflatten(3, (-1, n)).unflatten(2, (-1, n)).mean((3, 5))


def layers(net: nn.Module, kind: type) -> list:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def up(block: nn.Module, x: Tensor) -> Tensor:
    x = twice(x)
    noises = layers(block, Noise)
    for k, (c, norm) in enumerate(
        zip(layers(block, nn.Conv2d), layers(block, nn.BatchNorm2d), strict=True)
    ):
        x = conv(c, x)
        if noises:
            x = x + noises[k].strength * torch.randn(len(x), 1, *x.shape[2:])
        x = glu(bn(norm, x))
    return x


def excited(module: nn.Module, low: Tensor, high: Tensor) -> Tensor:
    first, second = layers(module, nn.Conv2d)
    h = conv(first, means(low, low.shape[2] // 4))
    h = conv(second, h * torch.sigmoid(h))
    return high * torch.sigmoid(h)


def draw(G: nn.Module, z: Tensor) -> Tensor:
    stem = layers(G.stem, nn.ConvTranspose2d)[0].weight  # (z_dim, channels, 4, 4)
    x4 = glu(bn(layers(G.stem, nn.BatchNorm2d)[0], torch.einsum("bz,zchw->bchw", z, stem)))
    x32 = up(G.blocks["32"], up(G.blocks["16"], up(G.blocks["8"], x4)))
    x64 = excited(G.excite["64"], x4, up(G.blocks["64"], x32))
    return torch.tanh(conv(G.to_image[0], x64))


def down(block: nn.Module, x: Tensor) -> Tensor:
    c4, c3 = layers(block.deep, nn.Conv2d)
    n4, n3 = layers(block.deep, nn.BatchNorm2d)
    (c1,), (n1,) = layers(block.shallow, nn.Conv2d), layers(block.shallow, nn.BatchNorm2d)
    deep = leaky(bn(n3, conv(c3, leaky(bn(n4, conv(c4, x))))))
    return (deep + leaky(bn(n1, conv(c1, means(x, 2))))) / 2


def seen(D: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x64 = leaky(conv(D.stem[0], x))
    x32 = down(D.downs["32"], x64)
    x16 = down(D.downs["16"], x32)
    x8 = excited(D.excite["8"], x64, down(D.downs["8"], x16))
    first, *rest = (m for m in D.small.children() if isinstance(m, nn.Conv2d) or hasattr(m, "deep"))
    small = leaky(conv(first, means(x, 2)))
    for block in rest:
        small = down(block, small)
    return x8, small, x16


def judge(D: nn.Module, x: Tensor) -> Tensor:
    x8, small, _ = seen(D, x)
    first, last = layers(D.head, nn.Conv2d)
    head = conv(last, leaky(bn(D.head[1], conv(first, x8))))
    return torch.cat([head.flatten(1), conv(D.head_small, small).flatten(1)], 1)


def decoding(D: nn.Module, x: Tensor, quarter: int) -> Tensor:
    """The sum of three mean squared errors; no power iteration."""
    norms = layers(D, _SpectralNorm)
    for norm in norms:
        norm.eval()
    x8, small, x16 = seen(D, x)
    i, j = divmod(quarter, 2)
    part = x16[:, :, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
    of_x = x[:, :, 32 * i : 32 * i + 32, 32 * j : 32 * j + 32]
    total = torch.zeros(())
    for decoder, h, target in zip(
        D.decoders, (x8, small, part), (means(x, 2), means(x, 2), of_x), strict=True
    ):
        *blocks, last, _ = decoder
        for block in blocks:
            h = up(block, h)
        total = total + (torch.tanh(conv(last, h)) - target).square().mean()
    for norm in norms:
        norm.train()
    return total


@pytest.mark.parametrize("model", [TINY, FULL], ids=["lite", "full"])
def test_one_step_is_that_of_a_plain_loop(model):
    """Losses and gradients to 1e-5, on the reals, fakes and the quarter of the same addresses."""
    recipe = GANRecipe(
        data=Faces(n=8), model=model, objective=HINGE, penalties=Reconstruction(0.7), batch=6,
        device="cpu", threads=1, channels_last=False,
    )  # fmt: skip
    game = networks(recipe)
    stirred(game.G)
    game.opt_D = torch.optim.SGD(game.D.parameters(), 0.05)
    game.opt_G = torch.optim.SGD(game.G.parameters(), 0.05)
    players = copy.deepcopy((game.G, game.D))
    context = StepContext(0, 0, 5)
    real, z = normal(6, 3, 64, 64).clamp(-1, 1), torch.randn(6, 6, generator=context.rng("z"))
    where = context.within("penalties").owned_by("Reconstruction")
    quarter = int(torch.randint(4, (), generator=where.rng("quarter")))

    torch.manual_seed(7)
    told = gan_step(game, real, context, Intervention(), recipe.rules)
    ours = Told({k: v.item() for k, v in told.items()}, gradients(G=game.G, D=game.D))
    torch.manual_seed(7)
    theirs = plain_step(
        players,
        (draw, judge),
        (lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda f: -f.mean()),
        ("Reconstruction", lambda x, _: 0.7 * decoding(players[1], x.detach(), quarter)),
        *(real, z, 0.05),
    )
    assert any("decoders" in name for name in theirs.gradients)
    check_close(ours, theirs)


def test_without_the_penalty_the_decoders_do_not_learn():
    recipe = GANRecipe(data=Faces(n=8), model=TINY, device="cpu", threads=1)
    game = networks(recipe)
    before = copy.deepcopy(game.D.decoders.state_dict())
    gan_step(game, normal(4, 3, 64, 64), StepContext(0, 0, 0), Intervention(), Rules(HINGE))
    after = game.D.decoders.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_quarters_are_those_in_reading_order():
    _, D = TINY.players(seeded())
    x = normal(2, 3, 64, 64)
    quarters = [D.targets(x, k)[:, 2] for k in range(4)]
    rows = [torch.cat(quarters[2 * i : 2 * i + 2], 3) for i in range(2)]
    assert torch.equal(torch.cat(rows, 2), x)


@pytest.mark.parametrize("lite", [True, False])
def test_noise_is_fresh_in_training_and_fixed_afterwards(lite):
    G = stirred(replace(TINY, lite=lite).players(seeded())[0])
    z = normal(2, 6)
    with norms(G, learn=False):  # which two forward passes would change
        assert torch.equal(G(z), G(z)) == lite
    G.eval()
    assert torch.equal(G(z), G(z))
    assert torch.allclose(G(z)[:1], G(z[:1]), atol=1e-6)


def test_stop_and_resume_equals_no_stop(make_run, store, same):
    recipe = GANRecipe(
        data=Faces(n=10), model=FULL, objective=HINGE, penalties=Reconstruction(every=2), batch=4,
        epochs=2, ema_half_life=20.0, device="cpu", threads=1,
    )  # fmt: skip
    whole, stopped = make_run(recipe, "whole"), make_run(recipe, "stopped")
    execute(whole, store)
    calls = iter(range(1, 100))
    assert execute(stopped, store, must_stop=lambda: next(calls) == 3) == "interrupted"
    execute(stopped, store)
    assert same(whole.load_checkpoint(), stopped.load_checkpoint())
    assert whole.sample(2).read_bytes() == stopped.sample(2).read_bytes()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: FastGAN(size=32), r"FastGAN\(size=32\): expected 64 or 128 or 256"),
        (lambda: FastGAN(width=0), r"FastGAN\(width=0\)"),
        (lambda: FastGAN(width_D=3, size=128), r"width_D=3\): expected a multiple of 2"),
        (lambda: Reconstruction(-1.0), "weight=-1"),
        (
            lambda: GANRecipe(penalties=Reconstruction()),
            r"Reconstruction.*needs a D with decoders, and DCGAN.* has none: use a FastGAN",
        ),
        (
            lambda: GANRecipe(data=Faces(size=64), model=FULL, batch=4).check_processes(2),
            "several processes is not supported",
        ),
        (
            lambda: networks(GANRecipe(model=TINY, sparsity=0.1, device="cpu", threads=1)),
            "sparsity=0.1: this G has no ReLU or LeakyReLU layer",
        ),
    ],
)  # fmt: skip
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()


def test_the_lite_pair_may_train_on_several_processes():
    GANRecipe(model=TINY, batch=4).check_processes(2)
    GANRecipe(model=DCGAN(), batch=4).check_processes(2)

"""StyleGAN2: its sizes, its convolutions with weights for each image, its step, its W."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.penalties import R1
from bascule.gan.recipe import GANRecipe, networks
from bascule.gan.step import gan_step, norms
from bascule.interventions import Intervention
from bascule.latents.standing_statistics import use_standing_statistics
from bascule.models.layers import Noise
from bascule.models.resampling import Down, Up, smoothed
from bascule.models.stylegan2 import (
    Discriminator,
    Generator,
    Modulated,
    StyleGAN2,
    with_deviation,
)
from bascule.runs.execute import execute
from counting import count, seeded
from plain_step import Told, check_close, gradients, plain_step

TINY = StyleGAN2(base=64, most=6, z_dim=5, w_dim=4, size=32)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def stirred(net: nn.Module) -> nn.Module:
    """``net`` with no parameter at 0, as training leaves it."""
    rng = seeded(7)
    with torch.no_grad():
        for p in net.parameters():
            if not p.any():
                p.normal_(0.0, 0.3, generator=rng)
    return net


@pytest.mark.parametrize(("base", "millions"), [(2048, 4.7), (4096, 9.4), (8192, 14.0)])
def test_published_sizes_of_the_convolutions(base, millions):
    with torch.device("meta"):
        G = Generator(StyleGAN2(base=base, most=512))
    convolutions = sum(count(layer) for layer in G.modules() if isinstance(layer, Modulated))
    assert round(convolutions / 1e6, 1) == millions


@pytest.mark.parametrize(
    "model",
    [TINY, StyleGAN2(64, 5, 3, 7, 4, 64), StyleGAN2(16384, 512, 8, 512, 512, 128), StyleGAN2()],
    ids=repr,
)
def test_has_the_parameters_counted_by_hand(model):
    sides = [4 * 2**k for k in range(int(math.log2(model.size)) - 1)]
    c = {s: min(model.base // s, model.most) for s in sides}
    w = model.w_dim
    G = (model.z_dim + 1) * w + (model.mapping - 1) * (w + 1) * w + 16 * c[4]
    D = 3 * c[model.size] + c[model.size]
    for s in sides:
        G += (w + 1) * c[s] + 9 * c[s] * c[s] + 1 + c[s]  # style, convolution, noise, bias
        G += (w + 1) * c[s] + 3 * c[s] + 3  # to RGB
        if s > 4:
            before = c[s // 2]
            G += (w + 1) * before + 9 * before * c[s] + 1 + c[s]
            D += (9 * c[s] + 1) * c[s] + (9 * c[s] + 1) * before + c[s] * before
    D += (9 * (c[4] + 1) + 1) * c[4] + (16 * c[4] + 1) * c[4] + c[4] + 1
    with torch.device("meta"):
        assert (count(Generator(model)), count(Discriminator(model))) == (G, D)


def test_shapes_and_first_scale():
    G, D = StyleGAN2(base=256, most=32, size=64).players(seeded())
    x = G(normal(8, 128))
    assert x.shape == (8, 3, 64, 64) and 0.5 < x.std() < 3
    h = G.layers[0](G.grid.expand(8, -1, -1, -1), G.w_of(normal(8, 128)))
    assert 0.6 < h.square().mean().sqrt() < 1.4  # demodulation and sqrt(2) keep the variance near 1
    assert D(x).shape == (8,) and D(x[:1]).shape == (1,)


def test_all_randomness_comes_from_the_generator():
    before = torch.get_rng_state()
    first, again, other = (TINY.players(seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for one, two, three in zip(first, again, other, strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.isfinite(tensor).all() and torch.equal(tensor, two.state_dict()[name])
            if tensor.ndim > 1:
                assert not torch.equal(tensor, three.state_dict()[name]), name


def test_initial_weights_of_the_mapping_are_a_hundred_times_larger():
    G, _ = StyleGAN2(base=64, most=4, size=32).players(seeded())
    assert G.mapping[0].weight.std().item() == pytest.approx(100, rel=0.03)
    assert G.layers[0].style.weight.std().item() == pytest.approx(1, rel=0.2)
    assert torch.equal(G.layers[0].style.bias, torch.ones(4))


# The networks again, from their weights, with grouped convolutions.


def zeros_between(x: Tensor) -> Tensor:
    b, c, h, w = x.shape
    wide = x.new_zeros(b, c, 2 * h, 2 * w)
    wide[:, :, ::2, ::2] = x
    return wide


def filtered(x: Tensor, margin: tuple[int, int], gain: float = 1.0) -> Tensor:
    """[1, 3, 3, 1] / 8 along both axes, as a convolution of each channel."""
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = gain * torch.outer(line, line).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (*margin, *margin)), kernel, groups=x.shape[1])


def grouped(layer: Modulated, x: Tensor, style: Tensor) -> Tensor:
    """The convolution whose weights differ between images, one group for each image."""
    batch, before = x.shape[:2]
    weight = layer.weight[None] * style[:, None, :, None, None]
    if layer.demodulates:
        weight = weight / (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    else:
        weight = weight / math.sqrt(before)
    if layer.up:  # what a transposed convolution does
        x = zeros_between(x)
        x = F.pad(x, (2, 1, 2, 1))
        weight = weight.flip(3, 4)
    else:
        x = F.pad(x, (weight.shape[-1] // 2,) * 4)
    h = F.conv2d(x.flatten(0, 1)[None], weight.flatten(0, 1), groups=batch)[0]
    h = h.unflatten(0, (batch, -1))
    return filtered(h, (1, 1), 4.0) if layer.up else h


@pytest.mark.parametrize(("demodulates", "up"), [(True, False), (True, True), (False, False)])
def test_the_shared_convolution_equals_the_grouped_one(demodulates, up):
    layer = Modulated(5, 7, demodulates, up)
    nn.init.normal_(layer.weight, generator=seeded())
    x, style = normal(3, 5, 8, 8).requires_grad_(), normal(3, 5, seed=2).requires_grad_()
    ours, theirs = layer(x, style), grouped(layer, x, style)
    assert ours.shape == (3, 7, 16, 16) if up else (3, 7, 8, 8)
    assert torch.allclose(ours, theirs, atol=1e-5)
    way = normal(*ours.shape, seed=3)
    leaves = (layer.weight, x, style)
    for one, other in zip(
        torch.autograd.grad((ours * way).sum(), leaves),
        torch.autograd.grad((theirs * way).sum(), leaves),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-4)


def test_the_filter_is_a_convolution_and_up_and_down_agree_with_it_inside():
    x = normal(2, 3, 8, 8)
    assert torch.allclose(smoothed(x, 2), filtered(x, (2, 2)), atol=1e-6)
    inside = (..., slice(2, -2), slice(2, -2))
    wide = filtered(zeros_between(x), (2, 1), 4.0)
    assert torch.allclose(Up()(x)[inside], wide[inside], atol=1e-6)
    assert torch.allclose(
        Down()(x)[..., 1:-1, 1:-1], filtered(x, (1, 1))[..., ::2, ::2][..., 1:-1, 1:-1], atol=1e-6
    )


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * 2**0.5


def linear(layer: nn.Linear, x: Tensor, rate: float = 1.0) -> Tensor:
    return rate * (x @ layer.weight.T / math.sqrt(x.shape[1]) + layer.bias)


def mapped(G: nn.Module, z: Tensor) -> Tensor:
    w = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for layer in G.mapping:
        w = leaky(linear(layer, w, 0.01))
    return w


def styled(layer: nn.Module, x: Tensor, w: Tensor) -> Tensor:
    h = grouped(layer.conv, x, linear(layer.style, w))
    if layer.noise is None:
        return h + layer.bias[:, None, None]
    h = h + layer.noise.strength * torch.randn(len(h), 1, *h.shape[2:])
    return leaky(h + layer.bias[:, None, None])


def draw(G: nn.Module, z: Tensor) -> Tensor:
    w = mapped(G, z)
    x = styled(G.layers[0], G.grid.repeat(len(z), 1, 1, 1), w)
    image = styled(G.to_image[0], x, w)
    for k in range(1, len(G.to_image)):
        x = styled(G.layers[2 * k], styled(G.layers[2 * k - 1], x, w), w)
        image = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
        image = image + styled(G.to_image[k], x, w)
    return image


def conv(layer: nn.Conv2d, x: Tensor, **how) -> Tensor:
    return F.conv2d(x, layer.weight / math.sqrt(layer.weight[0].numel()), layer.bias, **how)


def judge(D: nn.Module, x: Tensor) -> Tensor:
    h = leaky(conv(D.from_image, x))
    for block in D.blocks:
        deep = leaky(conv(block.conv1, h, padding=1))
        deep = leaky(conv(block.conv2, filtered(deep, (2, 2)), stride=2))
        wide = F.pad(h, (1, 1, 1, 1), mode="replicate")
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        kernel = torch.outer(line, line).expand(h.shape[1], 1, 4, 4)
        skip = F.conv2d(wide, kernel, stride=2, groups=h.shape[1])
        h = (deep + conv(block.skip[1], skip)) / 2**0.5
    n = len(h) // 2 if len(h) % 4 else len(h) // 4  # groups
    members = len(h) // n
    deviations = [
        torch.stack([h[k + n * j] for j in range(members)]).var(0, correction=0).add(1e-8).sqrt()
        for k in range(n)
    ]
    channel = torch.stack([deviations[k % n].mean().expand(1, 4, 4) for k in range(len(h))])
    h = leaky(conv(D.conv, torch.cat([h, channel], 1), padding=1))
    return linear(D.logit, leaky(linear(D.linear, h.flatten(1))))[:, 0]


def test_one_step_is_that_of_a_plain_loop():
    """Losses and gradients to 1e-5, with R1, noise and minibatch statistics of two groups."""
    recipe = GANRecipe(
        data=Faces(n=8, size=32), model=TINY, penalties=R1(0.5, every=16), batch=8,
        device="cpu", threads=1, channels_last=False,
    )  # fmt: skip
    game = networks(recipe)
    stirred(game.G), stirred(game.D)
    game.opt_D = torch.optim.SGD(game.D.parameters(), 0.01)
    game.opt_G = torch.optim.SGD(game.G.parameters(), 0.01)
    players = copy.deepcopy((game.G, game.D))
    context = StepContext(0, 0, 16)
    real, z = normal(8, 3, 32, 32).clamp(-1, 1), torch.randn(8, 5, generator=context.rng("z"))

    torch.manual_seed(7)
    told = gan_step(game, real, context, Intervention(), recipe.rules)
    ours = Told({k: v.item() for k, v in told.items()}, gradients(G=game.G, D=game.D))

    def r1(x: Tensor, logits: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return 16 * 0.5 / 2 * slope.square().sum() / len(x)

    torch.manual_seed(7)
    theirs = plain_step(
        players,
        (draw, judge),
        (
            lambda r, f: (F.softplus(-r) + F.softplus(f)).mean(),
            lambda f: F.softplus(-f).mean(),
        ),
        ("R1", r1),
        *(real, z, 0.01),
    )
    check_close(ours, theirs)


@pytest.mark.parametrize(("batch", "members"), [(8, 4), (6, 3), (10, 2), (7, 1), (1, 1)])
def test_minibatch_statistics_compare_the_largest_group_that_divides(batch, members):
    x = normal(batch, 3, 2, 2)
    h = with_deviation(x)
    assert h.shape == (batch, 4, 2, 2) and torch.equal(h[:, :3], x)
    n = batch // members
    group = torch.stack([x[n * j] for j in range(members)])
    expected = (group.var(0, correction=0) + 1e-8).sqrt().mean()
    assert torch.allclose(h[0, 3], expected.expand(2, 2), atol=1e-6)


def test_the_mean_of_w_follows_training_and_is_left_alone_when_g_may_not_learn():
    G, _ = TINY.players(seeded())
    G.train()
    w = G.w_of(normal(50, 5)).detach()
    assert torch.allclose(G.statistics.running_mean, 0.005 * w.mean(0), atol=1e-6)
    before = G.statistics.running_mean.clone()
    with norms(G, learn=False):
        G(normal(4, 5))
    G.eval()(normal(4, 5))
    assert torch.equal(G.statistics.running_mean, before)
    latents = [normal(40, 5, seed=k) for k in range(3)]
    use_standing_statistics(G, latents)
    expected = mapped(G, torch.cat(latents)).mean(0)
    assert torch.allclose(G.statistics.running_mean, expected, atol=1e-6)


def test_truncation_goes_from_the_mean_to_w():
    G = stirred(TINY.players(seeded())[0]).eval()
    use_standing_statistics(G, [normal(100, 5)])
    z = normal(6, 5, seed=4)
    assert torch.allclose(G.truncated(z, 1.0), G.w_of(z), atol=1e-6)
    assert torch.allclose(G.truncated(z, 0.0), G.statistics.running_mean.expand(6, -1))
    x = G.from_w(G.truncated(z, 0.0))
    assert torch.allclose(x, x[:1].expand_as(x), atol=1e-5) and x.std() > 0
    assert torch.equal(G.from_w(G.w_of(z)), G(z))
    spread = [G.from_w(G.truncated(z, psi)).var(0).mean() for psi in (0.3, 0.7, 1.0)]
    assert spread == sorted(spread)


def test_noise_is_fresh_in_training_and_fixed_afterwards():
    G = stirred(TINY.players(seeded())[0])
    assert sum(isinstance(layer, Noise) for layer in G.modules()) == 7
    z = normal(2, 5)
    assert not torch.equal(G(z), G(z))
    G.eval()
    assert torch.equal(G(z), G(z))


def test_the_scale_of_latents_does_not_matter():
    G = TINY.players(seeded())[0].eval()
    z = normal(2, 5)
    assert torch.allclose(G(3 * z), G(z), atol=1e-4)


def test_gradients_reach_every_weight_under_bf16_autocast():
    G, D = map(stirred, TINY.players(seeded()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = D(G(normal(4, 5))).float()
    F.softplus(-logits).mean().backward()
    for name, p in [*G.named_parameters(), *D.named_parameters()]:
        assert p.grad is not None and torch.isfinite(p.grad).all() and p.grad.any(), name


def test_stop_and_resume_equals_no_stop(make_run, store, same):
    recipe = GANRecipe(
        data=Faces(n=10, size=32), model=TINY, penalties=R1(1.0, every=2), batch=4, epochs=2,
        ema_half_life=20.0, lr_G=2e-3, lr_D=2e-3, device="cpu", threads=1,
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
        (lambda: StyleGAN2(size=48), r"StyleGAN2\(size=48\): expected 16 or 32 or 64"),
        (lambda: StyleGAN2(base=32), r"StyleGAN2\(base // 64=0\)"),
        (lambda: StyleGAN2(mapping=0), r"mapping=0"),
        (lambda: StyleGAN2(w_dim=-1), r"w_dim=-1"),
        (
            lambda: GANRecipe(data=Faces(size=32), model=replace(TINY), batch=4).check_processes(2),
            "StyleGAN2.*several processes is not supported",
        ),
    ],
)  # fmt: skip
def test_refusals(make, said):
    with pytest.raises(UserError, match=said):
        make()

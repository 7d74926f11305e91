"""The projected D: heads counted by hand, a step against a plain loop, what is not trained."""

import math

import pytest
import torch
from torch.nn import functional as F

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.gan.objectives import GANLoss
from bascule.models import efficientnet
from bascule.models.dcgan import DCGAN
from bascule.models.projected import MEAN, STD, Projected, bilinear
from bascule.models.sngan import SNGAN
from bascule.training.state import begin
from bascule.training.trainer import Batch
from counting import count, seeded

G = DCGAN(width=4, z_dim=8, size=32)
SMALL = Projected(G, input_px=64, width=4)


def down(before: int, after: int) -> int:
    """A 4x4 convolution with biases and a BatchNorm."""
    return 16 * before * after + after + 2 * after


def heads_as_published(last: int = 512) -> int:
    """Four heads on 64, 64, 128 and 256 channels, and a last convolution without bias."""
    found = down(64, 64) + down(64, 128) + down(128, 256) + down(256, last)
    found += down(64, 128) + down(128, 256) + down(256, last)
    found += down(128, 256) + down(256, last)
    found += down(256, last)
    return found + 4 * 16 * last


def heads_of_smaller_maps() -> int:
    """At 128 px each head halves once less, and the coarsest map is judged as it is."""
    found = down(64, 128) + down(128, 256) + down(256, 512)
    found += down(64, 256) + down(256, 512)
    found += down(128, 512)
    return found + 16 * (512 + 512 + 512 + 256)


@pytest.mark.parametrize(
    ("input_px", "trained", "logits"),
    [(224, heads_as_published(), 4 * 16), (128, heads_of_smaller_maps(), 4 * 25)],
)
def test_heads_of_published_width_as_counted_by_hand(input_px, trained, logits):
    _, D = Projected(DCGAN(width=2), input_px).players(seeded())
    assert count(D) == trained
    mixing = 24 * 64 + 40 * 128 + 112 * 256 + 320 * 512 + (64 + 128 + 256 + 512)
    mixing += 64 * 64 + 128 * 64 + 256 * 128 + 512 * 256 + (64 + 64 + 128 + 256)
    assert sum(t.numel() for n, t in D.state_dict().items() if n.startswith("mixing")) == mixing
    with torch.no_grad():
        assert D.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, logits)


def test_only_heads_are_trained_and_the_frozen_network_is_not_saved():
    _, D = SMALL.players(seeded())
    assert {name.partition(".")[0] for name, _ in D.named_parameters()} == {"heads"}
    assert {name.partition(".")[0] for name in D.state_dict()} == {"heads", "mixing"}
    D.requires_grad_(True)  # as the step does after G's turn
    x = torch.zeros(2, 3, 32, 32, requires_grad=True)
    D(x).sum().backward()
    assert x.grad.abs().max() > 0
    assert not any(t.requires_grad for t in (*D.taps.buffers(), *D.mixing.buffers()))


def test_the_mixing_is_drawn_with_the_weights_and_goes_with_them():
    first, again, other = (SMALL.players(seeded(s))[1] for s in (0, 0, 1))
    name = "mixing.channels.0.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
    other.load_state_dict(first.state_dict())
    x = torch.randn(4, 3, 32, 32, generator=seeded())
    assert torch.equal(first.eval()(x), other.eval()(x))


def test_G_is_that_of_the_model():
    ours, theirs = SMALL.players(seeded())[0], G.players(seeded())[0]
    assert all(
        torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    )
    assert (SMALL.size, SMALL.z_dim) == (32, 8)


@pytest.mark.parametrize(("side", "to"), [(32, 64), (64, 96), (64, 224)])
def test_resizing_equals_pytorchs(side, to):
    x = torch.randn(2, 3, side, side, generator=seeded())
    rows = bilinear(side, to)
    theirs = F.interpolate(x, (to, to), mode="bilinear", align_corners=False)
    assert torch.allclose(rows @ x @ rows.T, theirs, atol=1e-6)


class Plain:
    """D from its weights by functions alone, with the package's unchanged EfficientNet.

    ``taps``: gives the maps of the frozen network in place of the unchanged one.
    """

    def __init__(self, saved: dict, input_px: int, taps=None) -> None:
        self.w = {n: t.clone() for n, t in saved.items()}
        state = ("_u", "_v", "_mean", "_var", "_tracked")
        of_heads = [n for n in self.w if n.startswith("heads") and not n.endswith(state)]
        self.trained = {n: self.w[n].requires_grad_() for n in of_heads}
        self.net = efficientnet.classifier(input_px, efficientnet.weights_path())
        self.px, self.taps = input_px, taps or self.unchanged

    def unchanged(self, x: torch.Tensor) -> list[torch.Tensor]:
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
        x = F.interpolate(x, (self.px, self.px), mode="bilinear", align_corners=False)
        x = self.net._swish(self.net._bn0(self.net._conv_stem(((x + 1) / 2 - mean) / std)))
        taps = []
        for place, block in enumerate(self.net._blocks):
            x = block(x)
            if place in (2, 4, 10, 15):
                taps.append(x)
        return taps

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        taps, logits, below = self.taps(x), {}, None
        for k in (3, 2, 1, 0):
            h = self.mixed(f"channels.{k}", taps[k])
            h = h if below is None else h + below
            h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
            below = self.mixed(f"scales.{k}", h)
            logits[k] = self.head(k, below).flatten(1)
        return torch.cat([logits[k] for k in range(4)], 1)

    def mixed(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.w[f"mixing.{name}.weight"], self.w[f"mixing.{name}.bias"])

    def head(self, k: int, x: torch.Tensor) -> torch.Tensor:
        layer = 0
        while f"heads.{k}.{layer + 1}.weight" in self.w:  # a BatchNorm comes next
            name = f"heads.{k}.{layer}"
            x = F.conv2d(x, self.weight(name), self.w[f"{name}.bias"], stride=2, padding=1)
            norm = f"heads.{k}.{layer + 1}"
            x = F.batch_norm(
                x, None, None, self.w[f"{norm}.weight"], self.w[f"{norm}.bias"], training=True
            )
            x = F.leaky_relu(x, 0.2)
            layer += 3
        return F.conv2d(x, self.weight(f"heads.{k}.{layer}"))

    def weight(self, name: str) -> torch.Tensor:
        """After one power iteration, divided by its largest singular value."""
        start = f"{name}.parametrizations.weight"
        w = self.w[f"{start}.original"]
        m, u, v = w.flatten(1), self.w[f"{start}.0._u"], self.w[f"{start}.0._v"]
        with torch.no_grad():
            u = F.normalize(m @ v, dim=0)
            v = F.normalize(m.T @ u, dim=0)
        self.w[f"{start}.0._u"], self.w[f"{start}.0._v"] = u, v
        return w / (u @ m @ v)


def test_logits_and_their_slope_equal_those_of_a_plain_loop():
    """Up to the rounding of merged norms, which flips a few of the network's many kinks."""
    _, D = SMALL.players(seeded())
    plain = Plain(D.state_dict(), 64)
    x = torch.randn(4, 3, 32, 32, generator=seeded()).requires_grad_()
    ours, theirs = D(x), plain(x)
    assert theirs.std() > 0.1 and (ours - theirs).abs().max() < 1e-4
    mine, other = (torch.autograd.grad(y.sin().sum(), x)[0] for y in (ours, theirs))
    assert (mine - other).norm() < 0.01 * other.norm()


def test_one_step_equals_a_plain_loop(tiny):
    """Losses and gradients of both players; D's step is so small that it moves nothing.

    The loop has D's own frozen network, so that rounding before its kinks is the same.
    """
    recipe = tiny.replace(model=SMALL, objective=GANLoss("hinge"), lr_D=1e-12)
    pixels = torch.from_numpy(recipe.data.load().pixels[:8].copy())
    state = begin(recipe)
    game = state.trainer.game
    D = Plain(game.D.state_dict(), 64, game.D.taps)
    twin = begin(recipe).trainer.game.G

    found = state.trainer.step(Batch(pixels, torch.arange(8), 0, 0))

    z = torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z"))
    fake = twin(z)
    real = D(pixels.float() / 127.5 - 1)
    loss_D = F.relu(1 - real).mean() + F.relu(1 + D(fake.detach())).mean()
    loss_D.backward()
    told = {n: t.grad.clone() for n, t in D.trained.items()}
    loss_G = -D(fake).mean()
    loss_G.backward()
    assert math.isclose(found["loss_D"], loss_D.item(), abs_tol=1e-5)
    assert math.isclose(found["loss_G"], loss_G.item(), abs_tol=1e-5)
    ours = dict(game.D.named_parameters())
    assert ours.keys() == told.keys()
    for name, grad in told.items():
        assert (ours[name].grad - grad).abs().max() < 1e-5 * max(1, grad.abs().max()), name
    for mine, theirs in zip(game.G.parameters(), twin.parameters(), strict=True):
        assert (mine.grad - theirs.grad).abs().max() < 1e-5 * max(1, theirs.grad.abs().max())
    assert max(p.grad.abs().max() for p in game.G.parameters()) > 1e-3


def test_it_goes_on_exactly_from_a_checkpoint(tiny, same):
    recipe = tiny.replace(model=SMALL, objective=GANLoss("hinge"), ema_half_life=20.0)
    pixels = torch.from_numpy(recipe.data.load().pixels[:16].copy())

    def play(state, steps):
        for step in steps:
            state.trainer.step(Batch(pixels, torch.arange(8) + step, 0, step))

    whole, first, second = begin(recipe), begin(recipe), begin(recipe.replace(seed=0))
    play(whole, range(4))
    play(first, range(2))
    second.load_state_dict(first.state_dict())
    play(second, range(2, 4))
    assert same(whole.trainer.state_dict(), second.trainer.state_dict())


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Projected(G, input_px=100), "multiple of 32, at least 64"),
        (lambda: Projected(DCGAN(size=128), input_px=96), "at least 128, for images of 128 px"),
        (lambda: Projected(G, width=0), "width=0"),
        (lambda: Projected(SNGAN(classes=3)), "takes no labels"),
    ],
)
def test_bad_settings_are_one_line(made, told):
    with pytest.raises(UserError, match=told):
        made()

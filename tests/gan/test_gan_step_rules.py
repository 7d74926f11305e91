"""Games with other objectives, penalties and turns, against plain PyTorch written by hand."""

import copy
from dataclasses import dataclass, replace

import pytest
import torch
from torch.nn.functional import relu, softplus

from bascule.core.context import StepContext
from bascule.gan.objectives import GANLoss
from bascule.gan.penalties import R1, R2, Consistency, GradientPenalty, LeCam
from bascule.gan.step import Rules, gan_step
from bascule.interventions import DiffAugment, InstanceNoise, Intervention
from bascule.training.state import begin

NOTHING = Intervention()


@pytest.fixture
def plain(tiny):
    """A D that judges each image by itself, in the plainest arithmetic."""
    model = replace(tiny.model, norm_D="spectral")
    return tiny.replace(model=model, channels_last=False, fused_adam=False, lr_D=3e-4, lr_G=2e-4)


def reals(step: int, batch: int = 8) -> torch.Tensor:
    return torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(step)) * 2 - 1


def play(game, steps: int, rules: Rules, change=NOTHING):
    return [gan_step(game, reals(k), StepContext(0, 0, k), change, rules) for k in range(steps)]


def by_hand(game, recipe, steps: int, loss_D, loss_G, paid=None, every: int = 1):
    """Trains ``game``'s nets with losses of (D, real, fake) as a tutorial writes them."""
    G, D, betas = game.G, game.D, (recipe.beta1, recipe.beta2)
    opt_G = torch.optim.Adam(G.parameters(), lr=recipe.lr_G, betas=betas, foreach=False)
    opt_D = torch.optim.Adam(D.parameters(), lr=recipe.lr_D, betas=betas, foreach=False)
    told = []
    for k in range(steps):
        z = torch.randn(8, recipe.model.z_dim, generator=StepContext(0, 0, k).rng("z"))
        plays = (k + 1) % every == 0
        G.train(plays)  # a G that rests is not changed; DCGAN's has BatchNorm
        with torch.set_grad_enabled(plays):
            fake = G(z) if plays else batch_norm_without_memory(G, z)
        real = reals(k).requires_grad_(paid is not None)
        shown = fake.detach().requires_grad_(paid is not None)
        on_real, on_fake = D(real), D(shown)
        d = loss_D(on_real, on_fake)
        extra = paid(k, real, shown, on_real, on_fake) if paid else torch.zeros(())
        opt_D.zero_grad()
        (d + extra).backward()
        opt_D.step()
        row = {"loss_D": d.item(), "paid": float(extra.detach())}
        if plays:
            on_fake = D(fake)
            g = loss_G(on_fake, lambda k=k: D(reals(k)))
            opt_G.zero_grad()
            g.backward()
            opt_G.step()
            row["loss_G"] = g.item()
        G.train()
        told.append(row)
    return told


def batch_norm_without_memory(G, z):
    """G's fakes as in training, its running statistics left alone."""
    return copy.deepcopy(G).train()(z)


def same_nets(ours, theirs, atol: float = 1e-6) -> None:
    for a, b in ((ours.G, theirs.G), (ours.D, theirs.D)):
        for (name, p), (_, q) in zip(a.named_parameters(), b.named_parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=0, atol=atol, msg=name)


def two_games(recipe):
    return begin(recipe).trainer.game, begin(recipe).trainer.game


@pytest.mark.parametrize(
    ("kind", "loss_D", "loss_G"),
    [
        (
            "hinge",
            lambda r, f: relu(1 - r).mean() + relu(1 + f).mean(),
            lambda f, real: -f.mean(),
        ),
        (
            "relativistic",
            lambda r, f: softplus(f - r).mean(),
            lambda f, real: softplus(real() - f).mean(),
        ),
    ],
)
def test_a_game_for_another_objective_is_the_one_written_by_hand(plain, kind, loss_D, loss_G):
    game, reference = two_games(plain)
    ours = play(game, 3, Rules(GANLoss(kind)))
    theirs = by_hand(reference, plain, 3, loss_D, loss_G)
    for got, expected in zip(ours, theirs, strict=True):
        for name in ("loss_D", "loss_G"):
            assert got[name].item() == pytest.approx(expected[name], rel=1e-4), name
    same_nets(game, reference)


def test_r1_and_r2_are_paid_as_written_by_hand(plain):
    game, reference = two_games(plain)

    def slope(logits, x):
        (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return g.flatten(1).norm(dim=1).pow(2).mean()

    def paid(k, real, fake, on_real, on_fake):
        first = 2 * 3.0 / 2 * slope(on_real, real) if k % 2 == 0 else 0.0
        return first + 4.0 / 2 * slope(on_fake, fake)

    ours = play(game, 3, Rules(penalties=(R1(3.0, every=2), R2(4.0))))
    theirs = by_hand(
        reference,
        plain,
        3,
        lambda r, f: softplus(-r).mean() + softplus(f).mean(),
        lambda f, real: softplus(-f).mean(),
        paid,
    )
    for k, (got, expected) in enumerate(zip(ours, theirs, strict=True)):
        assert ("R1" in got) == (k % 2 == 0)
        both = got["R2"].item() + (got["R1"].item() if "R1" in got else 0.0)
        assert both == pytest.approx(expected["paid"], rel=1e-4)
        assert got["loss_D"].item() == pytest.approx(expected["loss_D"], rel=1e-4)
    same_nets(game, reference)


def test_wgan_gp_with_its_critic_steps_is_the_one_written_by_hand(plain):
    """G has a turn in every third step; its statistics rest in the others."""
    game, reference = two_games(plain)
    rule = GradientPenalty(10.0)

    def paid(k, real, fake, on_real, on_fake):
        at = StepContext(0, 0, k).within("penalties").owned_by("GradientPenalty")
        share = torch.rand((8, 1, 1, 1), generator=at.rng("share"))
        u = (share * real + (1 - share) * fake).detach().requires_grad_()
        (g,) = torch.autograd.grad(still(reference.D, u).sum(), u, create_graph=True)
        return 10 * (g.flatten(1).norm(dim=1) - 1).pow(2).mean()

    def still(D, u):
        """D's logits, its power iterations as they are."""
        for module in D.modules():
            module.training = type(module).__name__ != "_SpectralNorm"
        out = D(u)
        D.train()
        return out

    ours = play(game, 6, Rules(GANLoss("wasserstein"), (rule,), critic_steps=3))
    theirs = by_hand(
        reference,
        plain,
        6,
        lambda r, f: f.mean() - r.mean(),
        lambda f, real: -f.mean(),
        paid,
        every=3,
    )
    for got, expected in zip(ours, theirs, strict=True):
        assert ("loss_G" in got) == ("loss_G" in expected)
        assert got["GradientPenalty"].item() == pytest.approx(expected["paid"], rel=1e-3)
        assert got["loss_D"].item() == pytest.approx(expected["loss_D"], rel=1e-3, abs=1e-6)
    same_nets(game, reference, atol=1e-5)
    moved = dict(game.G.named_buffers())["layers.2.running_mean"]
    assert torch.allclose(moved, dict(reference.G.named_buffers())["layers.2.running_mean"])


def test_slopes_go_through_the_view_to_the_image_itself(plain):
    """A view that halves an image halves D's slope there: a quarter of the penalty."""

    @dataclass(frozen=True)
    class Halve(Intervention):
        def augment(self, x, context):
            return 0.5 * x

    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.full((3, 32, 32), 0.1))

        def forward(self, x):
            return (x * self.w).sum((1, 2, 3))

    game = begin(plain).trainer.game
    game.D = Linear()
    game.opt_D = torch.optim.SGD(game.D.parameters(), 0.0)
    (whole,) = play(game, 1, Rules(penalties=(R1(2.0),)))
    (half,) = play(game, 1, Rules(penalties=(R1(2.0),)), Halve())
    assert whole["R1"].item() == pytest.approx(3 * 32 * 32 * 0.01, rel=1e-5)
    assert half["R1"].item() == pytest.approx(whole["R1"].item() / 4, rel=1e-5)


@pytest.mark.parametrize(
    "change", [NOTHING, DiffAugment(), InstanceNoise(0.1)], ids=["plain", "DiffAugment", "noise"]
)
@pytest.mark.parametrize("penalty", [R1(0.1), GradientPenalty(), Consistency(), LeCam()], ids=str)
def test_penalties_go_with_interventions(plain, penalty, change):
    game = begin(plain).trainer.game
    for scalars in play(game, 2, Rules(penalties=(penalty,)), change):
        assert all(value.isfinite() for value in scalars.values())
        assert scalars[type(penalty).__name__] >= 0


def test_a_resting_D_pays_nothing(plain):
    class Rest(Intervention):
        def should_update(self, player, context):
            return player == "G"

    (scalars,) = play(begin(plain).trainer.game, 1, Rules(penalties=(R1(), LeCam())), Rest())
    assert set(scalars) == {"loss_D", "loss_G", "D_x", "D_Gz", "r_t"}


def test_what_also_judges_leaves_no_trace_in_D(plain, same):
    """The extra passes of a penalty of weight 0 change no norm and no weight."""
    game, quiet = two_games(plain)
    play(game, 2, Rules(penalties=(GradientPenalty(weight=0.0), Consistency(0.0, 0.0))))
    play(quiet, 2, Rules())
    assert same(game.D.state_dict(), quiet.D.state_dict())
    assert same(game.G.state_dict(), quiet.G.state_dict())

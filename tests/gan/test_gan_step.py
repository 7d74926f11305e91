"""The step against plain PyTorch, written here by hand, and the rules of who learns."""

import copy
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm

from bascule.core.context import Services, StepContext
from bascule.gan.objectives import TopK
from bascule.gan.step import Rules, gan_step
from bascule.interventions import (
    Compose,
    FakesAmongReals,
    InstanceNoise,
    Intervention,
    PerfectG,
    RealsAmongFakes,
)
from bascule.training.state import begin

BCE = nn.BCEWithLogitsLoss()
NOTHING = Intervention()


@dataclass(frozen=True)
class Rest(Intervention):
    """The named players never learn."""

    players: str

    def should_update(self, player, context):
        return player not in self.players


@pytest.fixture
def plain(tiny):
    """The tiny recipe in the plainest arithmetic that PyTorch has."""
    return tiny.replace(channels_last=False, fused_adam=False, lr_D=3e-4, lr_G=2e-4)


@pytest.fixture(params=["batch", "spectral"])
def either(request, plain):
    """The same with each normalisation that D may have."""
    return plain.replace(model=replace(plain.model, norm_D=request.param))


def reals(step: int, batch: int = 8) -> torch.Tensor:
    return torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(step)) * 2 - 1


def play(game, steps: int, change=NOTHING, concat: bool = False, seed: int = 0, top_k=None):
    """``steps`` steps of the real thing, all in epoch 0; the scalars of each."""
    scalars = []
    for k in range(steps):
        layout = torch.channels_last if is_channels_last(game) else torch.contiguous_format
        real = reals(k).contiguous(memory_format=layout)
        scalars.append(
            gan_step(game, real, StepContext(seed, 0, k), change, Rules(concat=concat, top_k=top_k))
        )
    return scalars


def is_channels_last(game) -> bool:
    weight = next(p for p in game.D.parameters() if p.dim() == 4)
    return not weight.is_contiguous()


def by_hand(G, D, recipe, steps: int, concat: bool = False, best: int | None = None):
    """The game as a tutorial writes it: trains G and D in place; the scalars of each step."""
    betas = (recipe.beta1, recipe.beta2)
    opt_G = torch.optim.Adam(G.parameters(), lr=recipe.lr_G, betas=betas, foreach=False)
    opt_D = torch.optim.Adam(D.parameters(), lr=recipe.lr_D, betas=betas, foreach=False)
    scalars = []
    for k in range(steps):
        real = reals(k)
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        z = torch.randn(len(real), recipe.model.z_dim, generator=StepContext(0, 0, k).rng("z"))

        opt_D.zero_grad()
        fake = G(z)
        if concat:
            logits = D(torch.cat([real, fake.detach()]))
            on_real, on_fake = logits[: len(real)], logits[len(real) :]
            loss_real, loss_fake = BCE(on_real, ones), BCE(on_fake, zeros)
            (loss_real + loss_fake).backward()
        else:
            on_real = D(real)
            loss_real = BCE(on_real, ones)
            loss_real.backward()
            on_fake = D(fake.detach())
            loss_fake = BCE(on_fake, zeros)
            loss_fake.backward()
        opt_D.step()

        opt_G.zero_grad()
        in_turn_of_G = D(fake)
        if best:
            in_turn_of_G = in_turn_of_G[in_turn_of_G.argsort(descending=True)[:best]]
        loss_G = BCE(in_turn_of_G, torch.ones(len(in_turn_of_G)))
        loss_G.backward()
        opt_G.step()
        scalars.append(
            {
                "loss_D": (loss_real + loss_fake).item(),
                "loss_G": loss_G.item(),
                "D_x": torch.sigmoid(on_real).mean().item(),
                "D_Gz": torch.sigmoid(on_fake).mean().item(),
                "r_t": ((on_real > 0).float() - (on_real < 0).float()).mean().item(),
            }
        )
    return scalars


def state(net: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of weights and BatchNorm statistics."""
    return copy.deepcopy(net.state_dict())


def norms_of(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def same_gradients(ours: nn.Module, theirs: nn.Module) -> bool:
    """Equal but for rounding, which is relative to the largest gradient of each weight."""
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    return all((a.grad - b.grad).abs().max() < 1e-4 * b.grad.abs().max() for a, b in pairs)


def assert_close(a, b, atol: float):
    for name in a:
        torch.testing.assert_close(
            a[name], b[name], rtol=0, atol=atol, msg=name, check_stride=False
        )


# the game itself


@pytest.mark.parametrize("concat", [False, True], ids=["two passes", "concat"])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_step_is_the_one_written_by_hand(either, steps, concat):
    game = begin(either).trainer.game
    G, D = copy.deepcopy(game.G), copy.deepcopy(game.D)
    ours = play(game, steps, concat=concat)
    theirs = by_hand(G, D, either, steps, concat)
    for got, expected in zip(ours, theirs, strict=True):
        assert {k: v.item() for k, v in got.items()} == pytest.approx(expected, rel=1e-5)
    assert_close(state(game.G), state(G), atol=1e-6)
    assert_close(state(game.D), state(D), atol=1e-6)


def test_with_top_k_G_learns_from_its_best_fakes_as_written_by_hand(either):
    game = begin(either).trainer.game
    G, D = copy.deepcopy(game.G), copy.deepcopy(game.D)

    class Best3(TopK):
        def k(self, batch, epoch):
            assert (batch, epoch) == (8, 0)
            return 3

    ours = play(game, 3, top_k=Best3())
    theirs = by_hand(G, D, either, 3, best=3)
    for got, expected in zip(ours, theirs, strict=True):
        assert {k: v.item() for k, v in got.items()} == pytest.approx(expected, rel=1e-5)
    assert_close(state(game.G), state(G), atol=1e-6)
    assert_close(state(game.D), state(D), atol=1e-6)


def test_top_k_goes_by_the_epoch(plain, same):
    """0.5^2 of 8 are 2; in epoch 0 all count, and the game is the plain one."""
    rule, fakes = TopK(nu=0.1, gamma=0.5), []

    class Note(Intervention):
        def generator_batch(self, own, shown, context):
            own.register_hook(lambda g: fakes.append(int(g.flatten(1).any(1).sum())))
            return own

    spectral = plain.replace(model=replace(plain.model, norm_D="spectral"))  # no norm mixes images
    for epoch in (0, 1, 2, 5):
        gan_step(
            begin(spectral).trainer.game,
            reals(0),
            StepContext(0, epoch, 0),
            Note(),
            Rules(top_k=rule),
        )
    assert fakes == [8, 4, 2, 1]
    with_it, without = begin(plain).trainer.game, begin(plain).trainer.game
    play(with_it, 2, top_k=TopK(nu=1.0))
    play(without, 2)
    assert_close(state(with_it.G), state(without.G), atol=1e-6)


def test_the_fast_arithmetic_is_the_same_game(plain):
    """Channels last and fused Adam: equal but for rounding.

    Adam makes whole steps out of the smallest gradients, so that rounding may move a weight by
    up to the learning rate: all but a few weights agree closely, and none is further off.
    """
    game = begin(plain.replace(channels_last=True, fused_adam=True)).trainer.game
    assert is_channels_last(game)
    reference = begin(plain).trainer.game
    play(game, 3)
    by_hand(reference.G, reference.D, plain, 3)
    for ours, theirs in ((game.G, reference.G), (game.D, reference.D)):
        off = torch.cat(
            [
                (a - b).abs().flatten()
                for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
            ]
        )
        assert (off < 1e-6).float().mean() > 0.99
        assert off.max() < 3 * 2 * plain.lr_D


def test_concat_is_another_game(plain):
    apart, together = begin(plain).trainer.game, begin(plain).trainer.game
    play(apart, 1)
    play(together, 1, concat=True)
    first = norms_of(together.D)[0]
    assert first.num_batches_tracked == 2  # both, then G's turn
    assert norms_of(apart.D)[0].num_batches_tracked == 3  # reals, fakes, G's turn
    a, b = (torch.cat([p.flatten() for p in game.D.parameters()]) for game in (apart, together))
    assert (a - b).abs().max() > 1e-5


def test_two_batches_of_equal_law_but_other_images_give_other_logits_in_concat(plain):
    """In one pass BatchNorm mixes reals and fakes; in two it cannot."""
    shown = {}

    @dataclass(frozen=True)
    class Swap(Intervention):
        """D is shown other fakes."""

        def discriminator_batch(self, real, fake, context):
            return real, fake * 0.1 + 0.5

    for concat in (False, True):
        kept, swapped = begin(plain).trainer.game, begin(plain).trainer.game
        shown[concat] = [
            play(game, 1, change, concat)[0]["D_x"].item()
            for game, change in ((kept, NOTHING), (swapped, Swap()))
        ]
    assert shown[False][0] == shown[False][1]
    assert abs(shown[True][0] - shown[True][1]) > 1e-4


def test_the_scalars_are_detached_and_stay_tensors(plain):
    (scalars,) = play(begin(plain).trainer.game, 1)
    assert set(scalars) == {"loss_D", "loss_G", "D_x", "D_Gz", "r_t"}
    for value in scalars.values():
        assert isinstance(value, torch.Tensor) and value.shape == () and not value.requires_grad


def test_the_step_leaves_the_global_generator_alone(plain):
    game = begin(plain).trainer.game
    before = torch.get_rng_state()
    play(game, 1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("concat", "passes_of_D"), [(False, 3), (True, 2)])
def test_the_fakes_of_Ds_turn_are_those_of_Gs_turn(plain, concat, passes_of_D):
    game = begin(plain).trainer.game
    made, shown = [], []
    game.G.register_forward_hook(lambda G, z, x: made.append(x.detach().clone()))
    game.D.register_forward_pre_hook(lambda D, x: shown.append(x[0].detach().clone()))
    play(game, 1, concat=concat)
    assert len(made) == 1
    assert len(shown) == passes_of_D
    assert torch.equal(shown[-1], made[0])
    assert torch.equal(shown[-2][-8:], made[0])
    assert torch.equal(shown[0][:8], reals(0))


def test_Ds_gradients_are_those_of_its_own_turn(plain):
    """G's turn goes through D and must leave nothing in D's gradients."""
    game = begin(plain).trainer.game
    D, G = copy.deepcopy(game.D), copy.deepcopy(game.G)
    play(game, 1)
    fake = G(torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z"))).detach()
    (BCE(D(reals(0)), torch.ones(8)) + BCE(D(fake), torch.zeros(8))).backward()
    assert same_gradients(game.D, D)


def test_Gs_gradients_do_not_pile_up(plain):
    """The second step's gradients of G are those of a game that begins there."""
    game = begin(plain).trainer.game
    play(game, 1)
    fresh = copy.deepcopy(game)
    fresh.opt_G.zero_grad()
    fresh.opt_D.zero_grad()
    for each in (game, fresh):
        gan_step(each, reals(1), StepContext(0, 0, 1), NOTHING)
    for a, b in zip(game.G.parameters(), fresh.G.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


@pytest.mark.parametrize("players", ["", "G", "D", "GD"])
def test_everything_is_put_back_after_a_step(either, players):
    game = begin(either).trainer.game
    play(game, 1, Rest(players))
    for net in (game.G, game.D):
        assert all(module.training for module in net.modules())
        assert all(p.requires_grad for p in net.parameters())
        assert all(norm.track_running_stats for norm in norms_of(net))
    assert torch.is_grad_enabled()


# who rests


@pytest.mark.parametrize("players", ["G", "D", "GD"])
@pytest.mark.parametrize("concat", [False, True], ids=["two passes", "concat"])
def test_a_resting_player_keeps_weights_moments_and_what_its_norms_remember(
    either, same, players, concat
):
    game = begin(either).trainer.game
    play(game, 2)  # so that there are moments to keep
    nets = {"G": (game.G, game.opt_G), "D": (game.D, game.opt_D)}
    before = {p: (state(net), copy.deepcopy(opt.state_dict())) for p, (net, opt) in nets.items()}
    scalars = gan_step(game, reals(2), StepContext(0, 0, 2), Rest(players), Rules(concat=concat))
    assert all(value.isfinite() for value in scalars.values())
    for p, (net, opt) in nets.items():
        weights, moments = before[p]
        if p in players:
            assert same(net.state_dict(), weights) and same(opt.state_dict(), moments)
        else:
            moved = {n for n, w in net.state_dict().items() if not torch.equal(w, weights[n])}
            learned = {n for n, _ in net.named_parameters()}
            assert learned < moved  # every weight, and what the norms remember


def test_the_loss_of_a_resting_G_is_still_that_of_the_game(plain):
    """D learns, then says what it thinks of the fakes, with the statistics of their batch."""
    game = begin(plain).trainer.game
    G = copy.deepcopy(game.G)
    (scalars,) = play(game, 1, Rest("G"))
    fake = G(torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z")))
    expected = BCE(copy.deepcopy(game.D)(fake), torch.ones(8))
    assert scalars["loss_G"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_losses_of_a_resting_D_are_still_those_of_the_game(plain):
    game = begin(plain).trainer.game
    G, D = copy.deepcopy(game.G), copy.deepcopy(game.D)
    (scalars,) = play(game, 1, Rest("D"))
    expected = by_hand(G, copy.deepcopy(D), plain, 1)[0]
    for name in ("loss_D", "D_x", "D_Gz"):
        assert scalars[name].item() == pytest.approx(expected[name], rel=1e-5)
    # G learns against the D that rests, not against one that has learned.
    fake = copy.deepcopy(begin(plain).trainer.game.G)(
        torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z"))
    )
    assert scalars["loss_G"].item() == pytest.approx(BCE(D(fake), torch.ones(8)).item(), rel=1e-5)


def test_G_learns_from_a_resting_D_what_autograd_says(plain):
    game = begin(plain).trainer.game
    G, D = copy.deepcopy(game.G), copy.deepcopy(game.D)
    play(game, 1, Rest("D"))
    BCE(D(G(torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z")))), torch.ones(8)).backward()
    assert same_gradients(game.G, G)
    assert all(p.grad is None for p in game.D.parameters())


def test_under_perfect_g_the_unused_fakes_leave_no_trace_in_D(plain, same):
    """D's running statistics come from what it is shown in its own turn, and from nothing else."""
    game = begin(plain).trainer.game
    D = copy.deepcopy(game.D)
    play(game, 1, PerfectG(at_epoch=0, sigma=0.05))
    context = StepContext(0, 0, 0).within("batches")
    _, shown_fake = PerfectG(0, 0.05).discriminator_batch(reals(0), reals(0), context)
    D(reals(0))
    D(shown_fake)
    for ours, theirs in zip(norms_of(game.D), norms_of(D), strict=True):
        assert ours.num_batches_tracked == 2
        torch.testing.assert_close(ours.running_mean, theirs.running_mean, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-5, atol=1e-7)


# the hooks


def test_the_seams_are_asked_in_order_each_under_its_own_name(plain):
    heard = []
    game = begin(plain).trainer.game
    before = state(game.D)

    class Spy(Intervention):
        def on_step_start(self, given, context):
            heard.append(("prepare", context.scope))
            assert given is game

        def discriminator_batch(self, real, fake, context):
            heard.append(("batches", context.scope))
            assert torch.equal(real, reals(0))
            assert real.shape == fake.shape == (8, 3, 32, 32) and fake.abs().max() <= 1
            return real, fake

        def generator_batch(self, own, shown, context):
            heard.append(("turn_of_G", context.scope, own.requires_grad))
            assert torch.equal(own, shown)
            return shown

        def augment(self, x, context):
            learned = not torch.equal(game.D.layers[0].weight, before["layers.0.weight"])
            heard.append(("view", context.scope, x.requires_grad, learned))
            return x

    play(game, 1, Spy())
    assert heard == [
        ("prepare", "/prepare"),
        ("batches", "/batches"),
        ("view", "/view/D/real", False, False),
        ("view", "/view/D/fake", False, False),
        ("turn_of_G", "/turn_of_G", True),
        ("view", "/view/G/fake", True, True),
    ]


def test_what_prepare_alters_is_what_plays(plain):
    @dataclass(frozen=True)
    class Forget(Intervention):
        """D begins every step anew, as a D that says 1/2 everywhere."""

        def on_step_start(self, game, context):
            with torch.no_grad():
                game.D.layers[-1].weight.zero_()

    for scalars in play(begin(plain).trainer.game, 2, Forget()):
        assert (scalars["D_x"].item(), scalars["D_Gz"].item()) == (0.5, 0.5)


def test_G_learns_through_the_view(plain):
    """A view that scales by c scales G's gradient by c, through D's own derivative there."""

    @dataclass(frozen=True)
    class Scale(Intervention):
        def augment(self, x, context):
            return 0.5 * x

    game = begin(plain).trainer.game
    G, D = copy.deepcopy(game.G), copy.deepcopy(game.D)
    play(game, 1, Compose((Scale(), Rest("D"))))
    fake = G(torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z")))
    BCE(D(fake * 0.5), torch.ones(8)).backward()
    assert same_gradients(game.G, G)


def test_what_batches_show_is_what_both_turns_judge(plain):
    """Fakes replaced by reals: D gives both the same logits, and G gets no gradient from them."""

    @dataclass(frozen=True)
    class Same(Intervention):
        def discriminator_batch(self, real, fake, context):
            return real, real + 0 * fake

    game = begin(plain).trainer.game
    (scalars,) = play(game, 1, Same())
    assert scalars["D_x"].item() == pytest.approx(scalars["D_Gz"].item(), rel=1e-6)
    assert all(p.grad.abs().max() == 0 for p in game.G.parameters())


def test_the_three_views_of_a_step_get_different_noise(plain):
    seen = []

    class Record(Intervention):
        def augment(self, x, context):
            seen.append(x.detach().clone())
            return x

    class Blank(Intervention):
        def discriminator_batch(self, real, fake, context):
            return 0 * real, 0 * fake

    play(begin(plain).trainer.game, 1, Compose((Blank(), InstanceNoise(0.5), Record())))
    noises = torch.stack([x.flatten() for x in seen])
    assert noises.shape[0] == 3
    assert torch.allclose(noises.std(dim=1), torch.tensor(0.5), rtol=0.05)
    off_diagonal = torch.corrcoef(noises) - torch.eye(3)
    assert off_diagonal.abs().max() < 5 / noises.shape[1] ** 0.5


@pytest.mark.parametrize("G_sees", [False, True])
@pytest.mark.parametrize("t", [3, 8])
def test_in_its_turn_G_is_judged_with_or_without_the_lies(either, G_sees, t):
    """D learns from the lies in either case; then G's gradient is autograd's, by hand."""
    game = begin(either).trainer.game
    G, D = copy.deepcopy(game.G), copy.deepcopy(game.D)
    (scalars,) = play(game, 1, RealsAmongFakes(t=t, G_sees=G_sees))

    fake = G(torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z")))
    lied = torch.cat([reals(0)[:t], fake[t:]])
    opt_D = torch.optim.Adam(D.parameters(), lr=either.lr_D, betas=(0.5, 0.999), foreach=False)
    (BCE(D(reals(0)), torch.ones(8)) + BCE(D(lied.detach()), torch.zeros(8))).backward()
    opt_D.step()
    loss = BCE(D(lied if G_sees else fake), torch.ones(8))
    loss.backward()
    assert scalars["loss_G"].item() == pytest.approx(loss.item(), rel=1e-5)
    if G_sees and t == 8:
        assert all(p.grad.abs().max() == 0 for p in game.G.parameters())
    else:
        assert same_gradients(game.G, G)
    assert_close(state(game.D), state(D), atol=1e-6)


# what the step lends


class Ask(Intervention):
    """Asks D about the fakes, and notes what it said."""

    def __init__(self):
        self.said = []

    def discriminator_batch(self, real, fake, context):
        self.said.append(context.discriminate(fake))
        return real, fake


def test_the_judge_is_D_as_it_plays_and_is_left_as_it_is(either, same):
    asked, quiet, ask = begin(either).trainer.game, begin(either).trainer.game, Ask()
    G, D = copy.deepcopy(asked.G), copy.deepcopy(asked.D)
    with_it, without = play(asked, 3, ask), play(quiet, 3)
    assert same(asked.state_dict(), quiet.state_dict()) and same(with_it, without)
    if either.model.norm_D == "spectral":
        for module in D.modules():  # as the last power iteration left it
            module.training = not isinstance(module, _SpectralNorm)
    expected = D(G(torch.randn(8, 8, generator=StepContext(0, 0, 0).rng("z"))))
    torch.testing.assert_close(ask.said[0], expected.detach(), rtol=1e-5, atol=1e-6)
    assert not ask.said[0].requires_grad


def test_the_judge_sees_through_the_view(plain):
    class Blank(Intervention):
        def augment(self, x, context):
            return 0 * x

    ask = Ask()
    play(begin(plain).trainer.game, 1, Compose((ask, Blank())))
    assert ask.said[0].std() == 0  # to D, all fakes are one


def test_the_favourites_of_D_are_among_its_reals(plain):
    game, ask, shown = begin(plain).trainer.game, Ask(), []

    class Note(Intervention):
        def discriminator_batch(self, real, fake, context):
            shown.append((real, fake.detach().clone()))
            return real, fake

    play(game, 1, Compose((ask, FakesAmongReals(t=3), Note())))
    ((real, fake),) = shown
    best = ask.said[0].argsort(descending=True)[:3]
    assert torch.equal(real, torch.cat([fake[best], reals(0)[3:]]))


def test_the_memory_of_the_moment_is_the_rules(plain):
    """Also where the step puts its own judge beside it."""

    class Count(Intervention):
        def discriminator_batch(self, real, fake, context):
            context.remember("steps", context.recall("steps") + 1)
            return real, fake

    game, memory = begin(plain).trainer.game, {}
    for step in range(3):
        context = StepContext(0, 0, step, services=Services(memory))
        gan_step(game, reals(step), context, Compose((Count(),)))
    assert {name: value.item() for name, value in memory.items()} == {"Count.0/steps": 3}


# reduced precision


def test_bf16_keeps_weights_losses_and_images_in_fp32(plain):
    game, exact = begin(plain.replace(precision="bf16")).trainer.game, begin(plain).trainer.game
    dtypes = []

    class Spy(Intervention):
        def augment(self, x, context):
            dtypes.append(x.dtype)
            return x

    (scalars,) = play(game, 1, Spy())
    (expected,) = play(exact, 1)
    assert set(dtypes) == {torch.float32}
    assert all(p.dtype == torch.float32 for p in [*game.G.parameters(), *game.D.parameters()])
    for name, value in scalars.items():
        assert value.dtype == torch.float32
        if name != "r_t":  # signs do not round
            assert value.item() != expected[name].item()  # it did compute in bf16
        assert value.item() == pytest.approx(expected[name].item(), rel=0.05)

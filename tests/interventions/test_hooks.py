"""What every rule keeps (nothing before its epoch, ...), and several rules as one."""

import copy
import math
from dataclasses import dataclass

import pytest
import torch

from bascule.core.context import StepContext
from bascule.interventions import (
    INTERVENTIONS,
    AdaptiveAugment,
    Compose,
    DiffAugment,
    FakeHistory,
    FakesAmongReals,
    Freeze,
    InstanceNoise,
    Intervention,
    NegativeAugmentation,
    NoiseOnReals,
    NormaliseGradients,
    PerfectG,
    PseudoAugmentation,
    RealsAmongFakes,
    ResetD,
    WarmStart,
)
from moments import BEFORE, FAKE, FROM, REAL, correlation, is_normal, linear_game, moment

# One of each, from epoch 2 on, so eager that its second step already differs.
RULES = [
    *(PerfectG(2), PerfectG(2, of="other"), PerfectG(2, of="held_out")),
    *(NoiseOnReals(from_epoch=2), InstanceNoise(from_epoch=2)),
    *(RealsAmongFakes(from_epoch=2), RealsAmongFakes(sigma=0.1, from_epoch=2, G_sees=True)),
    *(FakesAmongReals(from_epoch=2), NegativeAugmentation(from_epoch=2)),
    *(PseudoAugmentation(speed_images=1, from_epoch=2), FakeHistory(size=16, from_epoch=2)),
    *(DiffAugment(from_epoch=2), AdaptiveAugment(speed_images=1, from_epoch=2)),
    ResetD(over_steps=1, wait=(0.6, 0.3), from_epoch=2),
    Compose((FakeHistory(size=16, from_epoch=2), InstanceNoise(from_epoch=3))),
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
D_LEADS = {"D_x": 0.99, "D_Gz": 0.01, "r_t": 1.0}


def asked(rule, context, game, real=REAL, fake=FAKE):
    """All that a step asks of ``rule``, in its order and scopes."""
    rule.on_step_start(game, context.within("prepare"))
    learn = [rule.should_update(player, context.within("may_learn")) for player in "DG"]
    shown_real, shown_fake = rule.discriminator_batch(real, fake, context.within("batches"))
    views = [
        rule.augment(x, context.within(scope))
        for scope, x in (("view/D/real", shown_real), ("view/D/fake", shown_fake))
    ]
    judged = rule.generator_batch(fake, shown_fake, context.within("turn_of_G"))
    seen = rule.augment(judged, context.within("view/G/fake"))
    return [shown_real, shown_fake, *views, judged, seen], learn


def two_steps(rule, real=REAL, fake=FAKE, epoch=2):
    """What a rule answers in the second of two steps; its memory, and the game it played."""
    memory, game = {}, linear_game()
    for step in (200, 201):
        context = moment(
            step, epoch, memory, lambda x: x.mean((1, 2, 3)), lambda *a: -real, **D_LEADS
        )
        answers = asked(rule, context, game, real, fake)
    return answers, memory, game


# every rule


def test_every_rule_of_the_package_is_tested_here():
    """One changes gradients alone: tests/gan/test_one_rule_changes.py; one acts before the game.

    One decides only who learns: test_freeze.py.
    """
    alone = {NormaliseGradients, WarmStart, Freeze}
    assert alone.union(type(rule) for rule in RULES) == set(INTERVENTIONS)


def test_an_intervention_changes_nothing_unless_it_says_so():
    rule, game = Intervention(), linear_game()
    pictures, learn = asked(rule, FROM, game)
    assert learn == [True, True]
    assert [x is y for x, y in zip(pictures, (REAL, FAKE) * 2, strict=False)] == [True] * 4
    assert pictures[4] is FAKE and pictures[5] is FAKE
    assert rule.first_epoch() == 0 and not rule.uses_held_out()


@every_rule
def test_before_its_epoch_a_rule_changes_nothing_and_remembers_nothing(rule, same):
    """Whatever the scores: the very tensors come back. Nobody is asked for D or for pictures."""
    assert rule.first_epoch() == 2
    memory, game, shown = {}, linear_game(), -FAKE
    before = copy.deepcopy(game.state_dict())
    context = moment(100, 1, memory, **D_LEADS)
    (real, fake, *views, judged, _), learn = asked(rule, context, game)
    assert real is REAL and views[0] is REAL
    assert fake is FAKE and views[1] is FAKE and judged is FAKE
    assert rule.generator_batch(FAKE, shown, context) is shown
    assert learn == [True, True]
    assert memory == {} and same(game.state_dict(), before)


@every_rule
@pytest.mark.parametrize("epoch", [2, 3, 50])
def test_a_rule_acts_from_its_epoch_on(rule, epoch, same):
    (pictures, _), _, game = two_steps(rule, epoch=epoch)
    (untouched, _), _, plain = two_steps(Intervention())
    # A rule may alter what is shown, or the players.
    assert not (same(pictures, untouched) and same(game.D.state_dict(), plain.D.state_dict()))


@every_rule
def test_a_rule_alters_no_tensor_in_place(rule, same):
    real, fake, memory = REAL.clone(), FAKE.clone(), {}
    for step in (200, 201, 202):
        kept = copy.deepcopy(memory)
        context = moment(
            step, 2, dict(memory), lambda x: x.mean((1, 2, 3)), lambda *a: -real, r_t=0.9
        )
        asked(rule, context, linear_game(), real, fake)
        assert same(memory, kept)  # what a checkpoint took from the step before
        memory = context.services.memory
    assert torch.equal(real, REAL) and torch.equal(fake, FAKE)


@every_rule
def test_a_rule_leaves_the_global_generator_alone(rule):
    before = torch.get_rng_state()
    two_steps(rule)
    assert torch.equal(torch.get_rng_state(), before)


@every_rule
def test_a_rule_answers_the_same_when_asked_again(rule, same):
    (first, learn, game), (again, learn_again, game_again) = (
        (answers, memory, game.state_dict())
        for answers, memory, game in (two_steps(rule), two_steps(rule))
    )
    assert same(first, again) and same(learn, learn_again) and same(game, game_again)


@every_rule
def test_what_a_rule_remembers_is_its_own_and_free_of_gradients(rule):
    fake = FAKE.clone().requires_grad_()
    _, memory, _ = two_steps(rule, fake=fake)
    assert all(name.startswith("rule/") for name in memory)
    assert not any(value.requires_grad for value in memory.values())


@every_rule
def test_rules_are_values(rule):
    names = [name for name, field in rule.__dataclass_fields__.items() if field.init]
    again = type(rule)(**{name: getattr(rule, name) for name in names})
    assert again == rule and hash(again) == hash(rule)
    with pytest.raises(AttributeError):
        setattr(rule, names[0], 3)


# Together


def test_together_with_nothing_is_nothing():
    rule = Compose(())
    real, fake = rule.discriminator_batch(REAL, FAKE, FROM)
    assert real is REAL and fake is FAKE
    assert rule.augment(REAL, FROM) is REAL
    assert rule.should_update("G", FROM) and rule.should_update("D", FROM)


def test_order_matters():
    swap, noise = PerfectG(2, sigma=0.1), NoiseOnReals(sigma=0.3, from_epoch=2)
    real, fake = Compose((swap, noise)).discriminator_batch(REAL, FAKE, FROM)
    assert is_normal(real - REAL, 0.3)
    assert is_normal(fake - REAL, 0.1)  # from clean reals
    assert abs(correlation(fake - REAL, real - REAL)) < 5 / math.sqrt(REAL.numel())
    real, fake = Compose((noise, swap)).discriminator_batch(REAL, FAKE, FROM)
    assert is_normal(real - REAL, 0.3)
    assert is_normal(fake - real, 0.1)  # from the noised reals
    assert is_normal(fake - REAL, math.hypot(0.3, 0.1))


def test_views_compose_in_order_and_stay_differentiable():
    @dataclass(frozen=True)
    class Double(Intervention):
        def augment(self, x, context):
            return 2 * x

    noise = InstanceNoise(sigma=0.3)
    x = FAKE.clone().requires_grad_()
    seen = Compose((Double(), noise)).augment(x, FROM)
    assert is_normal((seen - 2 * x).detach(), 0.3)
    seen.sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 2))
    seen = Compose((noise, Double())).augment(FAKE, FROM)
    assert is_normal(seen - 2 * FAKE, 0.6)


@pytest.mark.parametrize(
    "others",
    [(), (PerfectG(2),), (InstanceNoise(0.1),), (PerfectG(2, 0.0), InstanceNoise(0.2))],
    ids=["alone", "PerfectG", "InstanceNoise", "both"],
)
def test_a_part_draws_the_same_beside_any_part_of_another_class(others):
    noise = NoiseOnReals()
    alone, _ = Compose((noise,)).discriminator_batch(REAL, FAKE, FROM)
    for parts in ((noise, *others), (*others, noise)):
        real, _ = Compose(parts).discriminator_batch(REAL, FAKE, FROM)
        assert torch.equal(real, alone)


def test_a_part_appended_shifts_no_draw_of_its_own_class():
    first, second = NoiseOnReals(), NoiseOnReals(from_epoch=3)
    alone, _ = Compose((first,)).discriminator_batch(REAL, FAKE, FROM)
    both, _ = Compose((first, second)).discriminator_batch(REAL, FAKE, FROM)
    assert torch.equal(both, alone)


def test_two_of_one_class_draw_differently():
    noise = NoiseOnReals(sigma=0.1)
    once, _ = Compose((noise,)).discriminator_batch(REAL, FAKE, FROM)
    twice, _ = Compose((noise, noise)).discriminator_batch(REAL, FAKE, FROM)
    first, second = once - REAL, twice - once
    assert is_normal(second, 0.1)
    assert abs(correlation(first, second)) < 5 / math.sqrt(REAL.numel())


def test_a_player_learns_when_every_part_lets_it():
    @dataclass(frozen=True)
    class RestD(Intervention):
        def should_update(self, player, context):
            return player != "D"

    rule = Compose((Intervention(), PerfectG(2), RestD()))
    assert [rule.should_update(p, BEFORE) for p in "GD"] == [True, False]
    assert [rule.should_update(p, FROM) for p in "GD"] == [False, False]


def test_every_part_prepares_in_order_and_under_its_own_name():
    seen = []

    @dataclass(frozen=True)
    class Note(Intervention):
        name: str

        def on_step_start(self, game, context):
            seen.append((self.name, game, context.scope))

    Compose((Note("a"), Intervention(), Note("b"))).on_step_start(
        "the game", FROM.within("prepare")
    )
    assert seen == [
        ("a", "the game", "/prepare/Note.0"),
        ("b", "the game", "/prepare/Note.1"),
    ]


@dataclass(frozen=True)
class CoinFlip(Intervention):
    """Each player sits out every other turn, at random."""

    def should_update(self, player, context):
        return torch.rand((), generator=context.rng("coin")).item() < 0.5


def test_draws_of_may_learn_are_kept_apart_by_name():
    """Two independent coins both fall well in a quarter of the steps, not in half of them."""
    two = Compose((CoinFlip(), CoinFlip()))
    both = sum(two.should_update("G", StepContext(0, 0, step)) for step in range(1000))
    assert abs(both - 250) < 5 * math.sqrt(1000 * 0.25 * 0.75)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((), 0), ((PerfectG(5),), 5), ((PerfectG(5), NoiseOnReals(from_epoch=3)), 3)],
)
def test_together_acts_from_its_first_part_on(parts, expected):
    assert Compose(parts).first_epoch() == expected


def test_the_turn_of_G_goes_from_part_to_part_beside_Gs_own_fakes():
    heard = []

    @dataclass(frozen=True)
    class Halve(Intervention):
        def generator_batch(self, own, shown, context):
            heard.append((own is FAKE, shown, context.scope))
            return shown / 2

    @dataclass(frozen=True)
    class Own(Intervention):
        def generator_batch(self, own, shown, context):
            return own

    assert torch.equal(Compose((Halve(), Halve())).generator_batch(FAKE, REAL, FROM), REAL / 4)
    assert [(own, scope) for own, _, scope in heard] == [(True, "/Halve.0"), (True, "/Halve.1")]
    assert heard[0][1] is REAL and torch.equal(heard[1][1], REAL / 2)
    assert Compose((Halve(), Own())).generator_batch(FAKE, REAL, FROM) is FAKE
    assert Compose(()).generator_batch(FAKE, REAL, FROM) is REAL


@dataclass(frozen=True)
class Tally(Intervention):
    """Counts how often it was asked, through every hook."""

    by: float = 1.0

    def _count(self, context):
        context.remember("asked", context.recall("asked") + self.by)

    def on_step_start(self, game, context):
        self._count(context)

    def discriminator_batch(self, real, fake, context):
        self._count(context)
        return real, fake

    def generator_batch(self, own, shown, context):
        self._count(context)
        return shown

    def augment(self, x, context):
        self._count(context)
        return x

    def should_update(self, player, context):
        self._count(context)
        return True


def test_parts_share_a_memory_with_themselves_through_every_seam_and_with_no_one_else():
    rule = Compose((Tally(), Tally(10.0), Compose((Tally(100.0), PerfectG(2)))))
    memory = {}
    asked(rule, moment(memory=memory, owner="run"), None)  # eight questions
    assert {name: value.item() for name, value in memory.items()} == {
        "run/Tally.0/asked": 8,
        "run/Tally.1/asked": 80,
        "run/Together.0/Tally.0/asked": 800,
    }


def test_perfect_g_then_lies_then_noise_and_in_another_order(same):
    """Written out by hand, from the addresses of the draws."""

    def noise(scope: str, sigma: float, x: torch.Tensor) -> torch.Tensor:
        rng = torch.Generator().manual_seed(context.within(scope).rng("noise").initial_seed())
        return x + sigma * torch.randn(x.shape, generator=rng)

    context = StepContext(0, 2, 200)
    perfect = PerfectG(2, sigma=0.1)
    lies = RealsAmongFakes(t=6, sigma=0.3, from_epoch=2)
    everywhere = InstanceNoise(sigma=0.2, from_epoch=2)
    almost = noise("batches/PerfectG.0", 0.1, REAL)
    lied = noise("batches/RealsAmongFakes.0", 0.3, REAL[:6])

    (real, fake, seen_real, seen_fake, judged, seen_own), learn = asked(
        Compose((perfect, lies, everywhere)), context, None
    )
    assert learn == [True, False]
    assert real is REAL and judged is FAKE
    assert torch.equal(fake, torch.cat([lied, almost[6:]]))
    assert torch.equal(seen_real, noise("view/D/real/InstanceNoise.0", 0.2, REAL))
    assert torch.equal(seen_fake, noise("view/D/fake/InstanceNoise.0", 0.2, fake))
    assert torch.equal(seen_own, noise("view/G/fake/InstanceNoise.0", 0.2, FAKE))

    (real, fake, *_), _ = asked(Compose((everywhere, lies, perfect)), context, None)
    assert real is REAL and torch.equal(fake, almost)  # the lies gave way to a perfect G

"""Each intervention: nothing before its epoch, its rule after it, and refusals of nonsense.

The twins of whole runs are in training/test_loop.py.
"""

import math
from dataclasses import dataclass

import pytest
import torch

from bascule.errors import Refusal
from bascule.interventions import (
    InstanceNoise,
    Intervention,
    NoiseOnReals,
    PerfectG,
    Together,
)
from bascule.laws import Anneal, Uniform, draw
from bascule.now import Now

RNG = torch.Generator().manual_seed(0)
REAL, FAKE = torch.rand(2, 16, 3, 24, 24, generator=RNG).mul(2).sub(1).unbind()
BEFORE, FROM = Now(0, 1, 100), Now(0, 2, 200)  # the rules below act from epoch 2
RULES = [PerfectG(at_epoch=2), NoiseOnReals(from_epoch=2), InstanceNoise(from_epoch=2)]


def is_normal(noise: torch.Tensor, sigma: float) -> bool:
    """Whether ``noise`` looks N(0, sigma): its moments lie within 5 standard errors."""
    x = noise.double() / sigma
    n = x.numel()
    return bool(
        abs(x.mean()) < 5 / math.sqrt(n)
        and abs(x.std() - 1) < 5 / math.sqrt(2 * n)
        and abs((x**4).mean() - 3) < 5 * math.sqrt(96 / n)
    )


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


# the base


def test_an_intervention_changes_nothing_unless_it_says_so():
    rule = Intervention()
    assert rule.prepare(None, FROM) is None
    real, fake = rule.batches(REAL, FAKE, FROM)
    assert real is REAL and fake is FAKE
    assert rule.view(REAL, FROM) is REAL
    assert rule.may_learn("G", FROM) and rule.may_learn("D", FROM)
    assert rule.acts_from() == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_before_its_epoch_a_rule_changes_nothing(rule):
    assert rule.acts_from() == 2
    real, fake = rule.batches(REAL, FAKE, BEFORE)
    assert real is REAL and fake is FAKE
    assert rule.view(REAL, BEFORE) is REAL
    assert rule.may_learn("G", BEFORE) and rule.may_learn("D", BEFORE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_acts_from_the_first_step_of_its_epoch_on(rule):
    def shown(now):
        return [*rule.batches(REAL, FAKE, now), rule.view(REAL, now)]

    for epoch in (2, 3, 50):
        assert not all(map(torch.equal, shown(Now(0, epoch, 7)), shown(BEFORE)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_alters_no_tensor_in_place(rule):
    real, fake = REAL.clone(), FAKE.clone()
    rule.batches(real, fake, FROM)
    rule.view(real, FROM)
    assert torch.equal(real, REAL) and torch.equal(fake, FAKE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_leaves_the_global_generator_alone(rule):
    before = torch.get_rng_state()
    rule.batches(REAL, FAKE, FROM)
    rule.view(REAL, FROM)
    assert torch.equal(torch.get_rng_state(), before)


# PerfectG


def test_perfect_g_shows_the_same_reals_plus_noise_of_one_sigma():
    rule = PerfectG(at_epoch=2, sigma=Uniform(0.0, 0.1))
    real, fake = rule.batches(REAL, FAKE, FROM)
    assert real is REAL
    sigma = draw(Uniform(0.0, 0.1), FROM.within("sigma"))
    assert is_normal(fake - REAL, sigma)
    per_image = (fake - REAL).flatten(1).std(dim=1)
    assert per_image.max() / per_image.min() < 1.3  # one sigma for the whole batch


def test_perfect_g_draws_another_sigma_and_other_noise_each_step():
    rule = PerfectG(at_epoch=2, sigma=Uniform(0.0, 0.1))
    noises = [rule.batches(REAL, FAKE, Now(0, 2, step))[1] - REAL for step in range(200, 260)]
    sigmas = torch.stack([noise.std() for noise in noises])
    assert sigmas.min() >= 0 and sigmas.max() < 0.1 * 1.02
    assert abs(sigmas.mean() - 0.05) < 5 * 0.1 / math.sqrt(12 * 60)
    assert sigmas.std() > 0.02  # a uniform law on [0, 0.1] has 0.029
    assert abs(correlation(noises[0], noises[1])) < 5 / math.sqrt(REAL.numel())


def test_perfect_g_with_a_number_or_an_annealed_sigma():
    _, fake = PerfectG(2, sigma=0.3).batches(REAL, FAKE, FROM)
    assert is_normal(fake - REAL, 0.3)
    _, fake = PerfectG(2, sigma=Anneal(0.4, 0.0, until_epoch=4)).batches(REAL, FAKE, FROM)
    assert is_normal(fake - REAL, 0.2)
    _, fake = PerfectG(2, sigma=0).batches(REAL, FAKE, FROM)
    assert torch.equal(fake, REAL)


def test_noise_is_not_clipped():
    _, fake = PerfectG(2, sigma=0.5).batches(REAL, FAKE, FROM)
    assert fake.max() > 1.5 and fake.min() < -1.5


def test_under_perfect_g_G_rests_and_D_learns():
    rule = PerfectG(at_epoch=2)
    assert [rule.may_learn("G", Now(0, e, e)) for e in range(4)] == [True, True, False, False]
    assert all(rule.may_learn("D", Now(0, e, e)) for e in range(4))
    assert rule.view(REAL, FROM) is REAL


# NoiseOnReals


def test_noise_on_reals_touches_the_reals_alone():
    rule = NoiseOnReals(sigma=0.2, from_epoch=2)
    real, fake = rule.batches(REAL, FAKE, FROM)
    assert fake is FAKE
    assert is_normal(real - REAL, 0.2)
    assert rule.view(REAL, FROM) is REAL
    assert rule.may_learn("G", FROM) and rule.may_learn("D", FROM)


def test_noise_on_reals_acts_from_the_start_by_default():
    real, _ = NoiseOnReals(sigma=0.2).batches(REAL, FAKE, Now(0, 0, 0))
    assert is_normal(real - REAL, 0.2)


# InstanceNoise


def test_instance_noise_is_seen_and_not_shown():
    rule = InstanceNoise(sigma=0.2, from_epoch=2)
    real, fake = rule.batches(REAL, FAKE, FROM)
    assert real is REAL and fake is FAKE
    assert is_normal(rule.view(REAL, FROM) - REAL, 0.2)
    assert rule.may_learn("G", FROM) and rule.may_learn("D", FROM)


def test_instance_noise_lets_every_gradient_through_unchanged():
    x = FAKE.clone().requires_grad_()
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    (InstanceNoise(sigma=0.2).view(x, FROM) * weight).sum().backward()
    assert torch.equal(x.grad, weight)


def test_each_view_has_its_own_noise_and_sigma():
    rule = InstanceNoise(sigma=Uniform(0.0, 0.1))
    scopes = ("view/D/real", "view/D/fake", "view/G/fake")
    noises = [rule.view(FAKE, FROM.within(scope)) - FAKE for scope in scopes]
    assert len({round(noise.std().item(), 6) for noise in noises}) == 3
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(correlation(noises[a], noises[b])) < 5 / math.sqrt(FAKE.numel())


# Together


def test_together_with_nothing_is_nothing():
    rule = Together(())
    real, fake = rule.batches(REAL, FAKE, FROM)
    assert real is REAL and fake is FAKE
    assert rule.view(REAL, FROM) is REAL
    assert rule.may_learn("G", FROM) and rule.may_learn("D", FROM)


def test_order_matters():
    swap, noise = PerfectG(2, sigma=0.1), NoiseOnReals(sigma=0.3, from_epoch=2)
    real, fake = Together((swap, noise)).batches(REAL, FAKE, FROM)
    assert is_normal(real - REAL, 0.3)
    assert is_normal(fake - REAL, 0.1)  # from clean reals
    assert abs(correlation(fake - REAL, real - REAL)) < 5 / math.sqrt(REAL.numel())
    real, fake = Together((noise, swap)).batches(REAL, FAKE, FROM)
    assert is_normal(real - REAL, 0.3)
    assert is_normal(fake - real, 0.1)  # from the noised reals
    assert is_normal(fake - REAL, math.hypot(0.3, 0.1))


def test_views_compose_in_order_and_stay_differentiable():
    @dataclass(frozen=True)
    class Double(Intervention):
        def view(self, x, now):
            return 2 * x

    noise = InstanceNoise(sigma=0.3)
    x = FAKE.clone().requires_grad_()
    seen = Together((Double(), noise)).view(x, FROM)
    assert is_normal((seen - 2 * x).detach(), 0.3)
    seen.sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 2))
    seen = Together((noise, Double())).view(FAKE, FROM)
    assert is_normal(seen - 2 * FAKE, 0.6)


@pytest.mark.parametrize(
    "others",
    [(), (PerfectG(2),), (InstanceNoise(0.1),), (PerfectG(2, 0.0), InstanceNoise(0.2))],
    ids=["alone", "PerfectG", "InstanceNoise", "both"],
)
def test_a_part_draws_the_same_beside_any_part_of_another_class(others):
    noise = NoiseOnReals()
    alone, _ = Together((noise,)).batches(REAL, FAKE, FROM)
    for parts in ((noise, *others), (*others, noise)):
        real, _ = Together(parts).batches(REAL, FAKE, FROM)
        assert torch.equal(real, alone)


def test_a_part_appended_shifts_no_draw_of_its_own_class():
    first, second = NoiseOnReals(), NoiseOnReals(from_epoch=3)
    alone, _ = Together((first,)).batches(REAL, FAKE, FROM)
    both, _ = Together((first, second)).batches(REAL, FAKE, FROM)
    assert torch.equal(both, alone)


def test_two_of_one_class_draw_differently():
    noise = NoiseOnReals(sigma=0.1)
    once, _ = Together((noise,)).batches(REAL, FAKE, FROM)
    twice, _ = Together((noise, noise)).batches(REAL, FAKE, FROM)
    first, second = once - REAL, twice - once
    assert is_normal(second, 0.1)
    assert abs(correlation(first, second)) < 5 / math.sqrt(REAL.numel())


def test_a_player_learns_when_every_part_lets_it():
    @dataclass(frozen=True)
    class RestD(Intervention):
        def may_learn(self, player, now):
            return player != "D"

    rule = Together((Intervention(), PerfectG(2), RestD()))
    assert [rule.may_learn(p, BEFORE) for p in "GD"] == [True, False]
    assert [rule.may_learn(p, FROM) for p in "GD"] == [False, False]


def test_every_part_prepares_in_order_and_under_its_own_name():
    seen = []

    @dataclass(frozen=True)
    class Note(Intervention):
        name: str

        def prepare(self, game, now):
            seen.append((self.name, game, now.scope))

    Together((Note("a"), Intervention(), Note("b"))).prepare("the game", FROM.within("prepare"))
    assert seen == [
        ("a", "the game", "/prepare/Note.0"),
        ("b", "the game", "/prepare/Note.1"),
    ]


@dataclass(frozen=True)
class CoinFlip(Intervention):
    """Each player sits out every other turn, at random."""

    def may_learn(self, player, now):
        return torch.rand((), generator=now.rng("coin")).item() < 0.5


def test_draws_of_may_learn_are_kept_apart_by_name():
    """Two independent coins both fall well in a quarter of the steps, not in half of them."""
    two = Together((CoinFlip(), CoinFlip()))
    both = sum(two.may_learn("G", Now(0, 0, step)) for step in range(1000))
    assert abs(both - 250) < 5 * math.sqrt(1000 * 0.25 * 0.75)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((), 0), ((PerfectG(5),), 5), ((PerfectG(5), NoiseOnReals(from_epoch=3)), 3)],
)
def test_together_acts_from_its_first_part_on(parts, expected):
    assert Together(parts).acts_from() == expected


# refusals and values


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: PerfectG(at_epoch=-1), r"PerfectG\(at_epoch=-1\): expected an epoch >= 0"),
        (lambda: NoiseOnReals(from_epoch=-2), r"NoiseOnReals\(from_epoch=-2\): expected an epoch"),
        (lambda: InstanceNoise(from_epoch=-2), r"InstanceNoise\(from_epoch=-2\): expected"),
        (lambda: PerfectG(1, sigma=-0.1), r"PerfectG\(sigma=-0.1\): expected a number >= 0"),
        (lambda: NoiseOnReals(sigma=-0.1), r"NoiseOnReals\(sigma=-0.1\): expected a number >= 0"),
        (lambda: InstanceNoise(-1), r"InstanceNoise\(sigma=-1.0\): expected a number >= 0"),
        (lambda: InstanceNoise(math.nan), r"sigma=nan in InstanceNoise: .* finite"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, said):
    with pytest.raises(Refusal, match=said) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("epoch", [2.5, "2", None])
@pytest.mark.parametrize("rule", [PerfectG, lambda e: NoiseOnReals(from_epoch=e)])
def test_an_epoch_is_a_whole_number(rule, epoch):
    with pytest.raises(Refusal):
        rule(epoch)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_rules_are_values(rule):
    again = type(rule)(**{name: getattr(rule, name) for name in rule.__dataclass_fields__})
    assert again == rule and hash(again) == hash(rule)
    with pytest.raises(AttributeError):
        rule.sigma = 3.0

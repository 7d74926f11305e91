"""Noise and the perfect G: what D is shown, by which law, and refusals of nonsense.

What every rule keeps (nothing before its epoch, ...) is in test_seams.py; the twins of whole runs
are in training/test_loop.py.
"""

import math

import pytest
import torch

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.schedules import Anneal, Uniform, value_at
from bascule.interventions import Compose, InstanceNoise, NoiseOnReals, PerfectG
from moments import FAKE, FROM, REAL, correlation, is_normal, moment

# PerfectG


def test_perfect_g_shows_the_same_reals_plus_noise_of_one_sigma():
    rule = PerfectG(at_epoch=2, sigma=Uniform(0.0, 0.1))
    real, fake = rule.discriminator_batch(REAL, FAKE, FROM)
    assert real is REAL
    sigma = value_at(Uniform(0.0, 0.1), FROM.within("sigma"))
    assert is_normal(fake - REAL, sigma)
    per_image = (fake - REAL).flatten(1).std(dim=1)
    assert per_image.max() / per_image.min() < 1.3  # one sigma for the whole batch


def test_perfect_g_draws_another_sigma_and_other_noise_each_step():
    rule = PerfectG(at_epoch=2, sigma=Uniform(0.0, 0.1))
    noises = [
        rule.discriminator_batch(REAL, FAKE, StepContext(0, 2, step))[1] - REAL
        for step in range(200, 260)
    ]
    sigmas = torch.stack([noise.std() for noise in noises])
    assert sigmas.min() >= 0 and sigmas.max() < 0.1 * 1.02
    assert abs(sigmas.mean() - 0.05) < 5 * 0.1 / math.sqrt(12 * 60)
    assert sigmas.std() > 0.02  # a uniform law on [0, 0.1] has 0.029
    assert abs(correlation(noises[0], noises[1])) < 5 / math.sqrt(REAL.numel())


def test_perfect_g_with_a_number_or_an_annealed_sigma():
    _, fake = PerfectG(2, sigma=0.3).discriminator_batch(REAL, FAKE, FROM)
    assert is_normal(fake - REAL, 0.3)
    _, fake = PerfectG(2, sigma=Anneal(0.4, 0.0, until_epoch=4)).discriminator_batch(
        REAL, FAKE, FROM
    )
    assert is_normal(fake - REAL, 0.2)
    _, fake = PerfectG(2, sigma=0).discriminator_batch(REAL, FAKE, FROM)
    assert torch.equal(fake, REAL)


def test_noise_is_not_clipped():
    _, fake = PerfectG(2, sigma=0.5).discriminator_batch(REAL, FAKE, FROM)
    assert fake.max() > 1.5 and fake.min() < -1.5


def test_under_perfect_g_G_rests_and_D_learns():
    rule = PerfectG(at_epoch=2)
    assert [rule.should_update("G", StepContext(0, e, e)) for e in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert all(rule.should_update("D", StepContext(0, e, e)) for e in range(4))
    assert rule.augment(REAL, FROM) is REAL


@pytest.mark.parametrize("of", ["other", "held_out"])
def test_perfect_g_of_other_pictures_asks_for_as_many_and_noises_them(of):
    asked = []

    def pictures(split, n, context):
        asked.append((split, n, context.scope))
        return -REAL

    context = moment(pictures=pictures)
    real, fake = PerfectG(at_epoch=2, sigma=0.1, of=of).discriminator_batch(REAL, FAKE, context)
    assert asked == [(of, 16, "/rule")]
    assert real is REAL
    _, same = PerfectG(at_epoch=2, sigma=0.1).discriminator_batch(REAL, FAKE, context)
    assert is_normal(fake + REAL, 0.1)
    torch.testing.assert_close(fake + REAL, same - REAL, rtol=0, atol=1e-6)  # the very same noise


def test_perfect_g_shows_held_out_pictures_only_where_it_says_so():
    rules = {of: PerfectG(3, of=of) for of in ("same", "other", "held_out")}
    assert [rule.uses_held_out() for rule in rules.values()] == [False, False, True]
    assert not rules["other"].should_update("G", StepContext(0, 3, 9))
    assert Compose((rules["same"], rules["held_out"])).uses_held_out()
    assert not Compose((rules["same"], rules["other"])).uses_held_out()


# NoiseOnReals


def test_noise_on_reals_touches_the_reals_alone():
    rule = NoiseOnReals(sigma=0.2, from_epoch=2)
    real, fake = rule.discriminator_batch(REAL, FAKE, FROM)
    assert fake is FAKE
    assert is_normal(real - REAL, 0.2)
    assert rule.augment(REAL, FROM) is REAL
    assert rule.should_update("G", FROM) and rule.should_update("D", FROM)


def test_noise_on_reals_acts_from_the_start_by_default():
    real, _ = NoiseOnReals(sigma=0.2).discriminator_batch(REAL, FAKE, StepContext(0, 0, 0))
    assert is_normal(real - REAL, 0.2)


# InstanceNoise


def test_instance_noise_is_seen_and_not_shown():
    rule = InstanceNoise(sigma=0.2, from_epoch=2)
    real, fake = rule.discriminator_batch(REAL, FAKE, FROM)
    assert real is REAL and fake is FAKE
    assert is_normal(rule.augment(REAL, FROM) - REAL, 0.2)
    assert rule.should_update("G", FROM) and rule.should_update("D", FROM)


def test_instance_noise_lets_every_gradient_through_unchanged():
    x = FAKE.clone().requires_grad_()
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    (InstanceNoise(sigma=0.2).augment(x, FROM) * weight).sum().backward()
    assert torch.equal(x.grad, weight)


def test_each_view_has_its_own_noise_and_sigma():
    rule = InstanceNoise(sigma=Uniform(0.0, 0.1))
    scopes = ("view/D/real", "view/D/fake", "view/G/fake")
    noises = [rule.augment(FAKE, FROM.within(scope)) - FAKE for scope in scopes]
    assert len({round(noise.std().item(), 6) for noise in noises}) == 3
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(correlation(noises[a], noises[b])) < 5 / math.sqrt(FAKE.numel())


# refusals


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
        (lambda: PerfectG(1, of="mine"), r"of='mine' in PerfectG: .*'same', 'other' or 'held_out'"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, said):
    with pytest.raises(UserError, match=said) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("epoch", [2.5, "2", None])
@pytest.mark.parametrize("rule", [PerfectG, lambda e: NoiseOnReals(from_epoch=e)])
def test_an_epoch_is_a_whole_number(rule, epoch):
    with pytest.raises(UserError):
        rule(epoch)

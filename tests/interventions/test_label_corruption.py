"""Lies to D: who is called what, by which law, and refusals of nonsense."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.util import view_as_blocks

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.schedules import Anneal, Uniform
from bascule.interventions import (
    FakeHistory,
    FakesAmongReals,
    NegativeAugmentation,
    PseudoAugmentation,
    RealsAmongFakes,
)
from bascule.interventions.label_corruption import jigsaw
from moments import FAKE, FROM, REAL, correlation, is_normal, moment


def numbered(first: int, n: int = 16) -> torch.Tensor:
    """Images that are their number everywhere, so that one tells which it is."""
    return torch.arange(first, first + n).float().view(n, 1, 1, 1).expand(n, 3, 24, 24).contiguous()


def who(x: torch.Tensor) -> list[int]:
    assert (x == x[:, :1, :1, :1]).all()
    return x[:, 0, 0, 0].int().tolist()


# RealsAmongFakes


def test_the_first_reals_take_the_place_of_the_first_fakes():
    real, fake = RealsAmongFakes(t=6, from_epoch=2).discriminator_batch(REAL, FAKE, FROM)
    assert real is REAL
    assert torch.equal(fake, torch.cat([REAL[:6], FAKE[6:]]))
    _, all_of_them = RealsAmongFakes(t=16).discriminator_batch(REAL, FAKE, FROM)
    assert torch.equal(all_of_them, REAL)


def test_reals_among_fakes_carry_noise_of_one_sigma_and_the_fakes_none():
    rule = RealsAmongFakes(t=6, sigma=Anneal(0.4, 0.0, until_epoch=4))
    _, fake = rule.discriminator_batch(REAL, FAKE, FROM)
    assert is_normal(fake[:6] - REAL[:6], 0.2)
    assert torch.equal(fake[6:], FAKE[6:])
    noises = [
        RealsAmongFakes(t=6, sigma=Uniform(0.1, 0.3)).discriminator_batch(
            REAL, FAKE, StepContext(0, 2, k)
        )[1][:6]
        - REAL[:6]
        for k in range(40)
    ]
    sigmas = torch.stack([noise.std() for noise in noises])
    assert 0.098 < sigmas.min() < 0.14 and 0.26 < sigmas.max() < 0.306
    assert abs(correlation(noises[0], noises[1])) < 5 / math.sqrt(noises[0].numel())


@pytest.mark.parametrize("G_sees", [False, True])
def test_every_so_manieth_step_counted_over_the_whole_run(G_sees):
    rule = RealsAmongFakes(t=6, from_epoch=2, every_steps=3, G_sees=G_sees)
    for step in range(195, 210):
        context = StepContext(0, 2, step)
        _, fake = rule.discriminator_batch(REAL, FAKE, context)
        judged = rule.generator_batch(FAKE, fake, context)
        if step in (195, 198, 201, 204, 207):
            assert torch.equal(fake[:6], REAL[:6])
            assert judged is (fake if G_sees else FAKE)
        else:
            assert fake is FAKE and judged is fake


def test_outside_its_steps_G_is_judged_by_what_earlier_rules_left():
    rule = RealsAmongFakes(t=6, every_steps=2)
    assert rule.generator_batch(FAKE, REAL, StepContext(0, 0, 1)) is REAL
    assert rule.generator_batch(FAKE, REAL, StepContext(0, 0, 2)) is FAKE


def test_no_fake_that_gave_way_teaches_G():
    fake = FAKE.clone().requires_grad_()
    context = StepContext(0, 2, 200)
    rule = RealsAmongFakes(t=6, sigma=0.1, G_sees=True)
    rule.generator_batch(
        fake, rule.discriminator_batch(REAL, fake, context)[1], context
    ).sum().backward()
    assert fake.grad[:6].eq(0).all() and fake.grad[6:].eq(1).all()


# FakesAmongReals


def test_exactly_the_favourites_of_D_take_the_place_of_the_first_reals():
    scores = torch.tensor([3, 11, 0, 7, 15, 2, 9, 14, 1, 5, 13, 4, 8, 12, 6, 10]).float()
    asked = []

    def judge(x):
        asked.append(x)
        return scores

    real, fake = FakesAmongReals(t=5, from_epoch=2).discriminator_batch(
        REAL, FAKE, moment(judge=judge)
    )
    assert fake is FAKE and len(asked) == 1 and asked[0] is FAKE
    assert torch.equal(real[5:], REAL[5:])
    favourites = [4, 7, 10, 13, 1]  # scores 15, 14, 13, 12, 11
    shown = {picture.numpy().tobytes() for picture in real[:5]}
    assert shown == {FAKE[k].numpy().tobytes() for k in favourites}


def test_fakes_among_reals_bring_no_gradient_along():
    fake = FAKE.clone().requires_grad_()
    context = moment(judge=lambda x: x.detach().mean((1, 2, 3)))
    real, shown = FakesAmongReals(t=16).discriminator_batch(REAL, fake, context)
    assert not real.requires_grad and shown is fake


# PseudoAugmentation


def test_p_goes_its_pace_and_no_real_gives_way_while_it_is_0():
    rule, memory, ps = PseudoAugmentation(speed_images=64), {}, []
    for step, r_t in enumerate([None, 0.5, 0.7, 0.7, 0.7, 0.5, 0.7, 0.7, 0.7]):
        context = moment(step, memory=memory, **({} if r_t is None else {"r_t": r_t}))
        real, fake = rule.discriminator_batch(REAL, FAKE, context)
        assert fake is FAKE
        ps.append(memory["rule/p"].item())
        assert torch.equal(real, REAL) or ps[-1] > 0
    assert ps == [0, 0, 0.25, 0.5, 0.75, 0.5, 0.75, 1, 1]  # 16 of 64 images a step
    assert {x.numpy().tobytes() for x in real} == {x.numpy().tobytes() for x in FAKE}  # p = 1


def test_each_real_gives_way_with_probability_p_to_any_fake_of_the_step():
    rule, p = PseudoAugmentation(target=0.5), 0.3
    real, fake, steps = numbered(0), numbered(100), 400
    places, which = [], Counter()
    for step in range(steps):
        memory = {"rule/p": torch.tensor(p, dtype=torch.float64)}
        shown, _ = rule.discriminator_batch(real, fake, moment(step, memory=memory, r_t=0.5))
        told = who(shown)
        assert all(a == k or a >= 100 for k, a in enumerate(told))
        lies = [a for a in told if a >= 100]
        assert len(set(lies)) == len(lies)
        places.append([a >= 100 for a in told])
        which.update(lies)
    places = np.array(places)
    error = math.sqrt(p * (1 - p) / steps)
    assert abs(places.mean() - p) < 4 * error / 4  # of 16 places
    assert np.abs(places.mean(0) - p).max() < 4 * error
    binomial = stats.binom(16, p).var()  # independently of one another
    assert abs(places.sum(1).var() - binomial) < 5 * binomial * math.sqrt(2 / steps)
    assert set(which) == set(range(100, 116))
    assert stats.chisquare(list(which.values())).pvalue > 1e-3


def test_pseudo_reals_bring_no_gradient_along():
    fake = FAKE.clone().requires_grad_()
    context = moment(memory={"rule/p": torch.tensor(1.0)}, r_t=1.0)
    real, shown = PseudoAugmentation().discriminator_batch(REAL, fake, context)
    assert not real.requires_grad and shown is fake


# NegativeAugmentation


@pytest.mark.parametrize(("share", "n"), [(0.25, 4), (0.01, 1), (0.6, 10), (1.0, 16)])
def test_a_share_of_the_fakes_are_broken_reals_of_the_step(share, n):
    rule = NegativeAugmentation(share, from_epoch=2)
    real, fake = rule.discriminator_batch(REAL, FAKE, FROM)
    assert real is REAL and fake.shape == FAKE.shape
    assert torch.equal(fake[n:], FAKE[n:])
    for k in range(n):
        assert not torch.equal(fake[k], REAL[k])
        assert torch.equal(fake[k].flatten().sort().values, REAL[k].flatten().sort().values)
    assert rule.generator_batch(FAKE, fake, FROM) is FAKE


def tiles_of(image: torch.Tensor, grid: int) -> list[bytes]:
    """The tiles of (C, H, W), row by row, as skimage cuts them."""
    c, h, w = image.shape
    blocks = view_as_blocks(image.numpy(), (c, h // grid, w // grid))[0]
    return [blocks[i, j].tobytes() for i in range(grid) for j in range(grid)]


@pytest.mark.parametrize("grid", [2, 3, 4, 8])
def test_a_jigsaw_is_all_its_tiles_in_an_order_that_is_not_its_own(grid):
    broken = jigsaw(REAL, grid, FROM.rng("jigsaw"))
    orders = set()
    for before, after in zip(REAL, broken, strict=True):
        whole = tiles_of(before, grid)
        order = tuple(whole.index(tile) for tile in tiles_of(after, grid))
        assert sorted(order) == list(range(grid * grid)) != list(order)
        orders.add(order)
    assert len(orders) > 8  # one order an image


def test_every_wrong_order_is_as_likely_as_the_next_but_one():
    tiles = torch.arange(4).view(1, 1, 2, 2).expand(6000, 1, 2, 2)
    orders = Counter(map(tuple, jigsaw(tiles, 2, FROM.rng("many")).flatten(1).tolist()))
    assert len(orders) == 23 and (0, 1, 2, 3) not in orders
    turned = orders.pop((3, 0, 1, 2))  # it stands for the right order too
    assert abs(turned - 500) < 5 * math.sqrt(6000 / 12 * 11 / 12)
    assert stats.chisquare(list(orders.values())).pvalue > 1e-3


def test_a_jigsaw_of_oblong_images():
    x = torch.arange(2 * 3 * 4 * 6).float().view(2, 3, 4, 6)
    broken = jigsaw(x, 2, FROM.rng("jigsaw"))
    for before, after in zip(x, broken, strict=True):
        assert sorted(tiles_of(after, 2)) == sorted(tiles_of(before, 2))


# FakeHistory


def played(rule, steps):
    """What D is shown as fake in each step, and the pool after it, by number."""
    memory, shown, pools = {}, [], []
    for step in range(steps):
        own = numbered(16 * step)
        real, fake = rule.discriminator_batch(REAL, own, moment(step, memory=memory))
        assert real is REAL and fake.shape == own.shape
        shown.append(who(fake))
        pools.append(who(memory["rule/pool"]))
    return shown, pools


def test_the_pool_fills_and_until_then_D_is_shown_the_fakes_of_the_step():
    shown, pools = played(FakeHistory(size=40), 3)
    assert shown == [list(range(16 * k, 16 * k + 16)) for k in range(3)]
    assert pools == [list(range(16)), list(range(32)), list(range(40))]
    memory = {}
    _, fake = FakeHistory(size=40).discriminator_batch(REAL, FAKE, moment(memory=memory))
    assert fake is FAKE
    assert memory["rule/pool"].data_ptr() != FAKE.data_ptr()  # a copy: G's output may be reused


@pytest.mark.parametrize(("share", "old"), [(0.5, 8), (0.25, 4), (0.01, 1), (1.0, 16)])
def test_a_full_pool_gives_a_share_of_the_fakes_and_takes_as_many(share, old):
    shown, pools = played(FakeHistory(size=40, share=share), 12)
    for step in range(3, 12):
        context, before, after = shown[step], pools[step - 1], pools[step]
        earlier = [k for k in context if k < 16 * step]
        assert len(earlier) == old and len(set(context)) == 16
        assert set(earlier) <= set(before)
        changed = [a for a, b in zip(after, before, strict=True) if a != b]
        assert len(after) == 40 and len(changed) == old == len(set(changed))
        assert all(16 * step <= k < 16 * step + 16 for k in changed)


def test_the_ages_in_the_pool_follow_the_law_of_random_replacement():
    """8 of 40 places go each step: a fake is still there after n steps with probability 0.8^n."""
    steps = 600
    shown, pools = played(FakeHistory(size=40), steps)
    late = range(100, steps)
    ages = np.array([[step - k // 16 for k in pools[step]] for step in late])
    for n in (1, 2, 5, 10):
        assert abs((ages >= n).mean() - 0.8**n) < 0.02
    drawn = np.array([step - k // 16 for step in late for k in shown[step] if k < 16 * step])
    assert abs(drawn.mean() - 5) < 0.4  # steps in the pool: mean of a geometric law
    # Who is shown and who leaves is drawn apart: of 8 shown, 8 x 8 / 40 leave on average.
    left = [len(set(shown[k]) & (set(pools[k - 1]) - set(pools[k]))) for k in late]
    assert abs(np.mean(left) - 1.6) < 5 * stats.hypergeom(40, 8, 8).std() / math.sqrt(len(left))


def test_a_pool_smaller_than_a_batch():
    shown, pools = played(FakeHistory(size=5, share=1.0), 4)
    assert pools[0] == [0, 1, 2, 3, 4] and len(pools[-1]) == 5
    assert sorted(k for k in shown[1] if k < 16) == [0, 1, 2, 3, 4]
    assert pools[1] != pools[0] and all(16 <= k < 32 for k in pools[1])


def test_G_is_judged_by_its_own_fakes_and_the_pool_has_no_gradient():
    rule, memory = FakeHistory(size=16), {}
    own = FAKE.clone().requires_grad_()
    for step in range(3):
        context = moment(step, memory=memory)
        _, shown = rule.discriminator_batch(REAL, own, context)
        assert rule.generator_batch(own, shown, context) is own
    assert not shown.requires_grad and not memory["rule/pool"].requires_grad


# refusals


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RealsAmongFakes(t=0), r"RealsAmongFakes\(t=0\): expected a whole number >= 1"),
        (lambda: RealsAmongFakes(every_steps=0), r"RealsAmongFakes\(every_steps=0\): expected"),
        (lambda: RealsAmongFakes(sigma=-0.1), r"RealsAmongFakes\(sigma=-0.1\): expected a number"),
        (lambda: RealsAmongFakes(from_epoch=-1), r"RealsAmongFakes\(from_epoch=-1\): expected an"),
        (lambda: RealsAmongFakes(G_sees=1), r"G_sees=1 in RealsAmongFakes: "),
        (lambda: FakesAmongReals(t=-6), r"FakesAmongReals\(t=-6\): expected a whole number >= 1"),
        (lambda: FakesAmongReals(t=6.0), r"t=6.0 in FakesAmongReals: "),
        (lambda: FakesAmongReals(from_epoch=-1), r"FakesAmongReals\(from_epoch=-1\): expected an"),
        (lambda: PseudoAugmentation(speed_images=0), r"PseudoAugmentation\(speed_images=0\): "),
        (lambda: PseudoAugmentation(target=math.nan), r"target=nan in PseudoAugmentation: "),
        (lambda: PseudoAugmentation(from_epoch=-1), r"PseudoAugmentation\(from_epoch=-1\): "),
        (lambda: NegativeAugmentation(share=0), r"NegativeAugmentation\(share=0.0\): expected a s"),
        (lambda: NegativeAugmentation(share=1.1), r"NegativeAugmentation\(share=1.1\): expected"),
        (lambda: NegativeAugmentation(grid=1), r"NegativeAugmentation\(grid=1\): expected 2 to 8"),
        (lambda: NegativeAugmentation(grid=9), r"NegativeAugmentation\(grid=9\): expected 2 to 8"),
        (lambda: NegativeAugmentation(from_epoch=-1), r"NegativeAugmentation\(from_epoch=-1\): "),
        (lambda: FakeHistory(size=0), r"FakeHistory\(size=0\): expected a whole number >= 1"),
        (lambda: FakeHistory(share=-0.5), r"FakeHistory\(share=-0.5\): expected a share in \(0, 1"),
        (lambda: FakeHistory(from_epoch=-1), r"FakeHistory\(from_epoch=-1\): expected an epoch"),
        (
            lambda: RealsAmongFakes(t=17).discriminator_batch(REAL, FAKE, FROM),
            r"RealsAmongFakes\(t=17\): expected at most the batch size, 16",
        ),
        (
            lambda: FakesAmongReals(t=17).discriminator_batch(REAL, FAKE, FROM),
            r"FakesAmongReals\(t=17\): expected at most the batch size, 16",
        ),
        (
            lambda: NegativeAugmentation(grid=5).discriminator_batch(REAL, FAKE, FROM),
            r"jigsaw of 24 x 24 pixels: 5 tiles a side do not fit",
        ),
    ],
)
def test_bad_values_are_refused_in_one_line(make, said):
    with pytest.raises(UserError, match=said) as refusal:
        make()
    assert "\n" not in str(refusal.value)

"""A D that leads too far begins again: when, with what, and who waits."""

import copy
from dataclasses import replace

import pytest
import torch
from scipy.signal import lfilter

from bascule.core.context import StepContext, generator
from bascule.core.errors import UserError
from bascule.gan.step import gan_step
from bascule.interventions import Intervention, ResetD
from bascule.training.state import begin
from moments import linear_game, moment


def played(rule, scores, game=None):
    """What the rule remembers after each step, where D_x and D_Gz of the step before were these."""
    memory, told = {}, []
    for step, (x, gz) in enumerate(scores):
        context = moment(step, memory=memory, D_x=x, D_Gz=gz)
        rule.on_step_start(game or linear_game(), context.within("prepare"))
        learns = [rule.should_update(player, context.within("may_learn")) for player in "DG"]
        row = {name.removeprefix("rule/"): value.item() for name, value in memory.items()}
        told.append(row | {"learns": learns})
    return told


# when


def test_scores_are_averaged_as_scipys_filter_does():
    u = torch.rand(2, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    told = played(ResetD(1.0, 0.0, over_steps=8), zip(*u.tolist(), strict=True))
    for name, values in zip(("D_x", "D_Gz"), u.float().double(), strict=True):
        expected, _ = lfilter([1 / 8], [1, -7 / 8], values, zi=[7 / 8 * 0.5])
        assert [row[name] for row in told] == pytest.approx(expected.tolist(), rel=1e-12)
    assert told[-1]["resets"] == 0


def test_D_begins_again_when_both_averages_have_crossed():
    """By hand, over 2 steps: averages go half of the way to each score."""
    told = played(ResetD(0.7, 0.2, over_steps=2), [(1.0, 0.0)] * 5)
    assert [row["D_x"] for row in told] == [0.75, 0.5, 0.75, 0.5, 0.75]  # 0.875 > 0.7 is a lead
    assert [row["D_Gz"] for row in told] == [0.25, 0.5, 0.25, 0.5, 0.25]
    assert [row["resets"] for row in told] == [0, 1, 1, 2, 2]
    assert all(row["learns"] == [True, True] for row in told)  # nobody waits unless told


@pytest.mark.parametrize("scores", [(1.0, 0.3), (0.6, 0.0), (0.5, 0.5), (0.0, 1.0)])
def test_one_score_alone_is_no_lead(scores):
    assert played(ResetD(over_steps=1), [scores] * 5)[-1]["resets"] == 0


def test_the_first_step_has_seen_nothing():
    memory = {}
    ResetD(over_steps=1).on_step_start(linear_game(), moment(0, memory=memory))
    told = {name: value.item() for name, value in memory.items()}
    assert told == {"rule/D_x": 0.5, "rule/D_Gz": 0.5, "rule/resets": 0, "rule/waiting": 0}


# with what


@pytest.mark.parametrize("norm_D", ["batch", "spectral"])
def test_a_new_D_is_drawn_as_the_first_was_and_its_optimiser_is_empty(tiny, same, norm_D):
    recipe = tiny.replace(model=replace(tiny.model, norm_D=norm_D))
    game = begin(recipe).trainer.game
    first = copy.deepcopy(game.D.state_dict())
    real = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for step in range(3):
        gan_step(game, real, StepContext(0, 0, step), Intervention())
    kept = copy.deepcopy((game.G.state_dict(), game.opt_G.state_dict()))
    groups = copy.deepcopy(game.opt_D.state_dict()["param_groups"])
    weights = list(game.D.parameters())
    layouts = [w.stride() for w in weights]
    context = moment(3, D_x=0.9, D_Gz=0.1)
    ResetD(over_steps=1).on_step_start(game, context)

    _, fresh = recipe.model.players(generator(0, "/rule/D", 3))
    assert same(dict(game.D.state_dict()), dict(fresh.state_dict()))
    assert not same(dict(game.D.state_dict()), dict(first))
    assert game.opt_D.state_dict()["state"] == {}
    assert game.opt_D.state_dict()["param_groups"] == groups
    assert all(a is b for a, b in zip(weights, game.D.parameters(), strict=True))
    assert [w.stride() for w in weights] == layouts and game.D.training
    assert same(kept, (game.G.state_dict(), game.opt_G.state_dict()))

    gan_step(game, real, StepContext(0, 0, 3), Intervention())
    steps = {int(moments["step"]) for moments in game.opt_D.state_dict()["state"].values()}
    assert steps == {1}  # it learns anew
    assert not same(dict(game.D.state_dict()), dict(fresh.state_dict()))


def test_two_resets_draw_two_Ds():
    game, drawn = linear_game(), []
    for step in range(2):
        ResetD(over_steps=1).on_step_start(game, moment(step, D_x=0.9, D_Gz=0.1))
        drawn.append(game.D.weight.detach().clone())
    assert not torch.equal(*drawn)


def test_a_D_that_does_not_lead_is_left_as_it_is(same):
    game = linear_game()
    before = copy.deepcopy(game.state_dict())
    ResetD(over_steps=1).on_step_start(game, moment(0, D_x=0.69, D_Gz=0.1))
    assert same(game.state_dict(), before)


# who waits


def test_G_waits_until_the_new_D_has_come_so_far():
    rule = ResetD(0.7, 0.2, over_steps=1, wait=(0.6, 0.3))
    scores = [(0.8, 0.1), (0.5, 0.5), (0.65, 0.4), (0.55, 0.2), (0.65, 0.25), (0.5, 0.5), (0.8, 0)]
    told = played(rule, scores)
    assert [row["waiting"] for row in told] == [1, 1, 1, 1, 0, 0, 1]
    assert [row["resets"] for row in told] == [1, 1, 1, 1, 1, 1, 2]
    assert [row["learns"] for row in told] == [[True, not row["waiting"]] for row in told]


def test_a_D_that_leads_at_once_resets_again_and_G_goes_on_waiting():
    told = played(ResetD(over_steps=1, wait=(0.6, 0.3)), [(0.9, 0.1)] * 3)
    assert [(row["resets"], row["waiting"]) for row in told] == [(1, 1), (2, 1), (3, 1)]


# refusals


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ResetD(D_x=0.4), r"ResetD\(D_x, D_Gz = 0.4, 0.2\): expected D_x in \[0.5, 1\]"),
        (lambda: ResetD(D_Gz=0.6), r"ResetD\(D_x, D_Gz = 0.7, 0.6\): .* D_Gz in \[0, 0.5\]"),
        (lambda: ResetD(wait=(1.2, 0.3)), r"ResetD\(wait = 1.2, 0.3\): expected D_x in"),
        (lambda: ResetD(wait=(0.8, 0.3)), r"wait=\(0.8, 0.3\)\): .* G might never learn again"),
        (lambda: ResetD(wait=(0.6, 0.1)), r"wait=\(0.6, 0.1\)\): .* G might never learn again"),
        (lambda: ResetD(wait=0.6), r"wait=\(0.6,\) in ResetD: "),
        (lambda: ResetD(over_steps=0), r"ResetD\(over_steps=0\): expected a whole number >= 1"),
        (lambda: ResetD(from_epoch=-1), r"ResetD\(from_epoch=-1\): expected an epoch >= 0"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, said):
    with pytest.raises(UserError, match=said) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_waiting_may_be_left_out_or_said_either_way():
    assert ResetD().wait is None and ResetD(wait=None) == ResetD()
    assert ResetD(wait=[0.6, 0.3]) == ResetD(wait=(0.6, 0.3))
    hash(ResetD(wait=[0.6, 0.3]))

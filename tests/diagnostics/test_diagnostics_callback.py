"""The callback changes nothing, goes on where it stopped, and measures when it says."""

from dataclasses import dataclass

import pytest
import torch

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.diagnostics.callback import Diagnostics
from bascule.interventions import AdaptiveAugment, Intervention
from bascule.models.dcgan import DCGAN
from bascule.training.loop import Record, Stopped, train
from bascule.training.state import begin


def blobs(n: int, name: str) -> torch.Tensor:
    small = torch.rand(n, 3, 4, 4, generator=generator("blobs", name))
    return (torch.nn.functional.interpolate(small, 32, mode="nearest") * 255).to(torch.uint8)


TRAIN, HELD_OUT = blobs(80, "train"), blobs(56, "held out")


@pytest.fixture(params=["batch", "spectral"])
def recipe(request, tiny):
    """4 epochs of 10 steps; 56 held-out images are enough for all that is measured."""
    return tiny.replace(model=DCGAN(width=4, z_dim=8, size=32, norm_D=request.param))


def measured(recipe, folder, pace_images=1, train_images=TRAIN, held_out=HELD_OUT):
    """The final state, and the rows."""
    state, rows = begin(recipe), []
    callback = Diagnostics(recipe, train_images, held_out, rows.append, folder, pace_images)
    train(state, train_images, [callback])
    return state.state_dict(), rows


def test_a_run_with_and_without_the_callback_is_bit_identical(recipe, tmp_path, same):
    alone = begin(recipe)
    train(alone, TRAIN)
    watched, rows = measured(recipe, tmp_path)
    assert len(rows) == 4
    assert same(alone.state_dict(), watched)


@dataclass(frozen=True)
class CountViews(Intervention):
    """Remembers how often D looked."""

    def augment(self, x, context):
        context.remember("views", context.recall("views") + 1)
        return x


def test_rules_remember_nothing_of_what_is_asked(tiny, tmp_path, same):
    rules = (AdaptiveAugment(target=-1.0, speed_images=150), CountViews())
    recipe = tiny.replace(interventions=rules, lr_D=2e-3)
    alone = begin(recipe)
    train(alone, TRAIN)
    watched, rows = measured(recipe, tmp_path)
    assert len(rows) == 4
    assert same(alone.state_dict(), watched)
    memory = watched["game"]["memory"]
    assert memory["AdaptiveAugment.0/p"] > 0
    assert memory["CountViews.0/views"] == 3 * 40  # three views a step


def test_D_is_asked_with_the_probability_of_the_moment(tiny, tmp_path):
    recipe = tiny.replace(interventions=AdaptiveAugment())
    state = begin(recipe)
    record = Record(4, {"epoch": 3, "step": 40}, state.trainer)
    told = []
    for p in (None, 0.0, 1.0, 1.0):
        state.trainer.game.memory = {} if p is None else {"AdaptiveAugment.0/p": torch.tensor(p)}
        callback = Diagnostics(recipe, TRAIN, HELD_OUT, told.append, tmp_path, 1)
        callback.on_epoch_end(record)
    assert told[0] == told[1] and told[2] == told[3]
    assert all(told[1][name] != told[2][name] for name in ("logit_train", "logit_fake"))


@pytest.mark.parametrize("stop_after", [20, 33])
def test_resume_gives_the_same_rows(recipe, tmp_path, same, stop_after):
    """Also after a stop at an epoch's last step: the new process has no gradient to look at."""
    _, whole = measured(recipe, tmp_path / "whole")
    rows, calls = [], iter(range(1, 1000))

    def callback():
        return Diagnostics(recipe, TRAIN, HELD_OUT, rows.append, tmp_path / "stopped", 1)

    state = begin(recipe)
    with pytest.raises(Stopped):
        train(state, TRAIN, [callback()], must_stop=lambda: next(calls) == stop_after)
    resumed = begin(recipe)
    resumed.load_state_dict(state.state_dict())
    rows[:] = [row for row in rows if row["epoch"] < resumed.epoch]
    train(resumed, TRAIN, [callback()])
    assert rows == whole


def test_old_fakes_of_a_stopped_attempt_are_not_yet_known(tiny, tmp_path):
    """Killed before its first checkpoint was written, and played again from the start."""
    _, first = measured(tiny, tmp_path)
    _, again = measured(tiny, tmp_path)
    assert first == again
    asked = [[name for name in row if name.startswith("old_fakes")] for row in first]
    assert asked == [[], [], ["old_fakes_epoch_1"], ["old_fakes_epoch_1"]]


def test_rows_come_at_their_pace_and_at_the_end(tiny, tmp_path):
    _, rows = measured(tiny.replace(epochs=7), tmp_path, pace_images=150)  # 80 images an epoch
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 20), (3, 40), (5, 60), (6, 70)]
    assert {row["every_epochs"] for row in rows} == {2}
    assert {row["asked"] for row in rows} == {56}


def test_numbers_of_a_row(tiny, tmp_path):
    rows = measured(tiny, tmp_path)[1]
    for row in rows:
        assert all(isinstance(value, int | float) for value in row.values())
        assert row["D_fake_min"] <= row["D_fake"] <= row["D_fake_max"]
        assert row["tv_bound"] == pytest.approx(2 * row["accuracy_held_out"] - 1)
        assert row["grad_norm_D"] > 0 and row["grad_norm_G"] > 0
        assert {"mmd", "coverage_floor", "C_T", "vendi_ratio"} <= row.keys()
    assert len({row["logit_held_out"] for row in rows}) == len(rows)


def test_few_held_out_images_ask_the_images_of_the_game_instead(tiny, tmp_path):
    _, rows = measured(tiny, tmp_path, held_out=HELD_OUT[:4])
    row = rows[0]
    assert (row["asked"], row["asked_game"]) == (4, 80)
    assert "auc_held_out" in row and "C_T" not in row and "coverage" not in row
    assert 0 <= row["auc_game"] <= 1 and row["contrast_train"] > 0
    assert {"mmd", "mmd_se", "vendi_train", "rank_train", "distance_train"} <= row.keys()


def test_a_run_of_few_held_out_images_is_bit_identical_too(recipe, tmp_path, same):
    alone = begin(recipe)
    train(alone, TRAIN)
    watched, _ = measured(recipe, tmp_path, held_out=HELD_OUT[:4])
    assert same(alone.state_dict(), watched)


def test_few_held_out_images_are_asked_about_twice_as_often(tiny, tmp_path):
    few, many = (Diagnostics(tiny, TRAIN, HELD_OUT[:n], print, tmp_path) for n in (4, 56))
    assert (few.every, many.every) == (50, 100)  # epochs of 80 images


def test_seeds_are_asked_about_the_same_pictures(tiny, tmp_path):
    def callback(seed):
        return Diagnostics(tiny.replace(seed=seed), TRAIN, HELD_OUT, print, tmp_path)

    assert torch.equal(callback(0).train, callback(1).train)
    assert torch.equal(callback(0).z, callback(1).z)


def test_a_d_that_is_no_longer_finite_gets_no_row(tiny, tmp_path):
    """The last step of an epoch may spoil the weights; the loop says so at the next."""

    class Spoil(Diagnostics):
        def on_epoch_end(self, record):
            weight = next(iter(record.trainer.game.D.parameters()))
            kept = weight.detach().clone()
            weight.data.fill_(float("nan"))
            super().on_epoch_end(record)
            weight.data.copy_(kept)

    rows = []
    callback = Spoil(tiny, TRAIN, HELD_OUT, rows.append, tmp_path, 1)
    train(begin(tiny.replace(epochs=1)), TRAIN, [callback])
    assert rows == []


def test_too_few_images_are_refused(tiny, tmp_path):
    with pytest.raises(UserError, match="80 training and 1 held-out images: expected at least 2"):
        Diagnostics(tiny, TRAIN, HELD_OUT[:1], print, tmp_path)

"""The ladder: paces, how many epochs fit, and a plan that stays as it was."""

import time

import pytest

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.experiments.experiment import Measure
from bascule.experiments.pace import Pace, pace
from bascule.experiments.predictions import HELD_OUT_COVERAGE, KID
from bascule.gan.penalties import R1, LeCam
from bascule.ladder.experiment import ladder, read_plan, rung, write_plan
from bascule.training.hardware import resolve_auto


def test_a_pace_is_measured_over_whole_rounds(tiny, monkeypatch):
    """Four steps are a round here: G plays in every second, R1 is due in every fourth."""
    recipe = resolve_auto(tiny.replace(critic_steps=2, penalties=(R1(1.0, every=4), LeCam())))
    clock = iter(float(k) for k in range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    found = pace(recipe, recipe.data.load(), seconds=2.5)
    # Asked at 0, then after no, one and two rounds at 1, 2, 3; the last word at 4.
    assert found == Pace(4 / (2 * 4 * 8), steps=8)


def test_a_pace_is_that_of_the_machine(tiny):
    recipe = resolve_auto(tiny)
    found = pace(recipe, recipe.data.load(), seconds=0.2)
    assert 0 < found.seconds_per_image < 1 and found.steps >= 1


@pytest.mark.parametrize(
    ("seconds_per_image", "epochs", "every"),
    # an epoch has 62 steps of 32 = 1984 images: 600 s are 30.24, 15.12 and 4.03 epochs
    [(0.01, 30, 7), (0.02, 15, 3), (0.075, 4, 1)],
)
def test_as_many_epochs_as_fit(tiny, seconds_per_image, epochs, every):
    found = rung(tiny.replace(batch=32), Pace(seconds_per_image, 9), 2000, minutes=10)
    assert (found.epochs, found.keep_every_epochs, found.sample_every_epochs) == (
        *(epochs, every, every),
    )
    assert found.replace(epochs=4, keep_every_epochs=2, sample_every_epochs=2) == tiny.replace(
        batch=32
    )


def test_too_few_epochs_are_refused_with_what_to_do(tiny):
    with pytest.raises(
        UserError, match=r"^10 minutes are 3 epochs of 1984 images .* lighter preset"
    ):
        rung(tiny.replace(batch=32), Pace(0.1, 9), 2000, minutes=10)


def test_every_rung_is_to_beat_the_first(tiny):
    found = ladder(
        "a b", {"a": tiny, "b": tiny.replace(batch=4), "c": tiny.replace(batch=9)}, 10, 500
    )
    claims = [(type(p).__name__, p.scalar, p.arm, p.than) for p in found.predictions]
    assert claims == [
        ("Lower", KID, "b", "a"),
        ("Lower", KID, "c", "a"),
        ("Higher", HELD_OUT_COVERAGE, "b", "a"),
        ("Higher", HELD_OUT_COVERAGE, "c", "a"),
    ]
    assert found.measure == Measure(500, attributes=True, every_kept=True) and found.pictures
    assert found.measure.when(tiny) == {2, 4}


def test_too_few_held_out_images_to_be_covered_are_no_prediction(tiny):
    found = ladder("a b", {"a": tiny, "b": tiny.replace(batch=4)}, 10, 500, covers=False)
    assert [p.scalar for p in found.predictions] == [KID] and "cover" not in found.hypothesis


def test_imported_pictures_are_not_shown_and_have_no_attributes(tiny):
    mine = tiny.replace(data=Imported("mine", 32))
    found = ladder("mine", {"a": mine, "b": mine.replace(batch=4)}, 10, 500)
    assert not found.pictures and not found.measure.attributes
    assert not ladder("x", {"a": tiny, "b": tiny}, 10, 9, attributes=False).measure.attributes


def test_a_plan_is_kept_and_never_mixed_up(tiny, tmp_path):
    path = tmp_path / "ladders" / "plan.json"
    rungs = {"a": tiny, "b": tiny.replace(data=Faces(n=99, size=32), penalties=(R1(1.0),))}
    assert read_plan(path, ["a", "b"], 10) is None
    write_plan(path, rungs, 10)
    assert read_plan(path, ["a", "b"], 10) == rungs
    for presets, minutes in ((["a"], 10), (["b", "a"], 10), (["a", "b"], 20)):
        with pytest.raises(UserError, match="has 10 minutes for a, b: give another --name"):
            read_plan(path, presets, minutes)
    path.write_text("[]")
    with pytest.raises(UserError, match="not the plan of a ladder: delete it"):
        read_plan(path, ["a", "b"], 10)

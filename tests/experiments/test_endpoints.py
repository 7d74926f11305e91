"""Flags of endpoints, against pilot numbers made by hand."""

from math import inf, nan

import numpy as np
import pytest

from bascule.data.validation_split import ValidationSplit
from bascule.experiments import (
    COVERAGE,
    KID,
    Alike,
    Exceeds,
    Falls,
    Higher,
    Lower,
    Rises,
    ShareOfRuns,
    Within,
    mean_tv,
)
from bascule.experiments.endpoints import OWN, called, flags, pilot
from bascule.experiments.predictions import HELD_OUT_KID, numbers_of
from bascule.presets import dcgan64_light


def values(prediction, own, **arms):
    """Pilot numbers of a prediction about one scalar: its own, and those of each arm."""
    scalar = numbers_of(prediction)["scalar"]
    return {OWN: own} | {called(scalar, arm): each for arm, each in arms.items()}


def test_a_sound_endpoint_has_no_flag():
    claim = Lower("lead", "a", than="b")
    found = values(claim, [-0.2, -0.1, -0.3], a=[0.3, 0.4, 0.2], b=[0.5, 0.5, 0.5])
    assert flags(claim, found) == [] == flags(claim)


def test_a_floor_or_a_ceiling_in_every_run_is_told():
    claim = Higher(COVERAGE, "a", than="b")
    found = values(claim, [0.0, 0.0], a=[0.0, 0.0], b=[0.0, 0.0])
    first, second = flags(claim, found)
    assert first.startswith("coverage is at 0, the lowest possible value, in all pilot runs")
    assert second.startswith("it is 0 on all 2 pilot seeds, so its error cannot be estimated")
    near = values(claim, [0.0, 0.005], a=[0.995, 1.0], b=[0.995, 0.995])
    assert flags(claim, near) == []
    (told,) = flags(claim, near, resolution=0.005)
    assert told.startswith("coverage is at 1, the highest possible value")
    one_sided = values(claim, [0.3, 0.4], a=[0.3, 0.4], b=[0.0, 0.0])
    assert flags(claim, one_sided) == []


def test_both_scalars_of_a_comparison_are_looked_at():
    shuffled = [f"AUROC of shuffled[{by}]" for by in ("codes", "D")]
    claim = Exceeds(*shuffled, "a")
    ours, theirs = numbers_of(claim).values()
    found = {OWN: [0.0, 0.0], called(ours, "a"): [1.0, 1.0], called(theirs, "a"): [1.0, 1.0]}
    told = flags(claim, found)
    assert sum("is at 1, the highest possible value" in line for line in told) == 2


def test_a_loss_has_a_floor_only_where_its_objective_has():
    claim = Lower("loss_D", "a", than="b")
    found = values(claim, [0.0, 0.1], a=[0.0, 0.0], b=[0.0, 0.0])
    assert flags(claim, found) == []
    recipes = {"a": dcgan64_light, "b": dcgan64_light}
    assert flags(claim, found, recipes)[0].startswith("loss_D is at 0, the lowest")


def test_a_region_that_holds_all_arms_by_far_cannot_be_refuted():
    claim = Within("D_x", "a", 0.2, 1.0)
    sure = values(claim, [0.8, 0.82], a=[0.8, 0.82], b=[0.7, 0.71])
    (told,) = flags(claim, sure)
    assert "holds all pilot runs of all arms, at least 0.5 from its edge (35 deviations" in told
    assert flags(claim, values(claim, [0.8, 0.82], a=[0.8, 0.82], b=[0.21, 0.25])) == []
    assert flags(claim, values(claim, [0.5, 0.9], a=[0.5, 0.9], b=[0.5, 0.9])) == []  # wide seeds
    middle = Within("D_x", "a", 0.2, 0.95)  # reaches no natural limit
    assert flags(middle, values(middle, [0.8, 0.82], a=[0.8, 0.82])) == []
    low = Within("D_x", "a", 0.0, 0.8)
    assert len(flags(low, values(low, [0.1, 0.12], a=[0.1, 0.12]))) == 1


def test_a_difference_that_the_other_arm_leaves_no_room_for():
    claim = Higher("D_x", "a", than="b", by=0.1)
    found = values(claim, [0.01, 0.02], a=[0.96, 0.97], b=[0.95, 0.96])
    (told,) = flags(claim, found)
    assert told == (
        "“b” has D_x from 0.95 to 0.96 in the pilot, so the difference can be at most 0.05, and "
        "more than 0.1 is claimed"
    )
    assert flags(claim, values(claim, [0.01, 0.02], a=[0.9, 0.9], b=[0.89, 0.88])) == []
    down = Lower("D_x", "a", than="b", by=0.3)
    (told,) = flags(down, values(down, [-0.1, -0.2], a=[0.1, 0.0], b=[0.2, 0.2]))
    assert "can be at most 0.2, and more than 0.3" in told


@pytest.mark.parametrize("own", [[0.25, 0.25, 0.25], [1e6, 1e6 * (1 + 1e-12)]])
def test_equal_numbers_on_all_seeds_have_no_error(own):
    claim = Lower("loss_G", "a", than="b")
    (told,) = flags(claim, {OWN: own})
    assert f"on all {len(own)} pilot seeds, so its error cannot be estimated" in told
    assert flags(claim, {OWN: own[:1]}) == []  # one seed says nothing of variance


def test_a_share_of_runs_may_be_the_same_on_all_seeds():
    claim = ShareOfRuns("D_x", "a", high=0.6, most=0.2)
    assert flags(claim, {OWN: [0.0, 0.0, 0.0]}) == []


def test_numbers_that_are_missing_are_left_out_or_told():
    claim = Lower("loss_G", "a", than="b")
    assert flags(claim, {OWN: [nan, nan]}) == ["no pilot seed has a number of it"]
    assert flags(claim, {OWN: []}) == ["no pilot seed has a number of it"]
    assert flags(claim, {OWN: [nan, 0.1, 0.3]}) == []


def test_the_margin_of_an_alike_is_beside_the_deviation_between_seeds():
    own = [-0.3, 0.3]  # a deviation of 0.424
    (told,) = flags(Alike("mmd", "a", than="b", by=0.42), {OWN: own})
    assert told.startswith("its margin of 0.42 is below the deviation between pilot seeds, 0.4243")
    assert flags(Alike("mmd", "a", than="b", by=0.43), {OWN: own}) == []


def test_regions_with_every_possible_value_or_none_are_told_without_a_pilot():
    assert flags(Within("D_x", "a", -1, 1)) == [
        "the claimed region holds every possible value, so nothing can refute it"
    ]
    assert flags(Higher("D_x", "a", than="b", by=1.5)) == [
        "the claimed region holds no possible value, so nothing can support it"
    ]
    assert flags(Within("loss_D", "a", 0, inf)) == []


def test_kid_is_told_where_exact_attributes_exist():
    faces = {"a": dcgan64_light, "b": dcgan64_light}
    for number in (KID, HELD_OUT_KID):
        (told,) = flags(Lower(number, "a", than="b"), recipes=faces)
        assert "prefer mean TV" in told and "2 grey levels: 0.46" in told
    split = {"a": dcgan64_light.replace(data=ValidationSplit(dcgan64_light.data))}
    assert len(flags(Within(KID, "a", 0, 1), recipes=split)) == 1
    assert flags(Lower(mean_tv(), "a", than="b"), recipes=faces) == []
    assert flags(Lower("KID[random-conv-s0,64px]", "a", than="b"), recipes=faces) == []
    assert flags(Within(KID, "c", 0, 1), recipes=faces) == []  # another arm


class Mine:
    """A prediction of a user's own, with the four methods that it needs."""

    arm = "a"

    def claim(self):
        return "mine"

    def measured(self):
        return "number"

    def region(self):
        return 0.0, 1.0

    def measure(self, curves, seed):
        return float(curves["a"][seed]["D_x"].max())


def test_pilot_numbers_come_from_curves():
    def run(*d_x):
        return {"D_x": np.array(d_x)}

    curves = {"a": {0: run(0.1, 0.3), 1: run(0.5, 0.7)}, "b": {0: run(0.2, 0.2)}}
    claim = Lower("D_x", "a", than="b", from_epoch=1)
    found = pilot(claim, curves, [0, 1, 2])
    assert found == {
        OWN: [pytest.approx(0.1)],  # seed 1 of b, and seed 2, were not run
        "D_x of “a”": [0.3, 0.7],
        "D_x of “b”": [0.2],
    }
    rises = Rises("D_x", "a", earlier=(0, 1), later=(1, 2))
    assert pilot(rises, curves, [0, 1])["D_x of “a”"] == [0.1, 0.5, 0.3, 0.7]
    falls = Falls("D_x", "a", earlier=(0, 1), later=(1, 2))
    assert pilot(falls, curves, [0, 1])[OWN] == pytest.approx([0.2, 0.2])
    assert pilot(Mine(), curves, [0, 1]) == {OWN: [0.3, 0.7]}
    assert flags(Mine(), pilot(Mine(), curves, [0, 1])) == []

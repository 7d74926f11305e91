"""What a small image set cannot show is known before anything is trained."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.images import ImageSet
from bascule.experiments import Experiment, Higher, Lower, Measure, Within
from bascule.experiments.measurable import (
    announcement,
    announcements,
    check_measurable,
    check_search,
    will_be_left_out,
)
from bascule.experiments.predictions import HELD_OUT_COVERAGE, KID, mean_tv
from bascule.presets import cyclegan_light

C_T = str(KID).replace("KID", "C_T")


def images(n: int, held_out: int | None = None, name: str = "mine", labels=None) -> ImageSet:
    """Of which a tenth is held out."""
    held_out = n // 10 if held_out is None else held_out
    pixels = np.zeros((n, 3, 32, 32), np.uint8)
    return ImageSet(name, pixels, np.arange(n) < held_out, labels or {}, "digest", "")


def test_a_small_set_is_told_in_one_line(tiny):
    assert announcement(tiny.replace(batch=32), images(2000)) == ""
    assert announcement(tiny, images(90)) == (
        "mine is a small set: these will be left out of evaluations: recall (needs 20 held-out "
        "images, this set holds out 9); C_T (needs 40 held-out images, this set holds out 9); "
        "support at least (needs 100 training images, this set has 81); fewer than 50 "
        "held-out images, so diagnoses use only D's outputs"
    )
    few = will_be_left_out(tiny, images(2000), fakes=2)
    assert few.keys() >= {"KID", "C_T", "SWD"} and few["KID"] == "needs 5 fakes, 2 are given"


def test_attributes_count_where_they_can_be_read(tiny):
    assert "attributes" not in will_be_left_out(tiny, images(50), 100)
    faces = images(50, name="faces-micah")
    assert "attributes" in will_be_left_out(tiny, faces, 100)
    assert "attributes" not in will_be_left_out(tiny, faces, 100, attributes=False)


def test_a_translation_is_measured_on_the_second_kind():
    recipe = cyclegan_light
    domain = np.where(np.arange(1000) % 100 < 50, "a", "b")  # 200 held out: 100 of either
    assert will_be_left_out(recipe, images(1000, 200, labels={"domain": domain}), 300) == {}
    domain = np.where(np.arange(1000) < 997, "a", "b")
    found = will_be_left_out(recipe, images(1000, 998, labels={"domain": domain}), 300)
    assert "this set holds out 1" in found["KID"]


def experiment(arms, *predictions, **more):
    return Experiment("?", "!", arms, list(predictions), measure=Measure(100), **more)


def test_a_prediction_that_can_never_be_measured_is_refused(tiny):
    arms = {"a": tiny, "b": tiny.replace(lr_D=1e-3)}
    for prediction, n, why in (
        (Higher(HELD_OUT_COVERAGE, "a", than="b"), 60, "coverage of held-out needs 7 held-out"),
        (Within(C_T, "b", -3, 3), 399, "C_T needs 40 held-out images, this set holds out 39"),
        (Lower("C_T", "a", than="b"), 399, "C_T needs 50 held-out images; diagnostics have"),
    ):
        found = experiment(arms, prediction)
        with pytest.raises(UserError, match=f"can never be measured on mine: {why}"):
            check_measurable(found, {tiny.data: images(n)})
        check_measurable(found, {tiny.data: images(600)})
        check_measurable(found, {})  # an arm that is not run
    with pytest.raises(UserError, match="mean TV needs 50 training images"):
        faces = {tiny.data: images(50, name="faces-micah")}
        check_measurable(experiment(arms, Within(mean_tv(), "a", 0, 0.9)), faces)
    check_measurable(experiment(arms, Lower(KID, "a", than="b")), {tiny.data: images(50)})
    check_measurable(experiment(arms, Lower("mmd", "a", than="b")), {tiny.data: images(50)})


def test_arms_on_one_set_are_told_once(tiny):
    found = experiment({"a": tiny, "b": tiny.replace(lr_D=1e-3)}, Within("D_x", "a", 0, 0.99))
    assert len(announcements(found, {tiny.data: images(90)})) == 1
    assert announcements(found, {tiny.data: images(2000)}) == []


def test_a_search_needs_images_to_rank_by():
    check_search(images(70), 100)
    with pytest.raises(UserError, match="a search needs coverage of held-out, which needs 7 held"):
        check_search(images(60), 100)


def test_own_labels_are_measured_where_the_images_have_them(tiny):
    arms = {"a": tiny, "b": tiny.replace(lr_D=1e-3)}
    found = experiment(arms, Lower("TV of folder[efficientnet-lite0,128px]", "a", than="b"))
    told = {"folder": np.where(np.arange(600) % 2 == 0, "cat", "dog")}
    check_measurable(found, {tiny.data: images(600, labels=told)})
    with pytest.raises(UserError, match="needs one of the labels of these images: mood"):
        check_measurable(found, {tiny.data: images(600, labels={"mood": told["folder"]})})
    with pytest.raises(UserError, match="needs images whose attributes are known"):
        check_measurable(found, {tiny.data: images(600)})

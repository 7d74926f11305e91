"""Metrics, extractors and callbacks of the user's own, by the words that name them."""

import re

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.core.user_code import load_file
from bascule.data.faces import Faces
from bascule.evaluation.evaluate import evaluate
from bascule.features.cache import features_of
from bascule.metrics.metric import Metric
from bascule.runs.own import extractor_named, metric_named, named, words_for
from bascule.training.loop import Callback


def edit(mine, old, new):
    text = mine.read_text("utf-8")
    assert old in text
    mine.write_text(text.replace(old, new), "utf-8")


class Quiet:
    def __init__(self, what):
        pass

    def __enter__(self):
        return None

    def __exit__(self, *_):
        pass


def test_words_name_the_same_value_again(mine):
    bright = load_file(mine).Bright(above=7)
    words = words_for(bright)
    assert words == f"{mine}:Bright(above=7)"
    again = metric_named(words)
    assert (again.above, again.name) == (7, "bright")
    assert metric_named(f"{mine}:Apart").name == "apart"
    assert isinstance(named(f"{mine}:Steps", Callback, "--callback"), Callback)


def test_a_metric_is_measured_beside_its_floor_and_an_edit_is_another_scale(mine):
    images = Faces(n=60, size=32, held_out=0.5).load()
    fakes = np.zeros((40, 3, 32, 32), np.uint8)
    own = [metric_named(f"{mine}:{name}") for name in ("Bright", "Apart")]
    space = extractor_named(f"{mine}:Colours")
    found, _ = evaluate(fakes, images, [space], Quiet, own=own)
    bright, apart = found["bright[pixels]"], found["apart[colours]"]
    held_out = images.pixels[images.indices("held_out")]
    assert (bright.measured.value, bright.better) == (0.0, "higher")
    assert bright.measured.floor == pytest.approx((held_out > 100).mean())
    assert apart.measured.value > apart.measured.floor > 0
    assert (apart.measured.n, apart.measured.m) == (30, 30)
    mine.write_text("\n# a comment\n" + mine.read_text("utf-8"), "utf-8")
    again, _ = evaluate(fakes, images, [space], Quiet, own=[metric_named(f"{mine}:Bright")])
    assert again["bright[pixels]"].scale == bright.scale
    edit(mine, "100", "101")
    again, _ = evaluate(fakes, images, [space], Quiet, own=[metric_named(f"{mine}:Bright")])
    assert again["bright[pixels]"].scale != bright.scale


def test_features_of_a_users_extractor_are_kept_until_it_is_edited(mine):
    images = Faces(n=30, size=32).load()
    first = features_of(images, extractor_named(f"{mine}:Colours"))
    assert first.shape == (30, 6) and first.dtype == np.float32
    edit(mine, "/ 255", "/ 128")
    again = features_of(images, extractor_named(f"{mine}:Colours"))
    assert np.allclose(again, first * 255 / 128, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mine.py", "--metric mine.py: expected a file and a name, such as mine.py:Mine"),
        ("{mine}:Brigth", "unknown Metric in"),
        ("{mine}:Brigth", "did you mean Bright"),
        ("{mine}:Colours", "Colours is not a Metric; derive its class from it"),
        ("{mine}:Bright(above=x)", "expected a name, such as Mine"),
        ("{mine}:Bright(below=1)", "unexpected keyword argument 'below'"),
        ("{mine}:import os", "expected a name, such as Mine"),
    ],
)
def test_what_names_no_metric_is_refused(mine, text, said):
    with pytest.raises(UserError, match=re.escape(said)) as refusal:
        metric_named(text.format(mine=mine))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "apart"', 'name = "KID"', "the name of a number of the package: rename it"),
        ('name = "apart"', 'name = "D_x"', "the name of a number of the package: rename it"),
        ('name = "apart"', 'name = "a[b]"', "expected a short text without brackets"),
        ('name = "apart"', "pass", "Apart.name is None"),
        ('name = "apart"', 'name, better = "apart", "more"', "expected one of lower, higher"),
        ('name = "apart"', 'name, limits = "apart", 1', "expected two numbers"),
    ],
)
def test_a_metric_that_says_nonsense_of_itself_is_refused(mine, old, new, said):
    edit(mine, old, new)
    with pytest.raises(UserError, match=re.escape(said)):
        metric_named(f"{mine}:Apart")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return fakes", "the metric 'apart' gave an array of shape"),
        ("return None", "the metric 'apart' gave None: expected one number"),
        ("1 / 0", "the metric 'apart' failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_metric_that_gives_no_number_is_refused(mine, body, said):
    line = "return np.linalg.norm(fakes.mean(0) - reals.mean(0))"
    edit(mine, line, body)
    images = Faces(n=60, size=32, held_out=0.5).load()
    own, space = metric_named(f"{mine}:Apart"), extractor_named(f"{mine}:Colours")
    with pytest.raises(UserError, match=re.escape(said)):
        evaluate(images.pixels[:20], images, [space], Quiet, own=[own])


def test_nan_and_too_few_images_leave_a_metric_out(mine):
    line = "return np.linalg.norm(fakes.mean(0) - reals.mean(0))"
    edit(mine, line, "return float('nan')")
    images = Faces(n=60, size=32, held_out=0.5).load()
    space = extractor_named(f"{mine}:Colours")
    own = [metric_named(f"{mine}:{name}") for name in ("Apart", "Bright")]
    found, _ = evaluate(images.pixels[:20], images, [space], Quiet, own=own)
    assert "apart left out: is not defined for these images" in found.remarks()
    found, _ = evaluate(images.pixels[:3], images, [space], Quiet, own=own)
    assert any("bright left out" in line or "bright" in line for line in found.remarks())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dim = 6", "dim = 7", "gave float64 (30, 6): expected numbers (30, 7)"),
        ("/ 255", "/ 0", "gave features that are not finite"),
        ("images.reshape", "images.oops", "the extractor 'colours' failed: AttributeError"),
        ('name = "colours"', "pass", "Colours.name is None"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_wrong_extractor_is_refused(mine, old, new, said):
    edit(mine, old, new)
    with pytest.raises(UserError, match=re.escape(said)):
        features_of(Faces(n=30, size=32).load(), extractor_named(f"{mine}:Colours"))


def test_the_base_class_of_metrics_is_public():
    import bascule.metrics

    assert bascule.metrics.Metric is Metric

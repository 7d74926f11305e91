"""A translator is measured against the truth, its baselines, and what it hides."""

import contextlib

import numpy as np
import pytest
import torch

from bascule.data.batches import as_float
from bascule.features.pixels import Pixels
from bascule.translation.evaluation import Kinds, baselines, colour_transfer, evaluate_translation
from bascule.translation.pairs import CartoonPair

DATA = CartoonPair(n=60, tests=40, size=32)


@contextlib.contextmanager
def counter(what):
    yield lambda done, total: None


@pytest.fixture(scope="module")
def kinds():
    return Kinds.of(DATA.load(), 40, paired=True)


class Reads:
    """Knows the attributes of the truth alone; everything else has the first one's."""

    spec = "a stub"

    def __init__(self, kinds):
        self.known = {picture.tobytes(): k for k, picture in enumerate(kinds.truth)}
        self.labels = kinds.labels

    def read(self, pictures):
        at = [self.known.get(picture.tobytes(), 0) for picture in pictures]
        return {name: values[at] for name, values in self.labels.items()}


def measured(kinds, there, back=None):
    found, picture = evaluate_translation(
        kinds, there, back, Pixels(), counter, Reads(kinds), None, "a run", 3
    )
    assert picture.width > 0
    return found, {value.label.partition("[")[0]: value.measured for value in found.values}


def test_the_truth_is_perfect_and_its_baselines_are_not(kinds):
    truth = as_float(torch.from_numpy(np.array(kinds.truth)))
    found, value = measured(kinds, lambda x: truth)
    assert found.fakes == 40 and found.epoch == 3
    for name in ("paired SSIM", "R@1", "attributes kept", "attributes matched", "kept hair"):
        assert value[name].value == 1.0 == value[name].floor, name
    assert value["paired L1"].value == 0.0 and value["mean rank"].value == 1.0
    assert value["information on skin"].value == pytest.approx(1.0)
    assert value["spread"].value == pytest.approx(1.0)
    for baseline in ("copy", "random target", "colour transfer"):
        assert value[f"paired L1 of {baseline}"].value > 0.05
        assert value[f"paired SSIM of {baseline}"].value < 0.9
        assert value[f"attributes kept of {baseline}"].value < 0.6
        assert f"KID of {baseline}" in value
    assert not any(name.startswith("cycle") for name in value)


def test_the_copy_is_the_identity(kinds):
    _, value = measured(kinds, lambda x: x)
    for name in ("paired L1", "paired SSIM", "R@1", "spread", "attributes kept", "KID"):
        assert value[name].value == pytest.approx(value[f"{name} of copy"].value), name


def test_what_is_hidden_in_a_few_grey_levels_is_lost_when_they_are_rounded(kinds):
    """A translation that shows grey and hides the picture where the eye does not see it."""

    def there(x):
        return x / 1000

    def back(y):
        return (y * 1000).clamp(-1, 1)

    _, value = measured(kinds, there, back)
    assert value["cycle L1"].value < 1e-6
    assert value["cycle L1 after 8 bits"].value > 0.2
    assert value["cycle L1 after JPEG"].value > 0.2 and value["cycle L1 after noise"].value > 0.2
    _, open_one = measured(kinds, lambda x: x, lambda y: y)
    assert open_one["cycle L1 after 8 bits"].value < 1e-6
    # noise of 2 / 255 moves a pixel by 2 / 255 * sqrt(2 / pi) in the mean
    assert open_one["cycle L1 after noise"].value == pytest.approx(0.0063, rel=0.05)


def test_colour_transfer_gives_the_other_kinds_mean_and_deviation():
    rng = np.random.default_rng(0)
    ours = rng.integers(90, 120, (8, 3, 16, 16), dtype=np.uint8)
    theirs = np.clip(rng.normal((150, 130, 120), 12, (8, 16, 16, 3)), 0, 255)
    theirs = theirs.astype(np.uint8).transpose(0, 3, 1, 2)
    made = colour_transfer(ours, theirs)
    assert np.abs(made.mean((0, 2, 3)) - theirs.mean((0, 2, 3))).max() < 1.5
    assert np.abs(made.std((0, 2, 3)) - theirs.std((0, 2, 3))).max() < 1.5


def test_the_random_target_is_a_training_picture_of_the_other_kind(kinds):
    found = baselines(kinds)
    train = {x.tobytes() for x in kinds.other.pixels[kinds.other.indices("train")]}
    assert all(picture.tobytes() in train for picture in found["random target"])
    assert np.array_equal(found["copy"], kinds.given)


def test_without_pairs_there_is_no_truth():
    kinds = Kinds.of(DATA.load(), 30, paired=False)
    assert kinds.truth is None and not kinds.labels and len(kinds.given) == 30

"""Small sets are measured as far as they go, and what is left out says why."""

import contextlib
from math import isfinite

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.images import ImageSet, digest_of
from bascule.evaluation.evaluate import ATTRIBUTES, LEAST, evaluate, look
from bascule.features.pixels import Pixels


@contextlib.contextmanager
def counter(what):
    yield lambda done, total: None


def blobs(n: int, seed: int) -> np.ndarray:
    """Pictures of one law, uint8 (n, 3, 16, 16)."""
    small = np.random.default_rng(seed).integers(0, 256, (n, 3, 4, 4), np.uint8)
    return small.repeat(4, 2).repeat(4, 3)


def image_set(n: int, pixels: np.ndarray | None = None) -> ImageSet:
    """Of which a tenth is held out."""
    pixels = blobs(n, 0) if pixels is None else pixels
    digest = digest_of([pixels], pixels.shape)
    return ImageSet("blobs", pixels, np.arange(n) < n // 10, {}, digest, "")


def names(found) -> tuple[set[str], dict[str, str]]:
    """What was measured, and what was left out and why, by their names."""
    values = {value.label.partition("[")[0] for value in found.values}
    return values, {one.label.partition("[")[0]: one.why for one in found.left_out}


@pytest.mark.parametrize("n", [20, 50, 100, 200, 399])
@pytest.mark.parametrize("fakes", [2, 10, 50])
def test_every_statistic_is_a_number_or_says_why_not(n, fakes):
    images = image_set(n)
    found, picture = evaluate(blobs(fakes, 1), images, [Pixels()], counter)
    values, left_out = names(found)
    assert values | left_out.keys() == LEAST.keys() - {ATTRIBUTES}
    assert not values & left_out.keys() and picture.width > 0
    for value in found.values:
        assert isfinite(value.measured.value) and isfinite(value.measured.floor), value.label
    assert all(why.startswith("needs ") for why in left_out.values())
    assert "C_T" in left_out and ("KID" in values) == (n >= 50 and fakes >= 5)
    quick, _ = names(look(blobs(fakes, 1), images, Pixels()))
    assert quick == values & {"KID on held-out", "coverage of held-out"}


class OnDisk(np.ndarray):
    """Pictures of which no more than a hundred may be copied at once."""

    def __getitem__(self, asked):
        assert not isinstance(asked, np.ndarray) or len(asked) <= 100
        return super().__getitem__(asked)


def test_the_training_images_are_not_copied_into_memory():
    images = image_set(400, blobs(400, 0).view(OnDisk))
    assert images.pixels[images.indices("held_out")].shape[0] == 40
    with pytest.raises(AssertionError):
        images.pixels[images.indices("train")]
    evaluate(blobs(50, 1), images, [Pixels()], counter)


def test_nothing_is_left_out_of_a_set_of_400():
    found, _ = evaluate(blobs(60, 1), image_set(400), [Pixels()], counter)
    assert found.left_out == () and "C_T" in names(found)[0]


def test_what_is_left_out_is_told_in_a_line_a_reason():
    found, _ = evaluate(blobs(50, 1), image_set(99), [Pixels()], counter)
    assert found.remarks() == [
        "recall left out: needs 20 held-out images, this set holds out 9",
        "C_T left out: needs 40 held-out images, this set holds out 9",
        "support at least left out: needs 100 training images, this set has 90",
    ]


def test_copies_of_one_picture_have_no_threshold_and_the_rest_is_measured():
    images = image_set(400, blobs(1, 0).repeat(400, 0))
    values, left_out = names(evaluate(blobs(60, 1), images, [Pixels()], counter)[0])
    assert "exact copy" in left_out["support at least"] and "KID" in values


def test_fakes_of_another_size_are_refused():
    with pytest.raises(UserError, match="expected uint8"):
        evaluate(blobs(9, 1)[..., :8], image_set(100), [Pixels()], counter)

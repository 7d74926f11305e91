"""Pixels at 16 px, by hand, and against the thumbnails of the near duplicates."""

import numpy as np
import pytest

from bascule.data.near_duplicates import _thumbnails
from bascule.features.pixels import Pixels


def pictures(n=5, side=64):
    return np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def test_area_means_by_hand():
    x = pictures()
    blocks = x.reshape(5, 3, 16, 4, 16, 4).mean((3, 5)) / 255
    features = Pixels()(x)
    assert features.shape == (5, 768) and features.dtype == np.float32
    assert features == pytest.approx(blocks.reshape(5, 768), abs=1e-6)


@pytest.mark.parametrize("side", [16, 40, 64])
def test_they_are_the_thumbnails_of_near_duplicates(side):
    x = pictures(side=side)
    assert Pixels()(x) == pytest.approx(_thumbnails(x, np.arange(len(x))), abs=1e-6)


def test_name_and_range():
    assert Pixels().name == "pixels,16px"
    white = Pixels()(np.full((1, 3, 20, 20), 255, np.uint8))
    assert white == pytest.approx(np.ones((1, 768)), abs=1e-6)

"""Cached features: found again by content and extractor, made again when damaged."""

import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.images import ImageSet, digest_of
from bascule.features.cache import features_of, place_of


class Counting:
    """The first row of red, counted."""

    name, spec = "red,8px", "red,8px;v1"
    calls = 0

    def __call__(self, images, progress=None):
        self.calls += 1
        if progress:
            progress(len(images), len(images))
        return images[:, 0, 0].astype(np.float32)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))


def image_set(pixels=None, name="some"):
    if pixels is None:
        pixels = np.random.default_rng(0).integers(0, 256, (10, 3, 8, 8), dtype=np.uint8)
    held_out = np.arange(len(pixels)) % 5 == 0
    return ImageSet(name, pixels, held_out, {}, digest_of([pixels], pixels.shape), "")


def test_computed_once_for_all_images_in_order():
    counting, images, told = Counting(), image_set(), []
    first = features_of(images, counting, lambda *done: told.append(done))
    assert np.array_equal(first, images.pixels[:, 0, 0]) and first.dtype == np.float32
    assert told == [(10, 10)]
    again = features_of(images, counting)
    assert np.array_equal(first, again) and counting.calls == 1
    assert isinstance(again, np.memmap) and not again.flags.writeable


def test_pixels_decide_and_names_do_not():
    counting, images = Counting(), image_set()
    features_of(images, counting)
    features_of(image_set(name="other"), counting)
    assert counting.calls == 1
    pixels = images.pixels.copy()
    pixels[7, 2, 5, 5] ^= 1
    features_of(image_set(pixels), counting)
    assert counting.calls == 2


def test_another_spec_of_one_name_is_another_entry():
    a, b = Counting(), Counting()
    b.spec = "red,8px;v2"
    features_of(image_set(), a)
    features_of(image_set(), b)
    assert b.calls == 1
    assert place_of(image_set(), a).name.startswith("red-8px-")


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "rows", "nan", "float64", "pickle"])
def test_what_is_damaged_is_made_again(damage):
    counting, images = Counting(), image_set()
    right = features_of(images, counting)
    place = place_of(images, counting)
    whole = place.read_bytes()
    if damage in ("cut", "noise", "empty"):
        size = len(whole)
        place.write_bytes({"cut": whole[: size // 2], "noise": b"x" * size, "empty": b""}[damage])
    else:
        bad = {
            "rows": right[:-1],
            "nan": np.where(right == right[3, 3], np.nan, right).astype(np.float32),
            "float64": right.astype(np.float64),
            "pickle": np.array([{"a": 1}], object),
        }[damage]
        np.save(place, bad, allow_pickle=True)
    assert np.array_equal(features_of(images, counting), right)
    assert counting.calls == 2
    assert place.read_bytes() == whole
    assert os.listdir(place.parent) == [place.name]  # nothing left beside it


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), UserError("no space left")])
def test_a_full_disk_does_not_lose_the_features(monkeypatch, error):
    def fail(path, content):
        raise error

    monkeypatch.setattr("bascule.core.atomic.write", fail)
    with pytest.warns(UserWarning, match="cannot be saved"):
        features = features_of(image_set(), Counting())
    assert features.shape == (10, 8)


def test_a_file_where_the_folder_should_be_does_not_either(tmp_path):
    (tmp_path / "features").touch()
    with pytest.warns(UserWarning, match="cannot be saved"):
        assert features_of(image_set(), Counting()).shape == (10, 8)


def test_the_key_is_the_digest():
    images = image_set()
    moved = replace(images, digest="f" * 64)
    assert place_of(moved, Counting()).parent.name == "f" * 16
    assert place_of(moved, Counting()) != place_of(images, Counting())

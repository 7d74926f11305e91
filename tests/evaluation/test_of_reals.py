"""What is kept of real images alone: computed once, and the same numbers as without it."""

import numpy as np
import pytest

from bascule.core.arrays import Rows
from bascule.data.images import ImageSet, digest_of
from bascule.evaluation.of_reals import beside_features
from bascule.features.cache import place_of
from bascule.features.pixels import Pixels
from bascule.metrics import mmd, neighbours
from bascule.metrics.measured import METRICS, against_held_out, measure


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))


def image_set(held_out=40):
    pixels = np.random.default_rng(0).integers(0, 256, (240, 3, 8, 8), np.uint8)
    return ImageSet(
        "noise", pixels, np.arange(240) < held_out, {}, digest_of([pixels], pixels.shape), ""
    )


def files(images):
    return sorted(place_of(images, Pixels()).parent.glob("*.npz"))


def sets():
    """Features of fakes, of training and of held-out images."""
    law = np.random.default_rng(1)
    return [law.normal(size=(n, 6)).astype(np.float32) for n in (100, 200, 40)]


def numbers(keep, seed=0):
    """All metrics and both numbers against held-out images, of 100 fakes."""
    fake, train, held_out = sets()
    found = measure(METRICS, fake, train, held_out, seed, keep)
    return str({**found, **against_held_out(fake, train, held_out, seed, keep=keep)})


def test_numbers_are_bit_identical_and_nothing_of_the_reals_is_computed_again(monkeypatch):
    keep = beside_features(image_set(), Pixels())
    plain = numbers(lambda what, compute: compute())
    assert numbers(keep) == plain

    given = []
    for module, name in ((mmd, "within"), (neighbours, "nearest_others")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda x, *k, real=real: given.append(x) or real(x, *k))
    assert numbers(beside_features(image_set(), Pixels())) == plain
    assert given and not np.isin(np.concatenate(given), np.concatenate(sets()[1:])).any()


class Counted(Rows):
    """Training images of which no feature may be read."""

    def __array__(self, *given):
        raise AssertionError("read")


def test_where_all_is_kept_training_images_are_only_counted():
    keep = beside_features(image_set(), Pixels())
    fake, train, held_out = sets()
    first = against_held_out(fake, train, held_out, keep=keep)
    again = against_held_out(fake, Counted(train, np.arange(200)), held_out, keep=keep)
    assert str(first) == str(again)
    chosen = np.arange(0, 200, 2)
    some = against_held_out(fake, train[chosen], held_out)
    assert str(some) == str(against_held_out(fake, Rows(train, chosen), held_out))


def test_another_seed_split_or_size_is_another_file():
    assert numbers(beside_features(image_set(), Pixels())) != numbers(
        beside_features(image_set(), Pixels()), seed=1
    )
    keep = beside_features(image_set(held_out=30), Pixels())
    assert keep("distances to 5 neighbours", lambda: np.zeros(3)).shape == (3,)


def test_another_formula_keeps_other_arrays(monkeypatch):
    keep, values = beside_features(image_set(), Pixels()), iter((1.0, 2.0))
    assert keep("number", lambda: np.array(next(values))) == 1
    monkeypatch.setattr("bascule.evaluation.of_reals._source", lambda: "edited")
    assert keep("number", lambda: np.array(next(values))) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "a bit", "other", "folder"])
def test_what_is_damaged_is_computed_again(damage):
    images, right = image_set(), np.arange(50.0)
    keep = beside_features(images, Pixels())
    keep("numbers", lambda: right)
    (place,) = files(images)
    whole = place.read_bytes()
    if damage == "other":
        np.savez(place, another=right)
    elif damage == "folder":
        place.unlink()
        place.mkdir()
    else:
        bit = bytearray(whole)
        bit[len(whole) // 2] ^= 1
        place.write_bytes(
            {"cut": whole[:300], "empty": b"", "noise": b"x" * 99, "a bit": bytes(bit)}[damage]
        )
    assert np.array_equal(keep("numbers", lambda: right), right)
    assert damage == "folder" or place.read_bytes() == whole


def test_a_cache_that_cannot_be_written_still_gives_numbers(tmp_path):
    (tmp_path / "features").touch()
    assert numbers(beside_features(image_set(), Pixels()))
    assert files(image_set()) == []

"""A split that is drawn from a seed: as many images, other ones, and twins on one side."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.dataset import FromDataset
from bascule.data.faces import Faces
from bascule.data.near_duplicates import held_out_split
from bascule.data.seeded_split import SeededSplit, folds_of
from bascule.runs import codec

FACES = Faces(n=60, size=32, held_out=0.25)


def test_as_many_images_are_held_out_and_others_for_every_seed():
    own = FACES.load()
    first, again, other = (SeededSplit(FACES, seed).load() for seed in (0, 0, 1))
    assert own.held_out.sum() == first.held_out.sum() == other.held_out.sum() == 15
    assert np.array_equal(first.held_out, again.held_out)
    assert not np.array_equal(first.held_out, other.held_out)
    assert not np.array_equal(first.held_out, own.held_out)
    assert (own.split, first.split, other.split) == ("", "seed 0", "seed 1")
    assert first.digest == own.digest and np.array_equal(first.pixels, own.pixels)


def test_every_image_is_held_out_as_often_as_any_other():
    """Over 400 seeds, of 40 images 10: each about 100 times; 5 deviations are 43."""
    often = sum(held_out_split(np.arange(40), 0.25, seed).astype(int) for seed in range(400))
    assert often.sum() == 4000 and abs(often - 100).max() < 43


class Twins:
    """Thirty pairs of equal images."""

    def __len__(self):
        return 60

    def __getitem__(self, i):
        return np.random.default_rng(i // 2).integers(0, 255, (3, 32, 32)).astype(np.uint8)


def test_twins_stay_on_one_side():
    split = SeededSplit(FromDataset(Twins, 32), 5).load()
    assert 0 < split.held_out.sum() <= 6
    assert np.array_equal(split.held_out[::2], split.held_out[1::2])


def test_it_travels_in_a_recipe_and_on_the_command_line():
    split = SeededSplit(FACES, 3)
    assert codec.decode(codec.encode(split)) == split and split.size == 32
    assert codec.parse("SeededSplit(Faces(n=60, size=32, held_out=0.25), 3)") == split


def test_a_seed_that_is_no_whole_number_is_refused():
    with pytest.raises(UserError, match=r"seed=0\.5 in SeededSplit"):
        SeededSplit(FACES, 0.5)


def test_every_image_is_held_out_by_one_fold():
    splits = [SeededSplit(FACES, seed, folds=4).load() for seed in range(4)]
    held_out = np.stack([split.held_out for split in splits])
    assert (held_out.sum(0) == 1).all() and held_out.sum(1).tolist() == [15] * 4
    assert [split.split for split in splits] == [f"fold {k} of 4" for k in range(4)]
    again = SeededSplit(FACES, 5, folds=4).load()
    assert np.array_equal(again.held_out, held_out[1]) and again.digest == FACES.load().digest


def test_folds_keep_twins_together():
    folds = folds_of(np.arange(60) // 2, 7)
    assert np.array_equal(folds[::2], folds[1::2])
    assert set(np.bincount(folds).tolist()) <= {8, 10}  # whole pairs
    with pytest.raises(UserError, match="2 different images, near duplicates aside, make no 3"):
        folds_of(np.array([0, 0, 0, 3, 3]), 3)


def test_folds_are_no_part_of_older_digests():
    assert repr(SeededSplit(FACES, 3)) == f"SeededSplit(of={FACES!r}, seed=3)"
    assert "folds" not in codec.encode(SeededSplit(FACES, 3), brief=True)
    assert codec.parse("SeededSplit(Faces(n=60, size=32), folds=3)").folds == 3
    for folds in (1, -2, 101):
        with pytest.raises(UserError, match="expected 2 to 100, or 0"):
            SeededSplit(FACES, folds=folds)

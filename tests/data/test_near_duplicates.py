"""Near duplicates and the held-out split."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from scipy.cluster.hierarchy import DisjointSet
from scipy.spatial.distance import pdist, squareform

from bascule.core.errors import UserError
from bascule.data import near_duplicates
from bascule.data.near_duplicates import held_out_split, near_duplicate_groups, twins


def noise(n: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 3, size, size), dtype=np.uint8)


def smooth(n: int, channels: int = 3) -> np.ndarray:
    """Pictures of 16 px that differ most in the large, as photographs do; every fifth is a twin."""
    rng = np.random.default_rng(2)
    pixels = np.full((n, channels, 16, 16), 128.0)
    for squares, spread in ((1, 45), (2, 30), (4, 20), (8, 12)):
        drawn = rng.normal(0, spread, (n, channels, squares, squares))
        pixels += drawn.repeat(16 // squares, 2).repeat(16 // squares, 3)
    pixels[::5] = pixels[rng.integers(0, n, len(pixels[::5]))] + rng.normal(
        0, 9, (len(pixels[::5]), channels, 16, 16)
    )
    return pixels.clip(0, 255).astype(np.uint8)


def test_constructed_twins_and_only_they_are_grouped() -> None:
    pixels = noise(8)
    pixels[5] = pixels[2]  # a copy
    pixels[7] = pixels[0] // 2 + 64  # half the contrast: far in pixels
    pixels[6] = np.clip(pixels[1].astype(int) + 3, 0, 255)  # 3 / 255 brighter: below 12 / 255
    assert near_duplicate_groups(pixels, threshold=12 / 255).tolist() == [0, 1, 2, 3, 4, 2, 1, 7]
    assert twins(near_duplicate_groups(pixels)) == [[1, 6], [2, 5]]


@pytest.mark.parametrize("size", [8, 16, 20, 48])
def test_threshold_is_the_rms_of_16_by_16_means(size: int) -> None:
    grey = np.full((2, 3, size, size), 100, np.uint8)
    grey[1] = 110  # RMS difference of exactly 10 / 255, whatever the size
    assert near_duplicate_groups(grey, threshold=10.01 / 255).tolist() == [0, 0]
    assert near_duplicate_groups(grey, threshold=9.99 / 255).tolist() == [0, 1]


def test_groups_agree_with_all_pairs_computed_directly_whatever_the_boxes() -> None:
    rng = np.random.default_rng(1)
    seeds = noise(6, 16).astype(int)
    pixels = np.clip(seeds[rng.integers(0, 6, 40)] + rng.integers(-14, 15, (40, 3, 16, 16)), 0, 255)
    pixels = pixels.astype(np.uint8)
    flat = pixels.reshape(40, -1) / 255.0
    apart = np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(-1))
    linked = apart < 11.4 / 255
    assert 40 < linked.sum() < 300  # some pairs are on either side
    reach = np.linalg.matrix_power(linked.astype(float), 40) > 0
    expected = reach.argmax(1)  # the first image that a chain of twins leads to
    for most in (1, 7, 512):
        found = near_duplicate_groups(pixels, threshold=11.4 / 255, most=most)
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("most", [16, 100])
def test_groups_of_smooth_pictures_agree_with_all_pairs(channels: int, most: int) -> None:
    pixels = smooth(700, channels)
    apart = squareform(pdist(pixels.reshape(700, -1) / 255.0)) / np.sqrt(channels * 256)
    expected = DisjointSet(range(700))
    for i, j in np.argwhere(apart < 12 / 255):
        expected.merge(int(i), int(j))
    first = [min(expected.subset(k)) for k in range(700)]
    assert 50 < 700 - len(set(first)) < 650
    assert near_duplicate_groups(pixels, most=most).tolist() == first


def test_sketches_are_never_further_apart_than_their_thumbnails() -> None:
    for pixels in (smooth(100), noise(100, 16), np.full((2, 3, 16, 16), 255, np.uint8)):
        thumbs = near_duplicates._thumbnails(pixels, np.arange(len(pixels)))
        sketches = near_duplicates._sketches(thumbs)
        assert sketches.shape == (len(pixels), 49)
        assert (pdist(sketches) <= pdist(thumbs) * (1 + 1e-5) + 1e-5).all()
    thumbs = smooth(100).reshape(100, -1) / 255.0
    share = pdist(near_duplicates._sketches(thumbs)) / pdist(thumbs)
    assert np.median(share) > 0.8  # so that they tell most pictures apart


def pairs_computed(pixels: np.ndarray, most: int) -> tuple[int, int]:
    """How many distances of sketches and of thumbnails the search takes."""
    taken = {np.dtype(np.float32): 0, np.dtype(np.float64): 0}

    def closer(x: np.ndarray, y: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
        taken[x.dtype] += len(x) * len(y)
        return plain(x, y, limit)

    plain = near_duplicates._closer
    with patch.object(near_duplicates, "_closer", closer):
        near_duplicate_groups(pixels, most=most)
    return taken[np.dtype(np.float32)], taken[np.dtype(np.float64)]


def test_few_pairs_of_smooth_pictures_are_computed() -> None:
    sketches, thumbnails = pairs_computed(smooth(4000), most=64)
    every = 4000 * 4000 / 2
    assert sketches < 0.6 * every and thumbnails < 0.02 * every


def test_a_pile_of_copies_takes_linear_time() -> None:
    pile = np.broadcast_to(noise(1, 16), (4000, 3, 16, 16))
    few, many = (sum(pairs_computed(pile[:n], most=64)) for n in (1000, 4000))
    assert many < 5 * few


def test_memory_grows_by_half_a_kilobyte_an_image_at_most() -> None:
    def most_bytes(n: int) -> int:
        pile = np.broadcast_to(noise(1, 16), (n, 3, 16, 16))
        tracemalloc.start()
        near_duplicate_groups(pile, most=64)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    near_duplicate_groups(noise(2))  # so that no import is counted
    assert most_bytes(4000) - most_bytes(2000) < 2000 * 512  # their means alone have 6,144 bytes


def test_a_chain_is_one_group_though_its_ends_are_far_apart() -> None:
    ramp = np.stack([np.full((3, 16, 16), 10 * k, np.uint8) for k in range(9)])
    assert near_duplicate_groups(ramp, threshold=10.5 / 255).tolist() == [0] * 9


def test_split_holds_out_whole_groups_about_a_tenth_and_always_the_same() -> None:
    groups = np.repeat(np.arange(0, 600, 3), 3)  # 200 groups of three
    mask = held_out_split(groups)
    assert mask.dtype == np.bool_ and mask.shape == (600,)
    assert mask.sum() == 60
    assert set(groups[mask]).isdisjoint(groups[~mask])
    assert (mask == held_out_split(groups)).all()
    assert held_out_split(groups, share=0.5).sum() == 300
    assert np.flatnonzero(mask).min() > 0 or np.flatnonzero(mask).max() > 500  # not the first ones


def test_a_group_too_large_for_the_share_stays_in_training() -> None:
    mask = held_out_split(np.array([0] * 95 + list(range(95, 100))))
    assert not mask[:95].any() and mask[95:].all()


def test_two_images_give_one_on_each_side() -> None:
    assert held_out_split(np.array([0, 1])).sum() == 1
    assert held_out_split(np.array([0, 0, 0, 3])).tolist() == [False, False, False, True]


@pytest.mark.parametrize("groups", [[0], [0, 0, 0]])
def test_one_group_cannot_be_split(groups: list[int]) -> None:
    with pytest.raises(UserError, match="at least two different images"):
        held_out_split(np.array(groups))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_outside_0_1_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="share"):
        held_out_split(np.arange(10), share)

"""Twins by features, with features made by hand and with an extractor that is easy to follow."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.data.images import ImageSet
from bascule.evaluation.twins import EQUAL, LEAST, feature_twins, middle, twins_of, views

ALONE = np.arange(60)


def features(n: int = 60, d: int = 40) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)


def whitened(x: np.ndarray) -> np.ndarray:
    """An independent reference: rows on the leading 30 axes of a PCA, of length 1."""
    values, axes = np.linalg.eigh(np.cov(x.T.astype(float)))
    y = (x - x.mean(0)) @ axes[:, ::-1][:, :30] / np.sqrt(values[::-1][:30])
    return y / np.linalg.norm(y, axis=1, keepdims=True)


def test_distances_are_those_of_whitened_features():
    x = features()
    x[7] = x[3] + 0.1 * features(1)[0]
    found = twins_of(x, [], ALONE)
    apart = np.linalg.norm(whitened(x)[:, None] - whitened(x)[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    kept, threshold = ALONE, 0.05
    for _ in range(2):  # of each chain of twins found before, the first image is kept
        reach = np.linalg.matrix_power((apart < threshold) + np.eye(60), 60) > 0
        kept = np.unique(reach.argmax(1))
        logs = np.log(apart[:, kept].min(1)[kept])
        deviation = 2 * (np.median(logs) - np.quantile(logs, 0.3085))
        threshold = np.exp(np.median(logs) - 3.09 * deviation)
    assert found.threshold == pytest.approx(threshold, rel=1e-3)
    near = np.argwhere(np.triu(apart < found.threshold))
    assert sorted(map(tuple, found.pairs)) == sorted(map(tuple, near))
    assert found.pairs[0].tolist() == [3, 7] and found.new.all()
    assert found.distances[0] == pytest.approx(apart[3, 7])
    assert (np.diff(found.distances) >= 0).all()


def test_a_copy_that_only_a_view_shows_is_found():
    x = features()
    altered = features(120)[60:]
    assert [3, 7] not in twins_of(x, [altered], ALONE).pairs.tolist()
    x[7] = altered[3]  # image 7 is image 3 as altered
    found = twins_of(x, [altered], ALONE)
    assert found.pairs[0].tolist() == [3, 7] and found.distances[0] < 1e-6
    assert [3, 7] in found.groups


def test_near_equal_pixels_join_groups_but_do_not_move_the_threshold():
    x = features()
    plain = twins_of(x, [], ALONE)
    copies = np.concatenate([x, x[:30]])
    alike = np.concatenate([ALONE, ALONE[:30]])
    found = twins_of(copies, [], alike)
    assert found.threshold == pytest.approx(plain.threshold)
    assert all([k, k + 60] in found.pairs.tolist() for k in range(30))
    assert not found.new[[k < EQUAL for k in found.distances]].any()
    assert sum(map(len, found.groups)) >= 60


def test_a_set_in_which_every_image_is_mirrored_too_is_all_twins():
    """Then the nearest image of each is its mirror image, which says nothing of other images."""
    x, mirrored = features(), features(120)[60:]
    found = twins_of(np.concatenate([x, mirrored]), [np.concatenate([mirrored, x])], np.arange(120))
    pairs = found.pairs.tolist()
    assert all([k, k + 60] in pairs for k in range(60)) and len(pairs) < 70


def test_too_few_different_images_are_refused():
    told = f"40 different images: a search for twins by features needs at least {LEAST}"
    with pytest.raises(UserError, match=told):
        twins_of(features(), [], ALONE % 40)


def test_views_are_as_they_are_called():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 20), dtype=np.uint8)
    mirrored, grey, *middles = views(pixels)
    assert (mirrored == pixels[:, :, :, ::-1]).all()
    assert (grey[:, 0] == grey[:, 1]).all() and (grey[:, 0] == grey[:, 2]).all()
    r, g, b = pixels[0, :, 4, 5].astype(float)
    assert grey[0, 0, 4, 5] == round(0.299 * r + 0.587 * g + 0.114 * b)
    assert len(middles) == 2 and all(x.shape == pixels.shape for x in middles)
    ramp = np.broadcast_to(np.arange(0, 200, 10, dtype=np.uint8), (1, 3, 20, 20))
    zoomed = middle(ramp, 0.8)[0, 0, 0].astype(float)  # of 20 columns, 2 are cut from each side
    assert zoomed[0] == pytest.approx(20, abs=2) and zoomed[-1] == pytest.approx(170, abs=2)
    assert (middle(pixels, 1.0) == pixels).all()


class Corners:
    """The means of 16 blocks, each of 3 channels: what is where, but not exactly."""

    name = spec = "corners"

    def __call__(self, images, progress=None):
        if progress:
            progress(len(images), len(images))
        n, side = len(images), images.shape[-1] // 4
        blocks = images.reshape(n, 3, 4, side, 4, side).astype(np.float32)
        return blocks.mean((3, 5)).reshape(n, 48)


def test_of_an_image_set_a_mirrored_copy_is_found():
    pixels = np.random.default_rng(1).integers(0, 256, (60, 3, 4, 4), dtype=np.uint8)
    pixels = pixels.repeat(4, 2).repeat(4, 3)
    pixels[50] = pixels[8][..., ::-1]
    images = ImageSet("mine", pixels, np.zeros(60, bool), {}, "digest", "")
    seen = []
    found = feature_twins(images, Corners(), lambda done, of: seen.append((done, of)))
    assert found.pairs[0].tolist() == [8, 50] and found.new[0]
    assert seen[-1] == (300, 300) and seen == sorted(seen)

"""The border of extractors: what they take, in which batches, and how their numbers are called."""

import numpy as np
import pytest
import torch
from PIL import Image

from bascule.core.errors import UserError
from bascule.features.extractor import PUBLISHED, as_rgb, in_batches, label
from bascule.features.random_conv import RandomConv


class Mean:
    """Each image's mean, as (N, 1): enough of an extractor."""

    name, spec = "mean,8px", "mean"

    def __call__(self, images, progress=None):
        return in_batches(self, images, lambda x: x.float().mean((1, 2, 3))[:, None], 4, progress)


def pictures(n=10, side=8):
    return np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def test_rows_follow_the_images_over_batches_and_progress_is_told():
    told = []
    x = pictures()
    features = Mean()(x, lambda done, of: told.append((done, of)))
    assert features.dtype == np.float32 and features.shape == (10, 1)
    assert features[:, 0] == pytest.approx(x.mean((1, 2, 3)), abs=1e-4)
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_a_read_only_memory_map_is_fine(tmp_path):
    np.save(tmp_path / "x.npy", pictures())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(Mean()(mapped), Mean()(pictures()))


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (pictures().astype(np.float32) / 127.5 - 1, "as_uint8"),
        (pictures()[0], "shape"),
        (pictures()[:, :2], "shape"),
        (pictures()[:0], "shape"),
        (pictures()[..., :0], "shape"),
        (np.zeros((2, 5, 8, 8), np.uint8), "shape"),
    ],
)
def test_other_images_are_refused_in_one_line(wrong, word):
    with pytest.raises(UserError, match=word) as refusal:
        Mean()(wrong)
    assert "\n" not in str(refusal.value)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match=r"mean,8px are not all finite"):
        in_batches(Mean(), pictures(), lambda x: torch.full((len(x), 2), torch.nan), 4)


def test_only_the_published_network_has_the_published_names():
    published = Mean()
    published.name = PUBLISHED
    assert label("KID", Mean()) == "KID[mean,8px]"
    assert label("FD", Mean()) == "FD[mean,8px]"
    assert label("FD", published) == label("FID", published) == "FID"
    assert label("KID", published) == "KID"
    assert label("coverage", published) == "coverage[inception-v3,299px]"


def test_grey_is_repeated_and_rgba_is_blended_with_white():
    grey = pictures()[:, :1]
    assert np.array_equal(as_rgb(torch.from_numpy(grey)).numpy(), np.repeat(grey, 3, 1))
    rgba = np.random.default_rng(1).integers(0, 256, (5, 4, 8, 6), dtype=np.uint8)
    found = as_rgb(torch.from_numpy(rgba)).numpy()
    for pixels, blended in zip(rgba, found, strict=True):
        picture = Image.fromarray(pixels.transpose(1, 2, 0))
        white = Image.new("RGBA", picture.size, "white")
        expected = np.asarray(Image.alpha_composite(white, picture).convert("RGB"), int)
        assert np.abs(expected - blended.transpose(1, 2, 0)).max() <= 1  # Pillow rounds twice


def test_pictures_that_are_not_square_become_the_square_of_the_network():
    wide = np.random.default_rng(2).integers(0, 256, (3, 3, 64, 192), dtype=np.uint8)
    stretched = np.stack(
        [
            np.asarray(
                Image.fromarray(one.transpose(1, 2, 0)).resize((64, 64), Image.Resampling.BICUBIC)
            ).transpose(2, 0, 1)
            for one in wide
        ]
    )
    extractor = RandomConv()
    near = np.abs(extractor(wide) - extractor(stretched)).mean()
    assert near < 0.02 * np.abs(extractor(wide)).mean()  # but for rounding to 8 bits

"""Quality of pictures whose faults are known."""

import pytest
import torch

from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.diagnostics.quality import OF_HELD_OUT, Likeness, Quality


def blobs(n: int, name: str) -> torch.Tensor:
    """Smooth random pictures, all of one law."""
    small = torch.rand(n, 3, 4, 4, generator=generator("blobs", name))
    big = torch.nn.functional.interpolate(small, 32, mode="bicubic", antialias=False)
    return (big.clamp(0, 1) * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def quality():
    return Quality(blobs(200, "train"), blobs(80, "held out"))


def test_fresh_pictures_are_at_the_floor(quality):
    row = quality.row(blobs(80, "fresh"))
    assert abs(row["mmd"]) < 3 * row["mmd_se"]
    assert row["coverage"] == pytest.approx(row["coverage_floor"], abs=0.06)
    for ratio in ("vendi_ratio", "distance_ratio", "rank_ratio"):
        assert row[ratio] == pytest.approx(1, abs=0.15)
    for ratio in ("nearest_10", "nearest_50"):
        assert row[ratio] == pytest.approx(1, abs=0.15)
    assert row["one_nn_fake"] == pytest.approx(0.5, abs=0.2)
    assert abs(row["C_T"]) < 3


def test_copies_are_near_and_otherwise_perfect(quality):
    row = quality.row(blobs(200, "train")[60:140])  # beyond the part that fakes are compared with
    assert row["C_T"] < -5
    assert row["nearest_10"] == row["nearest_50"] == 0
    assert abs(row["mmd"]) < 3 * row["mmd_se"]


def test_few_kinds_are_few(quality):
    row = quality.row(blobs(4, "fresh").repeat(20, 1, 1, 1))
    assert row["vendi_ratio"] < 0.4
    assert row["rank_ratio"] < 0.2
    assert row["coverage"] < 0.5 * row["coverage_floor"]
    assert row["one_nn_fake"] == 1


def test_other_pictures_are_far(quality):
    row = quality.row(255 - blobs(80, "fresh") // 3)
    assert row["mmd"] > 10 * row["mmd_se"]
    assert row["one_nn_fake"] > 0.9
    assert row["nearest_50"] > 1


def test_too_few_images_are_refused():
    with pytest.raises(UserError, match="49 held-out and 80 training images"):
        Quality(blobs(80, "train"), blobs(49, "held out"))
    with pytest.raises(UserError, match="80 held-out and 60 training images"):
        Quality(blobs(60, "train"), blobs(80, "held out"))


def test_names_of_what_needs_held_out_pictures(quality):
    assert set(OF_HELD_OUT) < quality.row(blobs(80, "fresh")).keys()


def test_without_held_out_pictures_grey_and_few_kinds_are_seen_and_fresh_ones_pass():
    likeness = Likeness(blobs(80, "train"))
    fresh = likeness.row(blobs(80, "fresh"))
    assert abs(fresh["mmd"]) < 3 * fresh["mmd_se"] and not set(OF_HELD_OUT) & fresh.keys()
    for ratio in ("vendi_train", "rank_train", "distance_train", "contrast_train"):
        assert fresh[ratio] == pytest.approx(1, abs=0.15)
    grey = likeness.row(torch.full((80, 3, 32, 32), 128, dtype=torch.uint8))
    assert grey["contrast_train"] == 0 and grey["mmd"] > 10 * grey["mmd_se"]
    few = likeness.row(blobs(4, "fresh").repeat(20, 1, 1, 1))
    assert few["vendi_train"] < 0.4 and few["rank_train"] < 0.2
    assert few["contrast_train"] == pytest.approx(1, abs=0.3)

"""Image sets and their face to PyTorch."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from bascule.core.errors import UserError
from bascule.data.images import (
    ImageSet,
    ImageSubset,
    credits_of,
    digest_of,
    from_dataset,
    in_chunks,
)


def noise(n: int = 20, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 3, size, size), dtype=np.uint8)


def an_image_set() -> ImageSet:
    held_out = np.zeros(20, bool)
    held_out[[3, 7]] = True
    return ImageSet("noise", noise(), held_out, {}, "", "")


class Listed(torch.utils.data.Dataset):
    def __init__(self, items: list) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> object:
        return self.items[i]


def test_splits_partition_the_set() -> None:
    images = an_image_set()
    assert images.indices("held_out").tolist() == [3, 7]
    assert sorted([*images.indices("train"), 3, 7]) == images.indices("all").tolist()
    assert images.size == 16 and len(images) == 20
    with pytest.raises(UserError, match="unknown split 'test'"):
        images.indices("test")  # type: ignore[arg-type]


def test_as_dataset_gives_floats_where_0_is_minus_1_and_255_is_1() -> None:
    images = an_image_set()
    images.pixels[3, :, 0, 0] = (0, 51, 255)
    batch = next(iter(DataLoader(images.as_dataset("held_out"), batch_size=2)))
    assert batch.shape == (2, 3, 16, 16) and batch.dtype == torch.float32
    assert batch[0, :, 0, 0].tolist() == pytest.approx([-1.0, -0.6, 1.0], abs=1e-6)
    assert len(images.as_dataset()) == 18  # type: ignore[arg-type]


def test_tensors_do_not_share_a_read_only_map() -> None:
    images = an_image_set()
    images.pixels.setflags(write=False)
    images.as_dataset("all")[0].fill_(0.0)
    assert (images.pixels == noise()).all()


def test_a_subset_is_a_tensor_that_stays_where_it_is(tmp_path) -> None:
    np.save(tmp_path / "x.npy", noise())
    pixels, held_out = np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(20) % 3 == 0
    images = ImageSet("x", pixels, held_out, {}, "", "")
    subset, whole = images.subset("train"), torch.from_numpy(noise()[~held_out])
    assert len(subset) == len(whole) and subset.to(torch.device("cpu")) is subset
    assert np.shares_memory(subset.pixels, pixels)
    places = torch.tensor([2, 0, 2, 5])
    for asked in (places, slice(1, 4), slice(None)):
        assert torch.equal(subset[asked], whole[asked])
    subset[places].zero_()  # a copy
    assert torch.equal(subset.whole, whole)
    assert torch.equal(images.subset("held_out").whole, torch.from_numpy(noise()[held_out]))


def test_a_subset_is_sent_to_another_device_in_pieces(monkeypatch) -> None:
    monkeypatch.setattr("bascule.data.images.PIECE", 4)
    subset = ImageSubset(noise(), np.arange(1, 20))
    sent = subset.to(torch.device("meta"))
    assert sent.shape == (19, 3, 16, 16) and sent.dtype == torch.uint8


def test_digest_is_sha256_of_bytes_then_shape_whatever_the_chunks() -> None:
    pixels = noise(5)
    expected = hashlib.sha256(pixels.tobytes() + b"(5, 3, 16, 16)").hexdigest()
    assert digest_of(in_chunks(pixels, 2), pixels.shape) == expected
    assert digest_of([pixels], (5, 3, 8, 32)) != expected


@pytest.mark.parametrize(
    "pixels", [noise().astype(float), noise()[:, :2], noise()[0]], ids=["float", "channels", "one"]
)
def test_other_arrays_are_no_image_set(pixels: np.ndarray) -> None:
    with pytest.raises(UserError, match="expected uint8"):
        ImageSet("x", pixels, np.zeros(len(pixels), bool), {}, "", "")


def test_labels_and_mask_must_be_as_long_as_the_set() -> None:
    with pytest.raises(UserError, match="wrong: hair"):
        ImageSet("x", noise(), np.zeros(20, bool), {"hair": np.zeros(19)}, "", "")
    with pytest.raises(UserError, match="wrong: held_out"):
        ImageSet("x", noise(), np.zeros(19, bool), {}, "", "")


def test_from_dataset_takes_uint8_unit_and_signed_floats_and_pictures_alike() -> None:
    pixels = noise()
    pixels[0, 0, 0, 0] = 0  # so that the signed floats do reach below 0
    tensors = torch.from_numpy(pixels)
    kinds = {
        "uint8": list(tensors),
        "unit": list(tensors.float() / 255),
        "signed": list(tensors.float() / 127.5 - 1),
        "half": list(tensors.double() / 255),
        "pictures": [Image.fromarray(p.transpose(1, 2, 0)) for p in pixels],
    }
    for kind, items in kinds.items():
        images = from_dataset(kind, Listed(items))
        assert (images.pixels == pixels).all(), kind
        assert images.digest == digest_of([pixels], pixels.shape)
        assert 0 < images.held_out.sum() < 20


def test_credits_stand_once_each_and_sets_without_one_leave_no_line() -> None:
    assert credits_of(["me", "", "you\nBY", "me"]) == "me\nyou\nBY" and credits_of([""]) == ""


def test_the_float_range_is_that_of_the_whole_set() -> None:
    bright, dark = torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), -1.0)
    # 0.5 is 128 (127.5 rounds to even) where all is in [0, 1], and 191 where one value is negative
    assert from_dataset("a", Listed([bright, bright * 0])).pixels[0, 0, 0, 0] == 128
    assert from_dataset("b", Listed([bright, dark])).pixels[0, 0, 0, 0] == 191


def test_grey_is_copied_and_labels_are_kept() -> None:
    grey = torch.from_numpy(noise())[:, :1]
    images = from_dataset("grey", TensorDataset(grey, torch.arange(20)))
    assert (images.pixels == grey.numpy()).all() and images.pixels.shape[1] == 3
    assert images.labels["label"].tolist() == [str(k) for k in range(20)]
    angles = from_dataset("angles", Listed([(g[0], 0.5) for g in grey])).labels["label"]
    assert angles.dtype == np.float64 and angles.tolist() == [0.5] * 20


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([torch.zeros(3, 8, 8)], "at least 2"),
        ([torch.zeros(3, 8, 8), torch.zeros(3, 9, 9)], "image 1 is float32"),
        ([torch.zeros(3, 8, 9)] * 2, r"shape \(3, 8, 9\)"),
        ([torch.zeros(4, 8, 8)] * 2, r"shape \(4, 8, 8\)"),
        ([torch.full((3, 8, 8), 2.0), torch.zeros(3, 8, 8)], r"span \[0, 2\]"),
        ([torch.full((3, 8, 8), float("nan")), torch.zeros(3, 8, 8)], "span"),
        ([torch.zeros(3, 8, 8, dtype=torch.int64)] * 2, "torch.int64"),
        (["a.png", "b.png"], "is a str"),
        ([torch.zeros(3, 8, 8)] * 2, "near duplicates of one another"),
        ([(torch.zeros(3, 8, 8), 1), torch.ones(3, 8, 8)], "1 of 2 items have a label"),
    ],
)
def test_from_dataset_refuses(items: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_dataset("bad", Listed(items))

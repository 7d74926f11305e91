"""Any PyTorch dataset as the images of a recipe."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from bascule.core.errors import UserError
from bascule.core.shapes import Shape
from bascule.data.dataset import FromDataset
from bascule.data.imported import Imported, import_dataset, import_images, store_dataset


class Noise(Dataset):
    """32 different pictures of 16 px with a label."""

    def __len__(self):
        return 32

    def __getitem__(self, i):
        return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(i)), i % 2


def arrays():
    return [(np.asarray(x.permute(1, 2, 0)) * 255).astype(np.uint8) for x, _ in pairs()]


def pairs():
    return [Noise()[i] for i in range(32)]


def pictures():
    return [Image.fromarray(array) for array in arrays()]


def of_one_size_too_few():
    return [torch.zeros(3, 16, 16)]


@pytest.mark.parametrize("of", [Noise, Noise(), pairs, arrays, pictures])
def test_a_class_a_dataset_and_a_function_that_makes_one(of):
    images = FromDataset(of, 16).load()
    assert len(images) == 32 and images.size == 16
    assert images.digest == FromDataset(of, 16).load().digest
    assert ("label" in images.labels) == (of not in (arrays, pictures))


def test_pictures_and_arrays_hold_the_same_pixels():
    assert FromDataset(arrays, 16).load().digest == FromDataset(pictures, 16).load().digest


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda root: root, "give a function that needs no arguments"),
        (lambda: 3, "expected an object with __len__ and __getitem__"),
        (of_one_size_too_few, "expected at least 2"),
        (pairs, "are 16 px, not 32 px: resize them"),
    ],
)
def test_what_makes_no_such_images_is_refused_in_one_line(of, said):
    with pytest.raises(UserError) as refusal:
        FromDataset(of, 32).load()
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


class Rows:
    """Rows as those of Hugging Face: pictures of several sizes, a class and a text."""

    features = {"class": SimpleNamespace(names=["cat", "dog"]), "image": None}  # noqa: RUF012

    def __len__(self):
        return 30

    def __getitem__(self, i):
        pixels = np.random.default_rng(i).integers(0, 256, (20 + i, 24, 3), np.uint8)
        return {"id": i, "image": Image.fromarray(pixels), "class": i % 2, "by": f"artist {i % 3}"}


def test_rows_are_prepared_like_files_and_keep_their_labels(tmp_path):
    for i in range(30):
        Rows()[i]["image"].save(tmp_path / f"{i:02d}.png")
    import_images(tmp_path, "files", size=16)
    report = import_dataset(Rows(), "rows", size=16)
    files, rows = Imported("files", 16).load(), Imported("rows", 16).load()
    assert np.array_equal(files.pixels, rows.pixels) and report.imported == 30
    assert rows.labels["class"].tolist() == ["cat", "dog"] * 15
    assert rows.labels["by"][4] == "artist 1" and set(rows.labels) == {"id", "class", "by"}


def test_a_stored_dataset_is_named_by_its_content():
    one = store_dataset(Rows(), "pets", 16)
    assert one == store_dataset(Rows(), "pets", 16) and one.name.startswith("pets-")
    assert store_dataset(pictures, "pets", 16).name != one.name
    grey = store_dataset(Rows(), "pets", Shape(1, 16, 32))
    assert grey.name == one.name and grey.load().pixels.shape == (30, 1, 16, 32)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ({"train": Rows(), "test": Rows()}, r"a dictionary of datasets: .* dataset\['train'\]"),
        ([{"a": 1}, {"a": 2}], "has 0 pictures in its columns a"),
        ([{"a": np.zeros((9, 9)), "b": np.zeros((9, 9))}] * 2, "has 2 pictures in its columns"),
        ([Rows()[0], {"image": Rows()[1]["image"]}], "1 of 2 items have a label"),
    ],
)
def test_rows_that_hold_no_such_pictures_are_refused_in_one_line(of, said):
    with pytest.raises(UserError, match=said) as refusal:
        store_dataset(of, "bad", 16)
    assert "\n" not in str(refusal.value)

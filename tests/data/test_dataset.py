"""Any PyTorch dataset as the images of a recipe."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from bascule.core.errors import UserError
from bascule.data.dataset import FromDataset


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

"""Images of one's own: any PyTorch `Dataset` with a length and items.

Its items are pictures, or (picture, label); see `bascule.data.images.from_dataset` for their forms.
A tenth of them is held out for measuring, and training never sees it.

    bascule train dcgan64-tiny --data my_data.py:MySet --set epochs=5
"""

import torch
from torch import Tensor
from torch.utils.data import Dataset


class MySet(Dataset):
    """400 discs, float (3, 64, 64) in [0, 1], each of one colour, at a place of its own."""

    def __len__(self) -> int:
        return 400

    def __getitem__(self, i: int) -> Tensor:
        rng = torch.Generator().manual_seed(i)  # the same picture every time
        x, y, radius, *colour = torch.rand(6, generator=rng).tolist()
        along = torch.arange(64)
        squared = (along - 20 - 24 * x).square() + (along[:, None] - 20 - 24 * y).square()
        inside = squared < (6 + 12 * radius) ** 2
        return torch.where(inside, torch.tensor(colour)[:, None, None], 1.0)

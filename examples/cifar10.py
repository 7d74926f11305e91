"""CIFAR-10 with its official test set, as an image set of one's own.

The first command downloads 170 MB, by torchvision (`pip install torchvision`), into `cifar10/`.

    bascule data import cifar10.py:train --held-out cifar10.py:test --name cifar10 --size 32
"""

from torchvision.datasets import CIFAR10

FOLDER = "cifar10"


def train() -> CIFAR10:
    """50,000 pictures of 32 px with labels, to train on."""
    return CIFAR10(FOLDER, train=True, download=True)


def test() -> CIFAR10:
    """10,000 more, to be held out."""
    return CIFAR10(FOLDER, train=False, download=True)

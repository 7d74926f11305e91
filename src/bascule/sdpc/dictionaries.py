"""An image of a network's dictionaries: every atom as the image patch that it draws."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bascule.data.grid import grid
from bascule.sdpc.model import Network

SIDE = 32  # smallest width of an atom in pixels
COLUMNS = 16


def dictionaries(network: Network) -> Image.Image:
    """The layers one below the other, 16 atoms per row, each scaled to its own contrast.

    Grey is 0. The atoms of higher layers are projected to pixels through the dictionaries below.
    """
    sheets = [
        np.asarray(grid(patches(network.projected(layer)), COLUMNS))
        for layer in range(1, len(network.layers) + 1)
    ]
    width = max(sheet.shape[1] for sheet in sheets)
    white = [
        np.pad(sheet, ((0, 8), (0, width - sheet.shape[1]), (0, 0)), constant_values=255)
        for sheet in sheets
    ]
    return Image.fromarray(np.concatenate(white)[:-8])


def patches(atoms: Tensor) -> Tensor:
    """Atoms (K, C, s, s) -> uint8 RGB (K, 3, S, S), enlarged by a whole factor."""
    top = atoms.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(atoms.dtype).tiny)
    bytes_ = (atoms / top * 127.5 + 127.5).round().to(torch.uint8).cpu()
    if bytes_.shape[1] == 1:
        bytes_ = bytes_.expand(-1, 3, -1, -1)
    times = max(1, -(-SIDE // atoms.shape[-1]))
    return bytes_.repeat_interleave(times, 2).repeat_interleave(times, 3)

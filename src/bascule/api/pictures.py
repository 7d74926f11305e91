"""Pictures that a run drew, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bascule.core import atomic, html
from bascule.data.decoding import as_picture
from bascule.data.grid import grid

MOST_SHOWN = 64  # in a notebook
COLUMNS = 8


@dataclass(frozen=True, eq=False)
class Pictures:
    """Drawn pictures.

    pixels  uint8 (n, C, H, W) in [0, 255]; C is 3 (RGB), 1 (grey) or 4 (RGBA)
    told    what they are
    credit  licence and credit lines of the images that the network learned from
    """

    pixels: np.ndarray
    told: str
    credit: str = ""

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, k: int) -> Image.Image:
        """One picture, as a PIL image."""
        return as_picture(self.pixels[k])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.pixels, dtype=dtype)

    def grid(self, columns: int = COLUMNS) -> Image.Image:
        """All pictures in one, row by row."""
        return grid(torch.from_numpy(self.pixels), min(columns, len(self)))

    def save(self, folder: str | Path) -> Path:
        """Write them as PNG files into ``folder``, with CREDIT.txt beside them."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        width = max(5, len(str(len(self) - 1)))
        for k in range(len(self)):
            atomic.write_png(place / f"{k:0{width}d}.png", self[k], sync=False)
        atomic.write(place / "CREDIT.txt", f"{self.told}\n{self.credit}\n")
        return place

    def __repr__(self) -> str:
        return f"<{self.told}>"

    def _repr_html_(self) -> str:
        shown = Pictures(self.pixels[:MOST_SHOWN], self.told)
        first = f", the first {MOST_SHOWN}" if len(self) > MOST_SHOWN else ""
        return html.picture(shown.grid(), self.told) + html.lines(self.told + first, self.credit)

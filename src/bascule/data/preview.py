"""A picture of what an import would keep of some files, and of what it would cut away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bascule.core.errors import UserError
from bascule.data.decoding import Preparation, as_mode, as_picture, decode_as, opened
from bascule.data.found import Found
from bascule.data.sources import open_source

MOST = 12  # files that are shown
TRIED = 60  # files that are looked at, because some are no pictures
SIDE = 160  # px, of the cells
GAP = 8
DARK = 0.25  # brightness of what is cut away


def preview(path: Path, how: Preparation) -> tuple[Image.Image, int, int]:
    """Some files of a source, each beside what ``how`` makes of it; how many, and of how many.

    They are chosen at random, always the same ones. Raises UserError as
    :func:`bascule.data.sources.open_source`, and if none of them is a picture.
    """
    cells: list[Image.Image] = []
    with open_source(path) as found:
        for place in np.random.default_rng(0).permutation(len(found))[:TRIED]:
            if len(cells) < MOST and (cell := _cell(found[int(place)], how)):
                cells.append(cell)
        if not cells:
            raise UserError(f"{path} holds no pictures that can be shown")
        return _sheet(cells), len(cells), len(found)


def _cell(file: Found, how: Preparation) -> Image.Image | None:
    try:
        # Decoded first, because that checks the number of pixels.
        after, before = file.prepared(lambda stored: (decode_as(stored, how), _marked(stored, how)))
    except ValueError:
        return None
    cell = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
    for left, picture in ((0, before), (SIDE + GAP, as_picture(after.pixels))):
        shown = _within(picture)
        cell.paste(shown, (left, 0), shown if shown.mode == "RGBA" else None)
    return cell


def _marked(stored: bytes | np.ndarray, how: Preparation) -> Image.Image:
    """The whole picture; what is cut away is dark."""
    if isinstance(stored, bytes):
        with opened(stored) as picture:
            whole = as_mode(picture, how.shape.channels, how.bits).convert("RGB")
    else:
        whole = as_picture(np.atleast_3d(stored).transpose(2, 0, 1)).convert("RGB")
    kept = how.kept(whole.size)
    marked = whole.point(lambda value: int(value * DARK))
    marked.paste(whole.crop(kept), kept[:2])
    return marked


def _within(picture: Image.Image) -> Image.Image:
    """``picture`` as large as a cell, in its proportions."""
    scale = SIDE / max(picture.size)
    sides = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return picture.resize(sides, method)


def _sheet(cells: list[Image.Image]) -> Image.Image:
    """Cells in two columns."""
    wide, high = cells[0].width + 3 * GAP, SIDE + GAP
    rows = -(-len(cells) // 2)
    sheet = Image.new("RGB", (min(2, len(cells)) * wide - 3 * GAP, rows * high - GAP), "white")
    for k, cell in enumerate(cells):
        sheet.paste(cell, (k % 2 * wide, k // 2 * high))
    return sheet

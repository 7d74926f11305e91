"""The pictures that a page shows first, and those of all arms, at their own size."""

import io
from dataclasses import replace

import numpy as np
import pytest
from fakes import fake_results
from PIL import Image

from bascule.reports import gallery
from bascule.reports.figures import png
from bascule.training.grid import GAP


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fake_results(tmp_path_factory.mktemp("runs"), (0, 1))


def test_a_gallery_holds_the_very_pixels_and_its_figure_too(results):
    found = gallery.gallery(results)
    assert [name for name, _ in found.rows] == list(results.runs)
    for (_, pixels), by_seed in zip(found.rows, results.runs.values(), strict=True):
        with Image.open(by_seed[0].sample(20)) as grid:
            assert np.array_equal(pixels, np.asarray(grid)[:32])
    with Image.open(io.BytesIO(png(found.drawn))) as drawn:
        sheet = np.asarray(drawn.convert("RGB"))
    top = 0
    for _, pixels in found.rows:
        h, w = pixels.shape[:2]
        assert np.array_equal(sheet[top : top + h, -w:], pixels)  # names are to the left
        top += h + 10
    assert len(sheet) == top - 10


def test_the_hero_shows_few_arms_in_several_rows_and_those_that_matter(results, monkeypatch):
    found = gallery.hero(results)
    assert [name for name, _ in found.rows] == list(results.runs)
    assert all(len(pixels) == 2 * (32 + GAP) - GAP for _, pixels in found.rows)
    assert "20 epochs, seed 0" in found.caption
    monkeypatch.setattr(gallery, "HERO_ROWS", 2)
    plain, perfect, noised = results.runs
    shown = [name for name, _ in gallery.hero(results, ["", noised, "no arm", perfect]).rows]
    assert shown == [perfect, noised] and plain not in shown


def test_there_is_no_hero_where_nothing_may_be_shown_or_was_drawn(results):
    hidden = replace(results.experiment, pictures=False)
    assert gallery.hero(replace(results, experiment=hidden)) is None
    nothing = {arm: {} for arm in results.runs}
    assert gallery.hero(replace(results, runs=nothing)) is None

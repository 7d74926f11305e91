"""The pictures that a page shows first, and those of all arms, at their own size."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bascule.data.grid import GAP
from bascule.interventions import DiffAugment, PerfectG, ResetD, WarmStart
from bascule.reports import gallery
from bascule.reports.figures import png
from fakes import fake_results


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


REAL, FAKE = (200, 40, 40), (40, 40, 200)
SIDE = 32


def keep_shown(run, epoch: int, last: tuple[int, int, int] = FAKE) -> None:
    """Four rows of four reals and fakes in plain colours, the last fake in one of its own."""
    wide = 4 * SIDE + 3 * GAP
    sheet = np.full((wide, 2 * wide + 8 * GAP, 3), 255, np.uint8)
    sheet[:, :wide], sheet[:, -wide:] = REAL, FAKE
    sheet[-SIDE:, -SIDE:] = last
    Image.fromarray(sheet).save(run.shown(epoch))


def test_fakes_that_D_judged_are_told_eight_in_a_row(tmp_path):
    run = fake_results(tmp_path).runs["perfect G"][0]
    assert gallery.judged_fakes(run) is None
    keep_shown(run, 20, last=(0, 255, 0))
    one, two = gallery.judged_fakes(run), gallery.judged_fakes(run, 2)
    assert one.shape == (SIDE, 8 * SIDE + 7 * GAP, 3)
    assert two.shape == (2 * SIDE + GAP, 8 * SIDE + 7 * GAP, 3)
    assert (one[:, :SIDE] == FAKE).all() and not (one == REAL).all(-1).any()
    assert (two[-SIDE:, -SIDE:] == (0, 255, 0)).all() and (one[:, -SIDE:] == FAKE).all()


def test_the_first_view_shows_them_for_arms_with_changed_rules(tmp_path):
    results = fake_results(tmp_path)
    assert gallery.hero(results).rows[0][0] == "plain"
    for by_seed in results.runs.values():
        keep_shown(by_seed[0], 20)
    shown = gallery.hero(results, ["plain", "perfect G"])
    names = [name for name, _ in shown.rows]
    assert names[:2] == ["plain: G draws", "perfect G: fakes shown to D"]
    assert "the fakes that D is shown" in shown.caption
    assert (dict(shown.rows)["perfect G: fakes shown to D"][:SIDE, :SIDE] == FAKE).all()


def test_reals_and_fakes_stand_beside_each_other(tmp_path):
    runs = {arm: by_seed[0] for arm, by_seed in fake_results(tmp_path).runs.items()}
    assert gallery.judged(runs, 0) is None
    keep_shown(runs["plain"], 20)
    (row,) = gallery.judged(runs, 0).rows
    assert row[0] == "plain" and (row[1][0, 0] == REAL).all() and (row[1][0, -1] == FAKE).all()


@pytest.mark.parametrize(
    ("change", "alters"),
    [(PerfectG(3), True), (DiffAugment(), True), (ResetD(), False), (WarmStart(), False)],
)
def test_rules_that_change_no_picture_are_told_from_those_that_do(change, alters):
    assert gallery._alters(change) == alters

"""The page over several experiments."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from bascule.data.grid import GAP, grid
from bascule.presets import cyclegan_light
from bascule.reports.gallery import gallery, last_rows
from bascule.reports.note import write_experiment_note
from bascule.reports.summary import write_summary
from fakes import ARMS, CREDIT, fake_results, judged


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    first = fake_results(tmp_path_factory.mktemp("a"))
    second = fake_results(tmp_path_factory.mktemp("b"), question="Is D fooled | twice?")
    second = replace(second, experiment=replace(second.experiment, name="other"))
    nothing = judged(replace(first.experiment, name="unborn"), (0, 1, 2), {arm: {} for arm in ARMS})
    return [first, second, nothing]


def test_the_page_holds_every_question_verdict_effect_and_cost(told, tmp_path):
    page = write_summary(told, tmp_path, "notebook", CREDIT)
    text = page.with_suffix(".md").read_text("utf-8")
    for results in told[:2]:
        assert results.verdict.word in text
        for finding in results.verdict.findings:
            assert finding.prediction.claim().replace("|", "\\|") in text
    assert "Is D fooled \\| twice?" in text
    assert "unborn" in text and "Of 2 experiments that were run" in text
    assert "1 min 30 s, " in text or "min" in text
    assert CREDIT.splitlines()[0] in text
    assert len(list((tmp_path / "figures").glob("summary-gallery-*.png"))) == 2


def test_the_gallery_shows_a_row_an_arm_as_the_grids_do(told):
    drawn = gallery(told[0])
    assert drawn is not None and "seed 0" in drawn.caption
    run = told[0].runs["plain"][0]
    with Image.open(run.sample(20)) as grid:
        assert np.array_equal(last_rows(run), np.asarray(grid)[:32])


def test_of_a_translator_it_shows_what_becomes_of_the_pictures_too(tmp_path):
    """Three rows of a grid, 10, 20 and 30 bright: what is given, what it becomes, the way back."""
    (tmp_path / "samples").mkdir()
    pictures = torch.tensor([10, 20, 30]).repeat_interleave(8).view(24, 1, 1, 1)
    path = tmp_path / "samples" / "epoch-0004.png"
    grid(pictures.expand(24, 3, 64, 64).to(torch.uint8), 8).save(path)
    run = SimpleNamespace(folder=tmp_path, sample=lambda epoch: path, recipe=cyclegan_light)
    rows = last_rows(run)
    assert rows.shape == (2 * 64 + GAP, 8 * (64 + GAP) - GAP, 3)
    assert set(rows[:64, :64].flat) == {10} and set(rows[-64:, :64].flat) == {20}


def test_pictures_that_may_not_be_published_are_nowhere(told, tmp_path):
    hidden = replace(told[0], experiment=replace(told[0].experiment, pictures=False))
    assert gallery(hidden) is None
    for page in (
        write_experiment_note(hidden, tmp_path, CREDIT),
        write_summary([hidden], tmp_path, "one", CREDIT),
    ):
        assert "data:image/webp" not in page.read_text("utf-8")
    assert not list((tmp_path / "samples").iterdir())
    assert not list((tmp_path / "figures").glob("*gallery*"))

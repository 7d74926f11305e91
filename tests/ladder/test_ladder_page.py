"""A ladder's page: who draws best, after how many minutes, beside the floor."""

import pytest

from bascule.ladder.report import kid_by_minutes, write_ladder
from fakes import CREDIT, fake_ladder


@pytest.fixture
def results(tmp_path):
    return fake_ladder(tmp_path)


def test_points_are_minutes_of_training_and_kid(results):
    run = results.runs["new"][0]
    assert kid_by_minutes(run) == [(5.0, 0.6), (10.0, 0.3)]
    assert kid_by_minutes(results.runs["old"][1]) == [(10.0, 1.0)]


def test_the_page_is_a_note_with_the_ladder_before_all_else(results, tmp_path):
    page = write_ladder(results, tmp_path / "note", CREDIT, "bascule ladder old new")
    text = page.with_suffix(".md").read_text("utf-8")
    assert text.index("The ladder") < text.index("Uncurated") < text.index("Predictions")
    assert text.count("| recipe | minutes | epochs |") == 1 and "## Measured" not in text
    assert text.index("| new |") < text.index("| old |") < text.index("| floor |")
    assert "bascule ladder old new" in text and "At equal time every other" in text
    assert (tmp_path / "note" / "figures" / "note-ladder.png").exists()
    html = page.read_text("utf-8")
    assert "minutes of training" in html and "Micah Lanier" in html

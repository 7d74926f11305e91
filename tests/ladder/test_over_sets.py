"""The standings on a ladder's page, and the page of several image sets."""

import csv
import json

import pytest

from bascule.ladder.over_sets import over_sets, standings_of, write_over_sets
from bascule.ladder.report import write_ladder
from bascule.reports.page import Drawing, Table, Text
from fakes import CREDIT, EXTRACTOR, evaluated, fake_ladder, measured


def test_scores_are_from_each_set_s_reference_to_its_floor(tmp_path):
    ladders = {"faces": fake_ladder(tmp_path / "a"), "dogs": fake_ladder(tmp_path / "b")}
    (kid, tv), reasons = standings_of(ladders, "old")
    assert not reasons and (kid.number, tv.number) == ("KID", "mean TV")
    # KID is 0.8 and 1.0 against 0.3 and 0.5, floor 0.002; the mean TV is a tenth, floor 0.05
    assert kid.of["new"].iqm.value == pytest.approx((0.6 + 0.4) / 2 / 0.898)
    assert tv.of["new"].iqm.value == pytest.approx((1.5 + 1.0) / 2)
    assert kid.of["new"].improvement.value == 1 and len(kid.tasks) == 2


def test_the_table_has_the_best_first_and_the_figure_all_shares(tmp_path):
    table, drawing = over_sets({"faces": fake_ladder(tmp_path)})
    assert isinstance(table, Table) and isinstance(drawing, Drawing)
    assert " ".join(table.columns[1:]) == "KID: score KID: better mean TV: score mean TV: better"
    assert [row[0] for row in table.rows] == ["new", "old"]
    assert table.rows[0][1].startswith("0.56 [") and table.rows[0][2] == "1 [1, 1]"
    assert table.rows[1][2] == "–" and "too narrow" in table.caption
    assert len(drawing.data.rows) == 2 * 2 * 101
    shares = [row[3] for row in drawing.data.rows if row[:2] == ("KID", "new")]
    assert shares[0] == 1 and shares[-1] == 0 and shares == sorted(shares, reverse=True)


def test_what_cannot_be_scored_is_said(tmp_path):
    ladders = {"faces": fake_ladder(tmp_path / "a"), "dogs": fake_ladder(tmp_path / "b")}
    for by_seed in ladders["dogs"].runs.values():
        for run in by_seed.values():  # without attributes, and no worse than the floor
            evaluated(run, 20, measured(f"KID[{EXTRACTOR}]", 0.001, 0.002))
    told = over_sets(ladders)
    assert all(isinstance(block, Text) for block in told)
    assert [block.body for block in told] == [
        "No scores by KID: on dogs the reference old is as good as held-out reals already "
        "(0.001, floor 0.002).",
        "No scores by mean TV: on dogs old has no mean TV.",
    ]


def test_nothing_measured_is_nothing_told(tmp_path):
    results = fake_ladder(tmp_path)
    for run in results.every_run:
        (run.folder / "metrics.json").unlink()
    assert over_sets({"faces": results}) == []


def test_a_ladder_s_page_and_the_page_of_all_sets_show_them(tmp_path):
    ladders = {"faces": fake_ladder(tmp_path / "a"), "dogs": fake_ladder(tmp_path / "b")}
    alone = write_ladder(ladders["faces"], tmp_path / "one", CREDIT, "bascule ladder old new")
    text = alone.with_suffix(".md").read_text("utf-8")
    assert text.index("## The ladder") < text.index("## Over all seeds") < text.index("Predictions")
    page = write_over_sets(ladders, tmp_path / "all", "bascule ladder old new --data faces dogs")
    text = page.with_suffix(".md").read_text("utf-8")
    assert text.index("## Over all sets") < text.index("## faces") < text.index("## dogs")
    assert (
        "2 recipes on 2 image sets" in text and "bascule ladder old new --data faces dogs" in text
    )
    assert text.count("| recipe | minutes | epochs |") == 2 and "Its note: dogs/note.md" in text
    figures = tmp_path / "all" / "figures"
    assert (figures / "note-profiles.png").exists()
    rows = list(csv.DictReader((figures / "note-profiles.csv").open()))
    assert {row["recipe"] for row in rows} == {"old", "new"}
    assert len(json.loads((tmp_path / "all" / "note.json").read_text())["runs"]) == 8
    assert "held-out reals (1)" in page.read_text("utf-8")

"""A ladder's page: who draws best, after how many minutes, beside the floor."""

import pytest
from fakes import CREDIT, fake_rows, judged, plain, write_fake

from bascule.evaluation.evaluation import Evaluation, Scale, Value
from bascule.experiments.ladder import ladder
from bascule.metrics.measured import Measured
from bascule.reports.ladder import kid_by_minutes, ladder_table, write_ladder
from bascule.runs.evaluations import keep_evaluation

EXTRACTOR = "efficientnet-lite0,128px"


def value(label: str, x: float, floor: float, better: str) -> Value:
    return Value(Measured(x, floor, 0.01, 0.01, 100, 100, 1), Scale(label, "e", "i", 9, 9), better)


def evaluated(run, epoch: int, kid: float, coverage: float) -> None:
    values = (
        value(f"KID[{EXTRACTOR}]", kid, 0.002, "lower"),
        value(f"coverage[{EXTRACTOR}]", coverage, 0.95, "higher"),
        value("mean TV[micah,32px]", kid / 10, 0.05, "lower"),
    )
    keep_evaluation(run.folder, Evaluation(run.id, epoch, 100, "faces-micah", values))


@pytest.fixture
def results(tmp_path):
    """Two recipes on two seeds; the second draws better, and was measured half way too."""
    arms = {"old": plain, "new": plain.but(batch=16)}
    experiment = ladder("a ladder", arms, minutes=10, fakes=100)
    runs = {arm: {} for arm in arms}
    for arm, kids in (("old", (0.8, 1.0)), ("new", (0.3, 0.5))):
        for seed, kid in enumerate(kids):
            rows = [row | {"seconds": 30.0} for row in fake_rows(seed, False)]
            run = write_fake(tmp_path / f"{arm}-{seed}", arms[arm].but(seed=seed), arm, rows)
            if arm == "new":
                evaluated(run, 10, 2 * kid, 0.1)
            evaluated(run, 20, kid, 1 - kid)
            runs[arm][seed] = run
    return judged(experiment, (0, 1), runs)


def test_points_are_minutes_of_training_and_kid(results):
    run = results.runs["new"][0]
    assert kid_by_minutes(run) == [(5.0, 0.6), (10.0, 0.3)]
    assert kid_by_minutes(results.runs["old"][1]) == [(10.0, 1.0)]


def test_the_best_comes_first_and_the_floor_last(results):
    table = ladder_table(results)
    assert table.columns == (
        *("recipe", "minutes", "epochs", "images/s", "KID", "coverage", "mean TV"),
    )
    assert [row[0] for row in table.rows] == ["new", "old", "floor"]
    new, _, floor = table.rows
    # two seeds, 0.3 and 0.5: the mean, and 12.706 times 0.1 as half the interval
    assert new[1:5] == ("10 ± 0", "20", new[3], "0.4 ± 1.271")
    assert floor[4:] == ("0.002", "0.95", "0.05")


def test_the_page_is_a_note_with_the_ladder_before_all_else(results, tmp_path):
    page = write_ladder(results, tmp_path / "note", CREDIT, "bascule ladder old new")
    text = page.with_suffix(".md").read_text("utf-8")
    assert text.index("The ladder") < text.index("Uncurated") < text.index("Predictions")
    assert "bascule ladder old new" in text and "At equal time every other" in text
    assert (tmp_path / "note" / "figures" / "note-ladder.png").exists()
    html = page.read_text("utf-8")
    assert "minutes of training" in html and "Micah Lanier" in html


def test_what_was_not_measured_is_left_out(results):
    for by_seed in results.runs.values():
        for run in by_seed.values():
            (run.folder / "metrics.json").unlink()
    table = ladder_table(results)
    assert table.columns == ("recipe", "minutes", "epochs", "images/s")
    assert [row[0] for row in table.rows] == ["old", "new", "floor"]

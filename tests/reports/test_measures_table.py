"""The table of what was measured of every arm."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bascule.evaluation.evaluation import LeftOut, Price
from bascule.reports.measures import measures, measures_tables
from bascule.reports.note import write_experiment_note
from bascule.reports.page import Text
from bascule.runs.evaluations import keep_evaluation, last_evaluation
from bascule.runs.store import Run
from fakes import CREDIT, EXTRACTOR, evaluated, fake_ladder, fake_results, measured

OVERFIT = "auc_train_vs_held_out"


@pytest.fixture
def results(tmp_path):
    return fake_ladder(tmp_path)


def test_arms_keep_their_order_and_the_floor_is_last(results):
    table, more = measures_tables(results)
    assert table.columns == ("arm", "minutes", "epochs", "images/s", "KID", "mean TV")
    assert more.columns == ("arm", "coverage")
    assert (
        [row[0] for row in table.rows] == [row[0] for row in more.rows] == ["old", "new", "floor"]
    )
    _, new, floor = table.rows
    # two seeds, 0.3 and 0.5: the mean, and 12.706 times 0.1 as half the interval
    assert new[1:5] == ("10 ± 0", "20", new[3], "0.4 ± 1.3")
    assert floor[4:] + more.rows[-1][1:] == ("0.002", "0.05", "0.95")


def test_the_price_of_a_picture_stands_beside_quality_where_arms_differ(results):
    def priced(arm, price):
        for run in results.runs[arm].values():
            keep_evaluation(run.folder, replace(last_evaluation(run.folder), price=price))

    priced("old", Price(1, 1.5))
    assert "ms a picture" not in measures_tables(results)[0].columns  # one evaluation everywhere
    priced("new", Price(50, 800.0))
    table, _ = measures_tables(results)
    assert table.columns[:6] == (
        *("arm", "minutes", "epochs", "images/s", "evaluations a picture", "ms a picture"),
    )
    assert [row[4:6] for row in table.rows] == [("1", "1.5 ± 0"), ("50", "800 ± 0"), ("", "")]


def test_of_a_ladder_the_best_comes_first(results):
    for table in measures_tables(results, "recipe", by_kid=True):
        assert table.columns[0] == "recipe"
        assert [row[0] for row in table.rows] == ["new", "old", "floor"]


def test_what_was_not_measured_is_left_out(results):
    for by_seed in results.runs.values():
        for run in by_seed.values():
            (run.folder / "metrics.json").unlink()
    (table,) = measures_tables(results)
    assert table.columns == ("arm", "minutes", "epochs", "images/s")
    assert [row[0] for row in table.rows] == ["old", "new", "floor"]
    assert measures(results) == []


def test_what_a_small_set_cannot_show_is_told_once(results):
    why = "needs 40 held-out images, this set holds out 9"
    for by_seed in results.runs.values():
        for run in by_seed.values():
            left_out = (LeftOut("C_T[net]", why),)
            found = replace(last_evaluation(run.folder), left_out=left_out)
            keep_evaluation(run.folder, found)
    assert measures(results)[-1] == Text(f"C_T left out: {why}.")


def test_what_a_network_measured_of_games_trained_through_it_is_left_out_for_all(results):
    run = results.runs["old"][0]
    about = run.folder / "run.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"saw": ["efficientnet-lite0"]}))
    runs = results.runs | {"old": results.runs["old"] | {0: Run(run.folder)}}
    table, *_, told = measures(replace(results, runs=runs))
    assert table.columns == ("arm", "minutes", "epochs", "images/s", "mean TV")
    why = "each is judged by efficientnet-lite0, through which a game here was trained"
    assert told == Text(f"KID, coverage left out: {why}.")


def test_what_was_measured_before_the_end_is_not_the_end(results):
    run = results.runs["old"][0]
    (run.folder / "metrics.json").unlink()
    evaluated(run, 10, measured(f"KID[{EXTRACTOR}]", 5.0, 0.002))
    assert measures_tables(results)[0].rows[0][4] == "1"  # that of the other seed


def test_floors_of_several_image_sets_are_a_range(results):
    run = results.runs["new"][1]
    evaluated(run, 20, measured(f"KID[{EXTRACTOR}]", 0.5, 0.009))
    assert measures_tables(results)[0].rows[-1][4] == "0.002 to 0.009"


def test_whether_D_knows_its_training_pictures_by_heart_stands_beside(results):
    """0.6 in the mean over the last epochs in which it was asked."""
    asked = np.where(np.arange(20) % 2, np.nan, 0.6)
    curves = {
        arm: {seed: {**curve, OVERFIT: asked} for seed, curve in by_seed.items()}
        for arm, by_seed in results.curves.items()
    }
    _, table = measures_tables(replace(results, curves=curves))
    assert table.columns[-1] == "AUC of D, train vs held-out" and "memorised" in table.caption
    assert [row[-1] for row in table.rows] == ["0.6 ± 0", "0.6 ± 0", "0.5"]


def test_a_note_has_it_where_its_runs_were_measured(tmp_path):
    results = fake_results(tmp_path / "runs")
    page = write_experiment_note(results, tmp_path / "note", CREDIT)
    assert "## Measured" not in page.with_suffix(".md").read_text("utf-8")
    for by_seed in results.runs.values():
        for run in by_seed.values():
            evaluated(run, 20, measured(f"KID[{EXTRACTOR}]", 0.25, 0.002))
    page = write_experiment_note(results, tmp_path / "note", CREDIT)
    text = page.with_suffix(".md").read_text("utf-8")
    assert text.index("## Predictions") < text.index("## Measured") < text.index("## Curves")
    assert text.count("0.25 ± 0 |") == 3

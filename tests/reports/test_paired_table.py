"""Paired differences on a page."""

import json
from dataclasses import replace
from math import nan

import numpy as np
import pytest
from scipy import stats

from bascule.evaluation.evaluation import Evaluation, Scale, Value
from bascule.metrics.measured import Measured
from bascule.reports.compare import write_comparison
from bascule.reports.paired import numbers_table, paired_differences
from bascule.runs.evaluations import keep_evaluation
from bascule.runs.store import Run
from fakes import CREDIT, fake_rows, plain, write_fake

SCALE = Scale("KID[net]", "net v1", "digest", 200, 1800)


@pytest.fixture
def runs(tmp_path):
    """Two arms on three seeds; the second arm's KID is lower by 1, 2 and 3."""
    found = []
    for arm, recipe in (("a", plain), ("b", plain.replace(lr_D=1e-3))):
        for seed in (0, 1, 2):
            rows = fake_rows(seed, fooled=arm == "b")
            folder = tmp_path / f"{arm}{seed}"
            run = write_fake(folder, recipe.replace(seed=seed), f"{arm} s{seed}", rows)
            keep(run, 10.0 + seed - (1 + seed) * (arm == "b"))
            found.append(run)
    return found


def test_splits_may_differ_from_seed_to_seed_but_not_within_one(runs):
    for run in runs:
        seed = run.recipe.seed
        keep(run, 1.0, replace(SCALE, split=f"seed {seed}", n=200 + seed, m=1800 - seed))
    found, reasons = paired_differences(runs)
    assert not reasons and found[-1].name == "KID[net]" and len(found[-1].values) == 3
    keep(runs[4], 1.0, replace(SCALE, split="seed 2", n=201, m=1799))
    found, reasons = paired_differences(runs)
    assert found[-1].name != "KID[net]"
    assert len(reasons) == 1 and "split seed 2 and seed 1" in reasons[0]


def test_beside_a_game_trained_through_a_network_it_judges_none(runs):
    lite = Scale(
        "KID[efficientnet-lite0,128px]", "efficientnet-lite0,128px;v1", "digest", 200, 1800
    )
    for run in runs:
        keep(run, 1.0, lite)
    about = runs[-1].folder / "run.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"saw": ["efficientnet-lite0"]}))
    found, reasons = paired_differences([*runs[:-1], Run(runs[-1].folder)])
    assert lite.label not in {d.name for d in found}
    assert reasons[0].startswith("KID left out: is judged by efficientnet-lite0, through which")
    assert reasons[0].endswith("evaluate every run with --extractor random-conv")


def keep(run, kid, scale=SCALE, epoch=20):
    measured = Measured(kid, 0.0, 0.1, nan, 200, 1800, 5)
    keep_evaluation(
        run.folder, Evaluation(run.id, epoch, 1000, "faces", (Value(measured, scale, "lower"),))
    )


def test_differences_are_within_seeds_with_students_interval(runs):
    found, reasons = paired_differences(runs)
    by_name = {d.name: d for d in found}
    assert not reasons and list(by_name) == ["loss_D", "loss_G", "D_x", "D_Gz", "KID[net]"]
    kid = by_name["KID[net]"]
    assert kid.values == {0: -1.0, 1: -2.0, 2: -3.0} and (kid.arm, kid.than) == ("b", "a")
    low, high = stats.ttest_1samp([-1, -2, -3], 0).confidence_interval(0.95)
    assert np.allclose((kid.interval.low, kid.interval.high), (low, high))
    table = numbers_table(runs, found)
    assert table.columns == ("number", "a (control)", "b")
    # half widths by hand: t of 2 degrees times a deviation of 1 over sqrt(3); b is 9, 9 and 9
    assert table.rows[-1] == ("KID[net]", "11.0 ± 2.5", "9 ± 0 (−2.0 [−4.5, 0.5])")


def test_many_arms_are_rows_and_on_a_narrow_terminal_every_number_is(runs, tmp_path):
    more = [
        write_fake(
            tmp_path / f"{k}{s}",
            plain.replace(batch=8 + k, seed=s),
            f"c{k} s{s}",
            fake_rows(s, False),
        )
        for k in range(3)
        for s in (0, 1)
    ]
    found, _ = paired_differences([*runs, *more])
    table = numbers_table([*runs, *more], found)
    assert table.columns[:2] == ("arm", "loss_D")
    assert [row[0] for row in table.rows] == ["a (control)", "b", "c0", "c1", "c2"]
    assert ", seeds 0 1)" in table.rows[2][1]  # the control has a third seed
    each = numbers_table([*runs, *more], found, "each")
    assert each.columns == ("number", "arm", "mean", "minus “a”")
    assert len(each.rows) == 5 * 5 and each.rows[1][0] == "" and each.rows[0][3] == ""


def test_another_scale_is_refused_and_said(runs, tmp_path):
    keep(runs[4], 9.0, replace(SCALE, n=100))
    found, reasons = paired_differences(runs)
    assert "KID[net]" not in {d.name for d in found}
    assert len(reasons) == 1 and "cannot be compared: n 200 and 100" in reasons[0]
    page = write_comparison(runs, tmp_path / "page", CREDIT, "bascule compare")
    assert "cannot be compared: n 200 and 100" in page.with_suffix(".md").read_text("utf-8")


def test_what_is_missing_is_said(runs):
    keep(runs[0], 9.0, epoch=40)
    assert any("evaluated after 20 and 40 epochs" in r for r in paired_differences(runs)[1])
    (runs[1].folder / "metrics.json").unlink()
    assert paired_differences(runs)[0][-1].values.keys() == {0, 2}
    for run in runs[3:]:
        (run.folder / "metrics.json").unlink()
    assert any("not every run is evaluated" in r for r in paired_differences(runs)[1])
    assert any("share no seed" in r for r in paired_differences([runs[0], runs[4]])[1])
    assert paired_differences(runs[:2]) == ([], [])

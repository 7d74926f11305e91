"""Blind judging: addressed order and side, whole files, shares against SciPy, verdicts."""

import json

import numpy as np
import pytest
from scipy import stats

from bascule.core.errors import UserError
from bascule.experiments import TAKEN_FOR_REAL, Experiment, Preferred, Within
from bascule.experiments.judgments import (
    PICTURES,
    Pair,
    Sheet,
    check_judge,
    files_about,
    keep,
    last_sheet,
    next_sheet,
    share,
    sheet_of,
    sheets_in,
    undone,
    with_judgments,
)
from bascule.experiments.verdict import find
from bascule.runs.store import Run

PAIR = Pair("better", ("20260101-a", "20260101-b"), (4, 4))


def answers(sheet: Sheet, firsts) -> Sheet:
    """The sheet after a judge chose the first side, or not, as ``firsts`` say."""
    for first in firsts:
        sheet = sheet.answered(left=sheet.is_left() == first, seconds=1.0)
    return sheet


def test_a_judge_sees_every_picture_once_on_both_sides_and_others_see_another_order():
    def shown(judge):
        sheet, told = Sheet(PAIR, judge), []
        for _ in range(PICTURES):
            told.append((sheet.picture(), sheet.is_left()))
            sheet = answers(sheet, [True])
        return told

    ann, ben = shown("Ann"), shown("Ben")
    assert sorted(picture for picture, _ in ann) == list(range(PICTURES))
    assert ann == shown("ann") and ann != ben
    lefts = sum(left for _, left in ann)
    assert stats.binomtest(lefts, PICTURES).pvalue > 1e-3


def test_an_answer_is_kept_as_the_side_that_won_wherever_it_stood():
    sheet = Sheet(PAIR, "Ann")
    for left in (True, False, True, True):
        first_left = sheet.is_left()
        sheet = sheet.answered(left, 0.5)
        told = sheet.judgments[-1]
        assert told.left == first_left and told.first == (left == first_left)


def test_sheets_are_whole_files_and_undo_removes_the_last_answer(tmp_path):
    sheet = answers(Sheet(PAIR, "Ann Bé"), [True, False, True])
    path = keep(tmp_path, sheet)
    assert path.parent == tmp_path / "judgments"
    assert sheets_in(tmp_path) == [sheet] == [sheet_of(tmp_path, PAIR, "ann bé ")]
    assert undone(sheet).judgments == sheet.judgments[:2]
    other = answers(Sheet(PAIR, "Ben"), [True])
    keep(tmp_path, other)
    assert last_sheet([sheet, other]) == other
    for one in (undone(other), Sheet(PAIR, "nobody")):
        keep(tmp_path, one)
    assert sheets_in(tmp_path) == [sheet]
    assert files_about(tmp_path, [Run(tmp_path / PAIR.runs[0])]) == []
    assert files_about(tmp_path, [Run(tmp_path / run) for run in PAIR.runs]) == [path]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("runs"), "runs"),
        (lambda d: d.update(question="nicer"), "question: Input should be 'better' or 'real'"),
        (lambda d: d.update(runs=["a"]), "has 2 runs"),
        (lambda d: d["judgments"][0].update(first="yes"), "first: Input should be a valid boolean"),
        (lambda d: d.update(judge="../.."), "expected 1 to 60 characters"),
    ],
)
def test_a_damaged_sheet_is_refused_in_one_line(tmp_path, change, told):
    path = keep(tmp_path, answers(Sheet(PAIR, "Ann"), [True]))
    plain = json.loads(path.read_text("utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), "utf-8")
    with pytest.raises(UserError, match=rf"cannot read the judgments .*{told}"):
        sheets_in(tmp_path)


def test_a_judge_needs_a_name():
    assert check_judge("  Ann   B ") == "Ann B"
    for name in ("", " .. ", "x" * 61):
        with pytest.raises(UserError, match="expected 1 to 60 characters"):
            check_judge(name)


def test_pairs_are_judged_evenly():
    sheets = [Sheet(Pair("real", (f"20260101-{k}",), (4,)), "Ann") for k in range(3)]
    for _ in range(9):
        one = next_sheet(sheets)
        sheets[sheets.index(one)] = answers(one, [True])
    assert [len(sheet.judgments) for sheet in sheets] == [3, 3, 3]


def test_a_share_has_the_exact_binomial_interval():
    sheets = [answers(Sheet(PAIR, "Ann"), [True] * 7), answers(Sheet(PAIR, "Ben"), [False] * 3)]
    interval, n = share(sheets)
    exact = stats.binomtest(7, 10).proportion_ci(0.95, method="exact")
    assert (interval.mean, n) == (0.7, 10)
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high))
    assert share([Sheet(PAIR, "Ann")]) is None


def judged(tmp_path, wins, n=20):
    """Curves of two arms over as many seeds as ``wins``, the answers for “new” of each."""
    runs = {arm: {} for arm in ("old", "new")}
    sheets = []
    for seed, won in enumerate(wins):
        for arm in runs:
            runs[arm][seed] = Run(tmp_path / f"20260101-{arm}-s{seed}")
        pair = Pair("better", (f"20260101-new-s{seed}", f"20260101-old-s{seed}"), (4, 4))
        sheets.append(answers(Sheet(pair, "Ann"), [True] * won + [False] * (n - won)))
        real = Pair("real", (f"20260101-new-s{seed}",), (2,))
        sheets.append(answers(Sheet(real, "Ann"), [True] * won))
    plain = {arm: {seed: {"D_x": np.ones(4)} for seed in by} for arm, by in runs.items()}
    return with_judgments(plain, runs, sheets)


def test_curves_hold_what_judges_said_for_both_arms(tmp_path):
    curves = judged(tmp_path, [15])
    new, old = curves["new"][0], curves["old"][0]
    assert new["preferred to old"][-1] == 0.75 and old["preferred to new"][-1] == 0.25
    assert np.isnan(new["preferred to old"][:-1]).all()
    assert new["preferred to old #"][-1] == 20
    near = 16 / 22
    assert new["preferred to old ±"][-1] == pytest.approx((near * (1 - near) / 22) ** 0.5)
    assert new[TAKEN_FOR_REAL][1] == 1 and TAKEN_FOR_REAL not in old


def test_a_preference_of_all_seeds_is_supported_and_its_reverse_refuted(tmp_path):
    curves = judged(tmp_path, [16, 15, 17, 14, 16])
    finding = find(Preferred("new", "old"), curves, range(5))
    assert finding.word == "supported" and finding.interval.mean == pytest.approx(0.78)
    assert finding.interval.low > 0.5 and finding.interval.high < 1
    assert finding.prediction.meaning(finding.shown).startswith("people like")
    assert find(Preferred("old", "new"), curves, range(5)).word == "refuted"
    split = judged(tmp_path, [16, 4, 17, 5, 10])
    assert find(Preferred("new", "old"), split, range(5)).word == "inconclusive"


def test_a_share_of_answers_has_its_interval_on_the_logit_scale(tmp_path):
    finding = find(Preferred("new", "old"), judged(tmp_path, [20, 20, 19, 20, 20]), range(5))
    assert finding.interval.high <= 1


def test_a_seed_with_too_few_answers_has_no_number(tmp_path):
    curves = judged(tmp_path, [16, 15, 17])
    finding = find(Preferred("new", "old", judgments=21), curves, range(3))
    assert finding.word == "not measured"
    with pytest.raises(UserError, match="expected a part of 0 to 1"):
        Preferred("new", "old", least=1.2)


def test_experiments_take_predictions_about_judgments_without_a_measure(tiny):
    arms = {"old": tiny, "new": tiny.replace(lr_D=1e-3)}
    told = [Preferred("new", than="old"), Within(TAKEN_FOR_REAL, "new", 0.3, 0.7)]
    assert Experiment("?", "!", arms, told).predictions == tuple(told)
    with pytest.raises(UserError, match="nothing could refute it"):
        Experiment("?", "!", arms, [Preferred("new", than="old", least=0)])

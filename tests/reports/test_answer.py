"""The first view of a note: what was found, made from the numbers, and a chip a prediction."""

from dataclasses import replace

import pytest

from bascule.experiments import Higher, Lower, Within
from bascule.gan.objectives import GANLoss
from bascule.reports.answer import answer, finding
from fakes import ARMS, SWITCH, fake_results, judged


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fake_results(tmp_path_factory.mktemp("runs"))


def asked(results, *predictions, seeds=None, runs=None, **more):
    experiment = replace(results.experiment, predictions=predictions, **more)
    return judged(experiment, seeds or results.seeds, results.runs if runs is None else runs)


HIGHER = Higher("D_Gz", "perfect G", than="plain", from_epoch=SWITCH)
LOWER = Lower("D_Gz", "perfect G", than="plain", from_epoch=SWITCH)


def test_the_finding_says_what_was_measured_and_not_what_was_claimed(results):
    for claim, word, end in (
        (HIGHER, "supported", "from epoch 12."),
        (LOWER, "refuted", "from epoch 12; predicted was lower."),
    ):
        told = asked(results, claim)
        assert told.verdict.word == word
        sentence = finding(told)
        assert sentence.startswith("D is fooled more: D_Gz is 0.3") and sentence.endswith(end)
        assert " higher [0." in sentence and "in “perfect G” than in “plain”" in sentence


def test_what_decides_nothing_is_said_to_decide_nothing(results):
    edge = Within("D_x", "perfect G", 0.5, 1, from_epoch=SWITCH)  # 0.5 is inside the interval
    alone = finding(asked(results, edge))
    assert "D_x of “perfect G” is 0.50" in alone and alone.endswith(
        " That decides nothing, and no other prediction is decided."
    )
    beside = finding(asked(results, edge, HIGHER))
    assert beside.startswith("D is fooled more") and beside.endswith(
        " This alone does not decide the hypothesis."
    )
    one = finding(asked(results, HIGHER, seeds=(0,)))
    assert one.endswith(" One seed cannot tell this from chance.") and "[" not in one
    failed = asked(results, HIGHER, checks=[Within("D_x", "plain", 0.9, 1)])
    assert "A check of the program is not met" in finding(failed)


def test_nothing_is_made_up_where_nothing_was_measured(results):
    told = asked(results, HIGHER, runs={arm: {} for arm in ARMS})
    assert finding(told) == "Nothing was measured yet."
    assert [chip.word for chip in answer(told).chips] == ["not measured"]


def test_scores_that_are_no_probabilities_are_not_called_fooled(results):
    critic = {arm: r.replace(objective=GANLoss("wasserstein")) for arm, r in ARMS.items()}
    assert finding(asked(results, HIGHER, arms=critic)).startswith("D_Gz is 0.3")


def test_chips_are_ranked_short_and_lead_to_their_row(results):
    told = answer(asked(results, Within("mmd", "plain", 0, 1), LOWER, HIGHER))
    assert [(chip.word, chip.target) for chip in told.chips] == [
        ("refuted", "predictions-2"),
        ("supported", "predictions-3"),
        ("not measured", "predictions-1"),
    ]
    assert told.chips[0].text.startswith(
        "D_Gz lower in “perfect G” than in “plain” from epoch 12: +0.3"
    )
    assert told.chips[2].text == "mmd of “plain” in [0, 1] over the run"


def test_no_verdict_says_that_nothing_may_be_read(results):
    for claims in ((HIGHER,), (LOWER,), (HIGHER, Within("D_x", "perfect G", 0.5, 1))):
        assert "nothing below" not in answer(asked(results, *claims)).meaning

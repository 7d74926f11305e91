"""Experiments as Python values: the verdict of the command line, and bad input in one line."""

import re

import pytest

import bascule as bl
from bascule.cli import main


@pytest.fixture
def question(tiny):
    arms = {"plain": tiny, "noise": tiny.replace(interventions=bl.InstanceNoise(0.5))}
    return bl.Experiment(
        question="Does noise change D?",
        hypothesis="It does.",
        arms=arms,
        predictions=[bl.Lower("D_x", arm="noise", than="plain")],
        seeds=(0, 1, 2),
    )


def test_a_value_is_run_and_its_verdict_comes_back(question, tmp_path):
    outcome = bl.run(question, runs=tmp_path, jobs=2)
    assert outcome.word in ("supported", "refuted", "inconclusive")
    assert outcome.note == tmp_path / "notes" / "does-noise-change-d" / "note.html"
    assert outcome.note.exists() and outcome.found in repr(outcome)
    (word, claim, measured) = outcome.findings[0]
    assert "D_x" in claim and measured and word
    assert [run.recipe.seed for run in outcome.runs("noise")] == [0, 1, 2]
    shown = outcome._repr_html_()
    assert "Does noise change D?" in shown and claim.split("“")[0].strip() in shown
    with pytest.raises(bl.UserError, match="arm 'nose': expected one of plain, noise"):
        outcome.runs("nose")


def test_a_file_is_run_as_the_command_line_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = {"epochs": 9, "batch": 8, "threads": 1, "device": "cpu"}
    fields = ["data=Faces(n=40)", *(f"{k}={v}" for k, v in small.items())]
    assert main(["run", "perfect-g", "--quick", "--seeds", "0", "--set", *fields]) == 0
    runs = {run.id for run in bl.all_runs()}
    outcome = bl.run("perfect-g", quick=True, seeds=[0], data=bl.Faces(n=40), **small)
    assert {run.id for run in bl.all_runs()} == runs  # all were found
    assert outcome.word == "inconclusive"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"experiment": "perfekt-g"}, "unknown experiment 'perfekt-g'"),
        ({"quick": True}, "has no quick version"),
        ({"seeds": [1, 1]}, "expected different seeds"),
        ({"arms": ["nose"]}, "unknown arm 'nose'"),
        ({"jobs": 0}, "expected"),
        ({"nets": 1}, "unknown recipe field 'nets'"),
    ],
)
def test_bad_input_is_one_line(question, tmp_path, given, told):
    with pytest.raises(bl.UserError, match=re.escape(told)) as error:
        bl.run(**{"experiment": question, "runs": tmp_path, **given})
    assert "\n" not in str(error.value)

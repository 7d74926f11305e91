"""The note of a search, from trials that are written by hand."""

import json

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from bascule.data.faces import Faces
from bascule.runs import codec
from bascule.tuning.report import front_figure, history_figure, write_tuning
from bascule.tuning.search import Between, Tuning, ended, importances


@pytest.fixture
def tuning(tiny) -> Tuning:
    start = tiny.replace(data=Faces(n=60, size=32))
    return Tuning("Which rate?", start, {"lr_D": Between(1e-5, 1e-2, log=True)}, name="rates")


def study_with(*trials, goals=1):
    """``trials``: (state, lr_D, values, attributes)."""
    study = optuna.create_study(directions=["minimize"] * goals)
    for state, lr, values, attributes in trials:
        study.add_trial(
            create_trial(
                state=state,
                values=values,
                params={"lr_D": lr},
                distributions={"lr_D": FloatDistribution(1e-5, 1e-2, log=True)},
                user_attrs={"coverage": 0.5, "seconds": 60.0, **attributes},
            )
        )
    return study


DONE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def test_a_search_whose_start_is_best_says_so(tuning, tmp_path):
    study = study_with(
        (DONE, tuning.start.lr_D, [0.5], {"start": True}),
        (DONE, 1e-3, [0.75], {}),
        (PRUNED, 5e-3, None, {"why": "hopeless"}),
        (PRUNED, 9e-3, None, {"why": "loss_D is not finite in epoch 3"}),
        (FAIL, 2e-3, None, {"why": "its worker died (exit code -9)"}),
        (FAIL, 2e-3, None, {"interrupted": True}),
    )
    preset = tmp_path / "best.json"
    preset.write_text(json.dumps(codec.encode(tuning.start)))
    page = write_tuning(tuning, study, None, preset, tmp_path / "note", "by hand", "bascule tune x")
    note = page.with_suffix(".md").read_text("utf-8")
    assert "No trial beat the start" in note
    assert "5 trials: 2 finished, 2 ended early, 1 failed. 5 min" in note
    assert "1 of them: loss_D is not finite in epoch 3" in note
    assert "1 of them: its worker died (exit code -9)" in note and "hopeless" not in note
    assert "| 0 (start) | 0.5 | 0.5 | 60 | 0.0002 |" in note
    assert "by hand" in note and "bascule tune x" in note
    assert len(ended(study)) == 5


def test_figures_show_finished_trials_and_the_best_so_far():
    study = study_with(
        (DONE, 1e-3, [0.9], {}),
        (PRUNED, 2e-3, None, {}),
        (DONE, 3e-3, [0.2], {}),
        (DONE, 4e-3, [0.4], {}),
    )
    (ax,) = history_figure(study.trials).axes
    dots, line = ax.lines
    assert list(dots.get_xdata()) == [0, 2, 3] and list(dots.get_ydata()) == [0.9, 0.2, 0.4]
    assert list(line.get_ydata()) == pytest.approx([0.9, 0.2, 0.2])
    assert ax.get_yscale() == "log"


def test_a_front_goes_from_the_quickest_to_the_best():
    study = study_with(
        (DONE, 1e-3, [0.5, 30.0], {}),
        (DONE, 2e-3, [0.7, 10.0], {}),
        (DONE, 3e-3, [0.6, 60.0], {}),
        goals=2,
    )
    (ax,) = front_figure(study.trials).axes
    dots, line = ax.lines
    assert list(dots.get_xdata()) == [10.0, 30.0, 60.0]
    assert list(line.get_ydata()) == [0.7, 0.5, 0.5]
    assert ax.get_yscale() == "linear"  # within a factor of 3


def test_importance_needs_trials():
    assert importances(study_with((DONE, 1e-3, [0.5], {}))) == {}

"""The best possible D in a note: a table that is computed, and a caption that explains it."""

from dataclasses import replace

import numpy as np
import pytest

from bascule.core.schedules import Uniform
from bascule.experiments import NoiseBound
from bascule.reports.bounds import best_of, bounds_table
from bascule.reports.note import write_experiment_note
from bascule.theory.noise import known_image
from fakes import CREDIT, SWITCH, fake_results

U = Uniform(0.0, 0.1)
BOUNDS = {
    "perfect G": NoiseBound((), U, SWITCH),
    "perfect G, every input noised": NoiseBound(U, (U, U), SWITCH),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fake_results(tmp_path_factory.mktemp("runs"), bounds=BOUNDS)


def is_about(told: str, number: float) -> bool:
    """Whether "0.500 ± 0.020" rounds ``number`` to the digits that are shown."""
    mean, half = told.split(" ± ")
    return mean == f"{number:.{len(half.partition('.')[2])}f}"


def test_each_bounded_arm_is_a_row_of_what_could_be_gained_and_what_was(results):
    table = bounds_table(results, best_of(results))
    clean, noised = table.rows
    assert clean[:5] == ("perfect G", "none", repr(U), "1", "0")
    assert noised[1:3] == (repr(U), f"{U!r} + {U!r}")
    bound = known_image(U, (U, U), 64 * 3 * 32 * 32)
    assert noised[3:5] == (f"{bound.accuracy:.4g}", f"{bound.loss_D:.4g}")
    for row, least in ((clean, 0.0), (noised, bound.loss_D)):
        measured = np.mean([c["loss_D"][-5:].mean() for c in results.curves[row[0]].values()])
        assert is_about(row[5], measured)
        share = (np.log(4) - measured) / (np.log(4) - least)
        assert is_about(row[6], share)


def test_epochs_before_the_bound_are_not_measured_against_it(results):
    late = {"perfect G": NoiseBound((), U, 18)}
    told = replace(results, experiment=replace(results.experiment, bounds=late))
    ((*_, measured, _),) = bounds_table(told, best_of(told)).rows
    last = np.mean([c["loss_D"][18:].mean() for c in results.curves["perfect G"].values()])
    assert is_about(measured, last)


def test_where_nothing_can_be_gained_there_is_no_share(results):
    blind = {"perfect G": NoiseBound(U, U, SWITCH)}
    told = replace(results, experiment=replace(results.experiment, bounds=blind))
    assert bounds_table(told, best_of(told)).rows[0][-1] == "–"


def test_the_note_tells_it_where_there_are_bounds_and_is_silent_elsewhere(results, tmp_path):
    plain = replace(results, experiment=replace(results.experiment, bounds={}))
    assert best_of(replace(results, curves={arm: {} for arm in results.curves})) == {}
    for told, where in ((results, True), (plain, False)):
        page = write_experiment_note(told, tmp_path, CREDIT)
        for text in (page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")):
            assert ("Dash-dot" in text) == ("best accuracy" in text) == where

"""The history of looks: which sets of seeds were judged."""

from dataclasses import replace

import pytest

from bascule.core.errors import UserError
from bascule.experiments import Experiment, Within
from bascule.experiments.looks import keep_look, look_at, looks_file, looks_in


@pytest.fixture
def experiment(tiny):
    return Experiment("?", "!", {"plain": tiny}, [Within("D_x", "plain", 0.1, 0.9)], name="q")


@pytest.fixture
def file(experiment, tmp_path):
    return looks_file(tmp_path, experiment, {experiment.arms["plain"].data: "d"})


def test_a_new_set_of_seeds_is_a_new_look_and_a_known_one_is_not(file, experiment):
    assert looks_in(file) == [] and look_at(file, [0, 1, 2]) == 1
    keep_look(file, experiment, [2, 1, 0])
    assert look_at(file, [0, 1, 2]) == 1 and look_at(file, [0, 1, 2, 3]) == 2
    keep_look(file, experiment, range(5))
    keep_look(file, experiment, [0, 1, 2])
    assert looks_in(file) == [[0, 1, 2], [0, 1, 2, 3, 4]]
    assert look_at(file, [0, 1, 2]) == 1 and look_at(file, [1, 2]) == 3


def test_other_predictions_about_the_same_arms_are_no_fresh_start(file, experiment, tiny, tmp_path):
    digests = {tiny.data: "d"}
    reworded = replace(
        experiment, question="Really?", predictions=[Within("D_Gz", "plain", 0.1, 0.9)]
    )
    assert looks_file(tmp_path, reworded, digests) == file
    assert looks_file(tmp_path, experiment, {tiny.data: "other"}) != file
    other = replace(experiment, arms={"plain": tiny.replace(lr_D=1e-3)})
    assert looks_file(tmp_path, other, digests) != file


def test_a_damaged_history_is_refused_in_one_line(file):
    file.parent.mkdir()
    for text in ("[1", "[]", '{"looks": [{"seeds": 3}]}'):
        file.write_text(text)
        with pytest.raises(UserError, match=r"history of looks .*expected JSON"):
            looks_in(file)

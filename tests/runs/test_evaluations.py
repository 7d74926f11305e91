"""The file of evaluations."""

import pytest

from bascule.core.errors import UserError
from bascule.evaluation.evaluation import Evaluation
from bascule.runs.evaluations import FILE, evaluations, keep_evaluation, last_evaluation


def evaluation(epoch, fakes=10):
    return Evaluation("run", epoch, fakes, "faces", ())


def test_one_evaluation_an_epoch_is_kept_in_order(tmp_path):
    assert last_evaluation(tmp_path) is None
    for epoch, fakes in ((20, 1), (5, 2), (20, 3)):
        keep_evaluation(tmp_path, evaluation(epoch, fakes))
    assert [(e.epoch, e.fakes) for e in evaluations(tmp_path)] == [(5, 2), (20, 3)]
    assert last_evaluation(tmp_path).epoch == 20


@pytest.mark.parametrize("text", ["", "{}", '{"evaluations": [1]}', '{"evaluations": [{}]}'])
def test_a_damaged_file_is_refused(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json.*delete it"):
        evaluations(tmp_path)

"""Jobs as files: what is written is read again, and what is no job is refused in one line."""

import json
from dataclasses import replace

import pytest

from bascule import jobs
from bascule.core.errors import UserError
from bascule.experiments import Measure, MeasureCoding, MeasureTranslation
from bascule.jobs import MeasureRun, PlayTrials, TrainRun

TRIALS = PlayTrials(
    *("runs", "tune/x.py", True, (("epochs", "2"), ("lr_D", "1e-3"))),
    *("x", "journal.log", 4, 1e12, "name"),
)


@pytest.mark.parametrize(
    "job",
    [
        TrainRun("runs", "runs/a"),
        TrainRun("runs", "runs/a", (2, 4)),
        TrainRun("runs", "runs/a", (), ("mine.py:Steps",), ("tensorboard:/there",)),
        MeasureRun("runs", "runs/a", Measure(7, k_fb=(4.0,), abilities=True), (1, 2)),
        MeasureRun("runs", "runs/a", MeasureTranslation(30, attributes=False, epochs=(2,)), (2,)),
        MeasureRun("runs", "runs/a", MeasureCoding(9, sigmas=(0.5,), decoded=True), (4,)),
        MeasureRun("runs", "runs/a", Measure(7), (4,), seed=3),
        MeasureRun("runs", "runs/a", Measure(7), (4,), ("mine.py:Bright()",), "mine.py:Colours"),
        TRIALS,
        replace(TRIALS, settings=()),
    ],
    ids=lambda job: type(job).__name__,
)
def test_a_job_is_read_as_it_was_written(tmp_path, job):
    jobs.write(job, tmp_path / "job.json")
    assert jobs.read(tmp_path / "job.json") == job


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot read the job"),
        ("[1]", "cannot read the job"),
        ('{"is": "TrainRum"}', "did you mean TrainRun"),
        ('{"is": "TrainRun", "runs": "a"}', "TrainRun needs run"),
        ('{"is": "TrainRun", "runs": "a", "run": 3}', "run=3"),
        ('{"is": "TrainRun", "runs": "a", "run": "b", "keep": []}', "unknown field of TrainRun"),
        ('{"is": "Measure", "fakes": 7}', "is no job: expected TrainRun"),
        ('{"is": "Flip"}', "is no job: expected TrainRun, MeasureRun or PlayTrials"),
        (
            '{"is": "MeasureRun", "runs": "a", "run": "b", "epochs": [1], '
            '"measure": {"is": "Flip"}}',
            "expected Measure, MeasureTranslation, MeasureCoding",
        ),
    ],
)
def test_what_is_no_job_is_refused_in_one_line(tmp_path, text, told):
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(UserError) as refused:
        jobs.read(tmp_path / "job.json")
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_a_job_of_training_loads_no_experiments(tmp_path, printed_elsewhere):
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"is": "TrainRun", "runs": "a", "run": "b"}))
    loaded = printed_elsewhere(
        f"import sys; from pathlib import Path; from bascule import jobs; "
        f"jobs.read(Path({str(path)!r})); print(*sys.modules)"
    )
    assert "bascule.jobs" in loaded
    assert not {"bascule.experiments", "matplotlib", "scipy"} & set(loaded)

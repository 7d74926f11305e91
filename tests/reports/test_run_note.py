"""The note of one run."""

from math import nan

from PIL import Image

from bascule.evaluation.evaluation import Evaluation, LeftOut, Scale, Value
from bascule.metrics.measured import Measured
from bascule.reports.run_note import write_run_note
from bascule.runs.evaluations import keep_evaluation
from fakes import CREDIT, fake_parent_and_fork, fake_rows, plain, write_fake


def test_a_fork_is_told_with_its_parent(tmp_path):
    parent, child = fake_parent_and_fork(tmp_path)
    page = write_run_note(child, CREDIT, [parent])
    assert page == child.folder / "note.html"
    for text in (page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")):
        assert "the first 12 epochs are those of parent-id" in text
        assert "interventions = PerfectG(at_epoch=12" in text
        assert "Micah Lanier" in text and "finished, 20 of 20 epochs" in text
        assert "Every draw is addressed" in text and "bascule train" not in text  # it is a fork
        assert str(tmp_path) not in text
    assert "(samples/epoch-0020.png)" in page.with_suffix(".md").read_text("utf-8")
    assert (child.folder / "figures" / "note-curves.png").is_file()


def test_interrupted_and_new_runs_have_notes(tmp_path):
    half = write_fake(tmp_path / "half", plain, "half", fake_rows(0, False, n=7), samples=(1, 5))
    new = write_fake(tmp_path / "new", plain, "new", [])
    page = write_run_note(half, CREDIT)
    assert "interrupted, 7 of 20 epochs" in page.read_text("utf-8")
    told = page.with_suffix(".md").read_text("utf-8")
    assert "bascule train recipe.json --name half" in told
    assert "No epoch is complete yet" in write_run_note(new, CREDIT).read_text("utf-8")


def test_diagnosis_and_evaluations_are_told(tmp_path):
    run = write_fake(tmp_path / "run", plain, "run", fake_rows(0, False))
    assert "No diagnostics yet" in write_run_note(run, CREDIT).with_suffix(".md").read_text("utf-8")
    row = {"every_epochs": 1, "asked": 192, "auc_held_out": 0.5, "logit_std": 0.01}
    row |= {"logit_held_out": 0.0, "fake_mean": 0.5}
    row |= {"mmd": 0.02, "mmd_se": 0.0001, "mmd_floor": 0.0003}
    run.set_diagnostics([row | {"epoch": k, "step": k} for k in range(5)])
    for epoch, kid in ((10, 3.25), (20, 1.5)):
        scale = Scale("KID[net]", "net v1", "digest", 200, 1800)
        value = Value(Measured(kid, 0.125, 0.1, nan, 200, 1800, 5), scale, "lower")
        found = Evaluation(run.id, epoch, 1000, "faces", (value,), ("no fake has a hat",))
        keep_evaluation(run.folder, found)
    Image.new("RGB", (40, 30), "red").save(run.folder / "neighbours-0020.png")
    text = write_run_note(run, CREDIT).with_suffix(".md").read_text("utf-8")
    assert "**Diagnosis** D dead" in text
    assert "| KID[random-conv-s0,64px] | 0.02 | 0.0003 |" in text
    assert "| KID[net] | 1.50 ± 0.10 | 0.125 |" in text and "no fake has a hat" in text
    assert "(samples/neighbours-0020.png)" in text
    assert (run.folder / "samples" / "neighbours-0020.png").is_file()
    assert text.index("after 20 epochs") < text.index("after 10 epochs")


def test_what_was_left_out_and_what_cannot_be_said_are_told(tmp_path):
    run = write_fake(tmp_path / "run", plain, "run", fake_rows(0, False))
    row = {"every_epochs": 4, "asked": 9, "auc_held_out": 0.9, "auc_game": 0.9, "logit_std": 1.0}
    row |= {"logit_held_out": 0.0, "fake_mean": 0.5, "mmd": 0.02, "contrast_train": 0.25}
    run.set_diagnostics([row | {"epoch": 3, "step": 9}])
    left_out = (LeftOut("C_T[net]", "needs 40 held-out images, this set holds out 9"),)
    keep_evaluation(run.folder, Evaluation(run.id, 20, 50, "faces", (), (), left_out))
    text = write_run_note(run, CREDIT).with_suffix(".md").read_text("utf-8")
    assert "No diagnosis yet: 8 more epochs are needed." in text
    assert "diagnostics use 9, but 50 are needed" in text
    assert "over that of training images | 0.25 | 1 |" in text
    assert "C_T left out: needs 40 held-out images, this set holds out 9" in text

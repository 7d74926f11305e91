"""Runs as Python values: the same runs as those of the command line, shown in a notebook."""

import os
import re
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image

import bascule as bl
from bascule.cli import main
from bascule.training.loop import Callback


@pytest.fixture(scope="module")
def trained_first(tiny, tmp_path_factory):
    return bl.train(tiny, name="first", runs=tmp_path_factory.mktemp("trained")).folder


@pytest.fixture
def trained(tiny, tmp_path, trained_first):
    """The run "first" in the test's own folder, a copy of one that is trained once."""
    shutil.copytree(trained_first, tmp_path / trained_first.name)
    return bl.train(tiny, name="first", runs=tmp_path)  # found, not trained again


def test_a_run_is_that_of_the_command_line(tmp_path, tiny):
    small = {"epochs": 1, "batch": 8, "threads": 1, "device": "cpu"}
    words = ["data=Faces(n=40, size=32)", *(f"{k}={v}" for k, v in small.items())]
    assert main(["--runs", str(tmp_path), "train", "dcgan64-tiny", "--set", *words]) == 0
    (theirs,) = bl.all_runs(tmp_path)
    ours = bl.train("dcgan64-tiny", data=bl.Faces(n=40, size=32), runs=tmp_path, **small)
    assert ours.id == theirs.id  # found, not trained again
    assert ours.state == "finished" and len(ours.rows()) == 1
    assert (ours.folder / "note.html").exists()


def test_pictures_are_those_of_the_seed(trained, tmp_path):
    ours = trained.generate(3, seed=5)
    assert ours.pixels.dtype == np.uint8 and np.asarray(ours).shape == (3, 3, 32, 32)
    assert main(["--runs", str(tmp_path), "generate", "first", "-n", "3", "--seed", "5",
                 "-o", str(tmp_path / "theirs")]) == 0  # fmt: skip
    folder = ours.save(tmp_path / "ours")
    for k in range(3):
        drawn = [np.asarray(Image.open(f / f"{k:05d}.png")) for f in (folder, tmp_path / "theirs")]
        assert (drawn[0] == drawn[1]).all() and (np.asarray(ours[k]) == drawn[0]).all()
    assert "CC BY" in (folder / "CREDIT.txt").read_text("utf-8")
    assert ours.grid(3).size == (3 * 32 + 4, 32) and len(ours) == 3


def test_a_fork_shares_the_past_and_changes_the_rule(trained):
    fork = trained.fork(2, bl.InstanceNoise(0.5), name="noisy")
    assert fork.run.fork.parent == trained.id and fork.run.fork.epoch == 2
    losses = [[row["loss_D"] for row in run.rows()] for run in (trained, fork)]
    assert losses[0][:2] == losses[1][:2] and losses[0][2:] != losses[1][2:]
    longer = trained.fork(2, epochs=1)
    assert len(longer.rows()) == 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda run: run.fork(2), "would change nothing"),
        (lambda run: run.fork(9, lr_D=1e-5), "expected 1 to 4"),
        (lambda run: run.fork(2, nets=3), "unknown recipe field 'nets'"),
        (lambda run: run.generate(0), "n=0: expected at least 1"),
        (lambda run: run.generate(1, epoch=3), "keeps no checkpoint of epoch 3"),
        (lambda run: run.evaluate(1), "n=1: expected at least 2"),
        (lambda run: run.resume(2), "expected more"),
        (lambda run: bl.load("frist", run.folder.parent), "unknown run 'frist'"),
        (lambda run: bl.train("dcgan65"), "unknown preset 'dcgan65'"),
        (lambda run: bl.recipe("dcgan64", epochs=0), "epochs=0: expected"),
        (lambda run: bl.images("nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_line(trained, wrong, told):
    with pytest.raises(bl.UserError, match=re.escape(told)) as error:
        wrong(trained)
    assert "\n" not in str(error.value)
    assert error.value._render_traceback_() == [f"bascule: {error.value}"]


def test_it_is_measured_and_remembers_it(tiny, tmp_path):
    trained = bl.train(tiny, data=bl.Faces(n=80, size=32, held_out=0.25), runs=tmp_path, epochs=1)
    found = trained.evaluate(20, features=["pixels"], attributes=False)
    assert found.fakes == 20
    assert [kept.plain() for kept in trained.evaluations()] == [found.plain()]
    shown = found._repr_html_()
    assert "<th>floor</th>" in shown and found.values[0].label in shown


def test_an_interrupt_saves_and_the_same_call_goes_on(tiny, tmp_path, same):
    class Interrupts(Callback):
        def on_epoch_end(self, record):
            if record.epochs_done == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="is saved"):
        bl.train(tiny, name="cut", runs=tmp_path / "a", callbacks=[Interrupts()])
    (cut,) = bl.all_runs(tmp_path / "a")
    assert cut.state == "interrupted"
    cut.resume()
    whole = bl.train(tiny, name="cut", runs=tmp_path / "b")
    assert same(cut.run.load_checkpoint(), whole.run.load_checkpoint())
    assert len(cut.resume(6).rows()) == 6


def test_values_show_themselves(trained):
    shown = trained._repr_html_()
    assert "finished, 4 of 4 epochs" in shown and "data:image/png;base64," in shown
    assert "loss_D" in shown and "CC BY" in shown
    assert repr(trained) == f"<run {trained.id}: finished, 4 of 4 epochs>"
    drawn = trained.generate(70)
    assert "the first 64" in drawn._repr_html_() and "after 4 epochs" in repr(drawn)
    faces = bl.images(bl.Faces(n=40, size=32))
    assert repr(faces) == f"<{faces.name}: 40 images of 3 x 32 x 32, 4 held out>"
    assert "40 images of 32 px" in faces._repr_html_() and "<script" not in faces._repr_html_()


def test_a_notebook_gets_a_bar_that_goes_when_it_is_done(tiny, tmp_path, monkeypatch):
    from bascule.api import progress

    told = []

    class Shown:
        def tell(self, *parts):
            told.append("".join(parts))

        def clear(self):
            told.append("")

    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(progress, "Shown", Shown)
    monkeypatch.setattr("bascule.training.pace.Pace.__init__.__defaults__", (0.0,))
    bl.train(tiny, name="<first>", runs=tmp_path)
    assert "<progress value=" in told[0] and "&lt;first&gt;" in told[0] and told[-1] == ""


def test_no_notebook_without_ipython(monkeypatch):
    from bascule.api.progress import in_notebook

    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()

"""--track of the verbs that train: in this process, and in the workers of an experiment."""

from pathlib import Path

import pytest

from bascule.runs.store import Store

TINY = ["--set", "data=Faces(n=60, size=32, held_out=0.5)", "model.width=4", "model.z_dim=8"]
TINY += ["model.size=32", "epochs=2", "batch=8", "threads=1", "device=cpu"]
OWN = """
from pathlib import Path
import bascule as bl

class Diary(bl.Tracker):
    def start(self, run):
        self.file = Path(__file__).parent / f"{run.id}.txt"

    def log(self, epoch, values):
        with self.file.open("a") as file:
            print(epoch, sorted(values)[:2], file=file)

class Broken(bl.Tracker):
    def log(self, epoch, values):
        raise ValueError("no")
"""
QUESTION = """
'Is a tracker told?'
import bascule as bl

plain = bl.recipe(
    "dcgan64-tiny", data=bl.Faces(n=40), epochs=1, batch=8, threads=1, device="cpu"
)
experiment = bl.Experiment(
    question=__doc__,
    hypothesis="Yes.",
    arms={"plain": plain, "slow": plain.replace(lr_G=1e-5)},
    predictions=[bl.Lower("D_x", arm="slow", than="plain")],
    seeds=(0,),
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN, "utf-8")
    return tmp_path


def test_train_tells_trackers_and_tells_of_a_broken_one(bascule, folder):
    pytest.importorskip("tensorboard")
    track = ["--track", "tensorboard", "--track", "mine.py:Diary", "--track", "mine.py:Broken"]
    code, _, err = bascule("train", "dcgan64-tiny", "--name", "seen", *TINY, *track)
    assert code == 0 and "warning: the tracker Broken failed" in err and "Traceback" not in err
    run = Store(Path("runs")).find("seen")
    assert len((folder / f"{run.id}.txt").read_text().splitlines()) == 2
    assert list((run.folder / "tb").iterdir())
    # A tracker is no part of what a run is: the same one is found again.
    assert bascule("train", "dcgan64-tiny", "--name", "seen", *TINY)[0] == 0
    assert len(list(Path("runs").glob("*/recipe.json"))) == 1


def test_run_tells_the_trackers_in_its_workers(bascule, folder):
    Path("question.py").write_text(QUESTION, "utf-8")
    track = ["--set", "model.width=4", "--track", "mine.py:Diary", "--track", "mine.py:Broken"]
    code, _, err = bascule("run", "question.py", *track)
    assert code == 0, err
    runs = Store(Path("runs")).runs()
    assert len(runs) == 2
    assert err.count("warning: the tracker Broken failed") == 2
    for run in runs:
        assert len((folder / f"{run.id}.txt").read_text().splitlines()) == 1


def test_an_unknown_tracker_is_refused_before_anything_is_trained(bascule, folder):
    code, _, err = bascule("train", "dcgan64-tiny", *TINY, "--track", "tensorbord")
    assert code == 2 and "expected tensorboard, trackio, wandb, mlflow" in err
    assert len(err.strip().splitlines()) == 1 and not list(Path().glob("runs/*/run.json"))

"""bascule tune: the whole verb on a search of seconds, with a worker that dies on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bascule.core.errors import UserError
from bascule.tuning.cli import seconds_of
from bascule.tuning.search import load, study_of

FILE = '''
import os
import signal
from dataclasses import dataclass

from bascule.data.faces import Faces
from bascule.tuning.search import Among, Tuning
from bascule.interventions import Intervention
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe


@dataclass(frozen=True)
class Dies(Intervention):
    """Takes its process with it."""

    def on_step_start(self, game, now):
        os.kill(os.getpid(), signal.SIGKILL)


start = GANRecipe(
    data=Faces(n=80, size=32, held_out=0.25),
    model=DCGAN(width=4, z_dim=8, size=32),
    epochs=EPOCHS,
    batch=8,
    threads=1,
    device="cpu",
)
tuning = Tuning(
    question="Does a rule that kills hurt?",
    start=start,
    space={
        "interventions": Among(("[]", "[Dies()]", "[InstanceNoise(0.3)]")),
        "lr_D": Among((2e-4, 1e-3)),
    },
    fakes=60,
    attributes=False,
    looks=2,
    trials=4,
    fresh_seeds=(7,),
)
'''


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "deadly.py"
    path.write_text(FILE.replace("EPOCHS", "2"))
    return path


def tune(file: Path, *words: str) -> subprocess.Popen[str]:
    runs = file.parent / "runs"
    return subprocess.Popen(
        [sys.executable, "-m", "bascule", "--runs", runs, "tune", file, "--workers", "1", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_search_from_file_to_preset_and_note(file, bascule):
    """Trials of the rule that kills fail; the others go on, are judged and become a preset."""
    storage = file.parent / "runs" / "tuning" / "deadly" / "journal.log"
    study = study_of(load(file), str(storage))
    for change in ("[Dies()]", "[]", "[InstanceNoise(0.3)]"):  # after the start itself
        study.enqueue_trial({"interventions": change, "lr_D": 1e-3})
    code, out, err = bascule("tune", str(file), "--workers", "1", "--trials", "4")
    assert code == 0, err
    assert "best settings: bascule train" in out and "note: " in out
    note = next((file.parent / "runs" / "notes").glob("tuned-*/note.md")).read_text("utf-8")
    assert "4 trials: " in note and "failed" in note
    assert "its worker died (exit code -9)" in note
    assert "## Worth it?" in note and "KID afresh" in note
    preset = file.parent / "runs" / "tuning" / "deadly" / "best.json"
    assert json.loads(preset.read_text("utf-8"))["is"] == "bascule.gan.recipe:GANRecipe"
    code, out, err = bascule("train", str(preset), "--set", "epochs=1", "interventions=[]")
    assert code == 0, err


def test_it_stops_on_a_signal_and_the_same_command_goes_on(file):
    file.write_text(FILE.replace("EPOCHS", "400").replace('"[Dies()]", ', ""))
    begun = tune(file, "--trials", "1")
    deadline = time.monotonic() + 120
    while not list((file.parent / "runs").glob("*trial*/scalars.jsonl")):
        assert begun.poll() is None and time.monotonic() < deadline, begun.communicate()
        time.sleep(0.1)
    begun.send_signal(signal.SIGINT)
    _, err = begun.communicate(timeout=60)
    assert begun.returncode == 130 and "give the same command again to go on" in err
    (run,) = (file.parent / "runs").glob("*trial*")
    assert json.loads((run / "status.json").read_text())["state"] == "interrupted"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.py"], "no such experiment file: nowhere.py"),
        (["deadly.py", "--trials", "0"], "--trials 0 --workers 1: expected at least 1 of each"),
        (["deadly.py", "--budget", "soon"], "--budget soon: expected a time like 90m, 2h or 1h30m"),
        (["deadly.py", "--storage", "ftp://x"], "cannot open the study in ftp://x"),
        (["deadly.py", "--quick"], "has no quick version"),
        (["deadly.py", "--set", "epochs=0"], "epochs=0: expected a whole number >= 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_searched_is_refused_in_one_line(file, bascule, words, said):
    code, _, err = bascule("tune", *words, "--workers", "1")
    assert code == 2 and said in err and err.count("\n") == 1


def test_budgets_are_read_as_people_write_them():
    assert seconds_of("90m") == seconds_of("1h30m") == 5400
    assert seconds_of("2h") == 7200 and seconds_of("45s") == 45
    for wrong in ("", "2", "h", "2d", "1h 5x"):
        with pytest.raises(UserError, match="expected a time like"):
            seconds_of(wrong)

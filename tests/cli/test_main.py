"""The command line as its users call it: what works, and one clear line for what does not."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bascule.runs.store import Store
from quick_workers import Process

SMALL = [
    *("--set", "data=Faces(n=40, size=32)", "model=DCGAN(width=4, z_dim=8, size=32)"),
    *("batch=8", "epochs=4", "threads=1", "device=cpu"),
]


def test_train_list_fork_compare(bascule, tmp_path):
    code, out, err = bascule("train", "dcgan64-tiny", "--name", "first", *SMALL)
    assert code == 0, err
    run = Store(Path("runs")).find("first")
    assert len(run.rows()) == 4
    assert (run.folder / "note.html").exists() and "note.html" in out

    fork = ("fork", "first", "--at-epoch", "2", "--change", "PerfectG(at_epoch=2, sigma=0.05)")
    code, _, err = bascule(*fork, "--epochs", "3", "--name", "branch")
    assert code == 0, err
    branch = Store(Path("runs")).find("branch")
    assert branch.recipe.epochs == 5
    assert branch.rows()[1]["loss_D"] == run.rows()[1]["loss_D"]
    assert branch.rows()[2]["loss_D"] != run.rows()[2]["loss_D"]

    later = ("fork", "first", "--at-epoch", "4", "--change", "PerfectG(at_epoch=5)")
    code, _, err = bascule(*later, "--epochs", "2", "--name", "later")
    assert code == 0, err  # a change that acts when the parent has ended

    code, out, _ = bascule("list")
    assert code == 0 and run.id in out and f"{run.id} at 2" in out and out.count("finished") == 3
    code, out, _ = bascule("compare", "first", "branch", "-o", "side")
    assert code == 0 and Path("side/compare.html").exists() and "PerfectG" in out
    page = Path("side/compare.md").read_text("utf-8")
    command = shlex.split(page[page.index("```sh") :].split("```")[1].splitlines()[1])
    assert command == ["bascule", "compare", run.id, branch.id]
    for words in (command[1:], ["compare", "first", "later"], [*command[1:], "--name", "my pair"]):
        assert bascule(*words)[0] == 0
    pages = sorted(path.name for path in Path("runs/notes/compare").iterdir())
    assert len(pages) == 3 and "my-pair" in pages and pages[0].startswith("first-vs-branch-")
    code, _, err = bascule("compare", "first", "later", "--name", "my pair")
    assert code == 2 and "compares other runs" in err and "--force" in err
    assert bascule("compare", "first", "later", "--name", "my pair", "--force")[0] == 0


EXPERIMENT = """
from bascule.data.faces import Faces
from bascule.experiments import Experiment, Within
from bascule.interventions import Intervention
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe
from dataclasses import dataclass

@dataclass(frozen=True)
class Shift(Intervention):
    by: float = 0.5
    def augment(self, x, now):
        return x + self.by

plain = GANRecipe(data=Faces(n=40, size=32), model=DCGAN(width=4, z_dim=8, size=32), batch=8,
               epochs=2, device="cpu", threads=1)
experiment = Experiment("Où va D ?", "新しい仮説",
                        {"plain": plain, "shifted": plain.replace(interventions=Shift())},
                        [Within("loss_D", "plain", 0, 50)], seeds=(0, 1, 2))
"""


def test_run_writes_a_note_with_a_verdict(bascule, tmp_path):
    Path("où_va_d.py").write_text(EXPERIMENT, "utf-8")
    code, out, err = bascule("run", "où_va_d.py")
    assert code == 0, err
    found, word, *_ = out.splitlines()
    assert found.startswith("loss_D of “plain” is ")
    assert word == "supported: all 1 predictions are supported"
    note = next(Path("runs/notes").glob("*/note.html")).read_text("utf-8")
    assert "新しい仮説" in note and "Où va D ?" in note and "supported" in note
    brought = [r for r in Store(Path("runs")).runs() if (r.folder / "code").is_dir()]
    assert len(brought) == 3  # the arm with the file's own class, on three seeds

    code, out, _ = bascule("run", "où_va_d.py", "--seeds", "0", "--arm", "plain", "--note", "one")
    assert code == 0 and out.splitlines()[1].startswith("inconclusive: one seed")
    assert Path("one/note.md").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "dcgan65"], "unknown preset 'dcgan65': did you mean dcgan64?"),
        (["train", "dcgan64", "--set", "epoch=3"], "did you mean epochs?"),
        (["train", "dcgan64", "--set", "width=3"], "did you mean model.width?"),
        (
            ["train", "dcgan64", "--set", "epochs=three"],
            "epochs='three' in GANRecipe: Input should be",
        ),
        (["train", "dcgan64", "--set", "epochs"], "expected FIELD=VALUE"),
        (["train", "dcgan64", "--set", "epochs=0"], "epochs=0: expected a whole number >= 1"),
        (
            ["train", "dcgan64", "--set", "epochs=50", "interventions=PerfectG(60)"],
            "never acts: the run has 50 epochs",
        ),
        (
            ["train", "dcgan64", "--set", "interventions=__import__('os')"],
            "unknown name '__import__'",
        ),
        (["train", "dcgan64", "--set", "device=tpu"], "expected auto, cpu, cuda"),
        (["train", "dcgan64", "--data", "nowhere"], "nowhere"),
        (["train", "dcgan64-tiny", "--set", "data.n=20"], "fewer than one batch of 32"),
        (["run", "perfect-h"], "unknown experiment 'perfect-h': did you mean perfect-g?"),
        (["run", "gone.py"], "no such experiment file: gone.py"),
        (["resume", "nothing"], "unknown run 'nothing'"),
        (["fork", "nothing", "--at-epoch", "3"], "unknown run 'nothing'"),
        (["compare", "nothing"], "unknown run 'nothing'"),
        (["fly"], "invalid choice: 'fly'"),
        (["data", "import", "gone", "--name", "x"], "gone"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(bascule, words, told):
    code, _, err = bascule(*words)
    assert code == 2
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert not list(Path(".").glob("runs/*"))


def test_diverged_losses_are_refused_and_the_run_stays_resumable(bascule):
    Path("shatter.py").write_text("""
from bascule.interventions import Intervention
from bascule.experiments import Experiment, Within
from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe
from dataclasses import dataclass

@dataclass(frozen=True)
class Shatter(Intervention):
    at_epoch: int
    def first_epoch(self):
        return self.at_epoch
    def discriminator_batch(self, real, fake, now):
        return (real / 0 if now.epoch >= self.at_epoch else real), fake

plain = GANRecipe(data=Faces(n=40, size=32), model=DCGAN(width=4, z_dim=8, size=32), batch=8,
               epochs=3, device="cpu", threads=1)
experiment = Experiment("?", "!", {"broken": plain.replace(interventions=Shatter(2))},
                        [Within("D_x", "broken", 0, 0.99)], seeds=(0, 1))
""")
    code, out, err = bascule("run", "shatter.py")
    assert code == 2
    found, word, *_ = out.splitlines()
    assert found == "Nothing was measured yet."
    assert word.startswith("inconclusive: 2 of 2 seeds have no finished run")
    assert "loss_D is not finite in epoch 2" in err and "Traceback" not in err
    run = Store(Path("runs")).find("broken s0")
    assert run.load_checkpoint()["epoch"] == 2
    assert Path("runs/notes/shatter/note.html").exists()


def test_interrupted_experiment_goes_on(bascule, tmp_path):
    (tmp_path / "e.py").write_text(EXPERIMENT.replace("epochs=2", "epochs=40"), "utf-8")
    words = ["run", "e.py", "--arm", "plain", "--seeds", "0", "1"]
    first = Process(["bascule.__main__", *words], tmp_path / "errors")
    store = Store(tmp_path / "runs")
    while not any(run.rows() for run in store.runs()) and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    first.wait(60)
    said = (tmp_path / "errors").read_text()
    assert first.returncode == 130, said
    assert "give the same command again to go on" in said and "Traceback" not in said
    assert {run.status["state"] for run in store.runs()} == {"interrupted"}
    code, _, err = bascule(*words)
    assert code == 0, err
    assert {run.status["state"] for run in store.runs()} == {"finished"}


def test_a_run_folder_says_everything(bascule):
    bascule("train", "dcgan64-tiny", "--name", "told", *SMALL)
    folder = Store(Path("runs")).find("told").folder
    about = json.loads((folder / "run.json").read_text())
    assert set(about) == {"name", "created", "code", "machine", "data_digest", "fork"}
    assert about["machine"]["torch"] and about["code"].startswith("0.")
    moved = Path("elsewhere") / folder.name
    shutil.copytree(folder, moved)
    code, _, err = bascule("resume", str(moved))  # finished: nothing to do, from anywhere
    assert code == 0, err


def test_the_module_runs():
    done = subprocess.run([sys.executable, "-m", "bascule", "--version"], capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"bascule ")

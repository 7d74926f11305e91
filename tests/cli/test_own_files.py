"""The user's own nets, losses, rules and data, from files named on the command line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bascule import jobs
from bascule.runs.store import Store

NETS = """
import torch
from torch import nn

class G(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size, self.linear = size, nn.Linear(8, 3 * size * size)

    def forward(self, z):
        return self.linear(z).tanh().reshape(-1, 3, self.size, self.size)

class D(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.linear = nn.Linear(3 * size * size, 1)

    def forward(self, x):
        return self.linear(x.flatten(1)).squeeze(1)
"""
RECIPE = """
from dataclasses import dataclass

from bascule.data.faces import Faces
from bascule.experiments import Experiment, Within
from bascule.interventions import Intervention
from bascule.gan.objectives import Objective
from bascule.gan.penalties import Penalty
from bascule.gan.recipe import GANRecipe
from my_nets import D, G

@dataclass(frozen=True)
class Pair:
    size: int = 32
    z_dim: int = 8

    def players(self, rng):
        return G(self.size), D(self.size)

@dataclass(frozen=True)
class Squares(Objective):
    def D(self, logit_real, logit_fake):
        return (logit_real - 1).square().mean() + logit_fake.square().mean()

    def G(self, logit_fake, logit_real=None):
        return (logit_fake - 1).square().mean()

@dataclass(frozen=True)
class SmallLogits(Penalty):
    weight: float = 0.1

    def __call__(self, turn):
        return self.weight * turn.logits["real"].square().mean()

@dataclass(frozen=True)
class Dim(Intervention):
    factor: float = 0.5

    def augment(self, x, now):
        return x * self.factor

here = {"device": "cpu", "threads": 1}
light = GANRecipe(data=Faces(n=40, size=32), model=Pair(), batch=8, epochs=2, **here)
recipe = light.replace(objective=Squares(), penalties=SmallLogits(), interventions=Dim(0.25))
experiment = Experiment("Is dim good?", "It is.", {"plain": light, "dim": recipe},
                        [Within("D_x", "dim", 0, 0.99)], seeds=(0,))
"""
DATA = """
import torch
from torch.utils.data import Dataset

class MySet(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, i):
        return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(i))
"""


@pytest.fixture
def files(bascule):
    """The user's files in the working folder."""
    for name, text in (("my_nets", NETS), ("my_recipe", RECIPE), ("my_data", DATA)):
        Path(f"{name}.py").write_text(text)
    return bascule


def test_a_recipe_is_trained_from_a_file_resumed_and_forked_from_its_copy(files):
    code, out, err = files("train", "my_recipe.py", "--name", "mine")
    assert code == 0, err
    run = Store(Path("runs")).find("mine")
    assert {p.name for p in run.code_folder.glob("*.py")} == {"my_nets.py", "my_recipe.py"}
    for name in ("my_nets.py", "my_recipe.py"):
        Path(name).unlink()
    fork = ("fork", run.id, "--at-epoch", "1", "--change", "Dim(0.125)", "--name", "branch")
    code, out, err = files(*fork)
    assert code == 0, err
    code, out, err = files("compare", run.id, "branch")
    assert code == 0, err
    assert "Dim(factor=0.125)" in Path(out.rpartition("page: ")[2].strip()).read_text("utf-8")


def test_data_and_rules_from_files(files):
    words = ("train", "my_recipe.py:light", "--data", "my_data.py:MySet", "--set", "epochs=1")
    code, _, err = files(*words, "interventions=[Dim(0.3)]", "--name", "mine")
    assert code == 0, err
    run = Store(Path("runs")).find("mine")
    kept = {p.name for p in run.code_folder.glob("*.py")}
    assert kept == {"my_nets.py", "my_recipe.py", "my_data.py"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "my_recipe.py:dark"], "defines no recipe 'dark': expected `dark = Recipe(...)`"),
        (["train", "nothing.py"], "nothing.py does not load: FileNotFoundError"),
        (["train", "my_recipe.py", "--data", "my_data.py:Gone"], "my_data.py defines no Gone"),
        (["train", "my_recipe.py", "--data", "gone.py:MySet"], "there is no file gone.py"),
        (["train", "my_recipe.py", "--data", "my_recipe.py:Dim"], "Dim makes no dataset"),
        (["train", "my_recipe.py", "--set", "interventions=Dimm(3)"], "did you mean Dim?"),
        (
            ["train", "my_recipe.py", "--set", "model=my_nets.py:G(3)"],
            "G is not a frozen dataclass",
        ),
    ],
)
def test_what_a_file_does_not_hold_is_refused_in_one_line(files, words, said):
    code, _, err = files(*words)
    assert code == 2 and said in err and err.count("\n") == 1


def test_a_killed_worker_goes_on_from_the_copy(files):
    """In a process of its own, as the scheduler starts it, the user's files gone."""
    code, _, err = files("train", "my_recipe.py", "--name", "whole", "--set", "epochs=40")
    assert code == 0, err
    store = Store(Path("runs"))
    whole = store.find("whole")
    shutil.copytree(whole.folder, "other/" + whole.id)
    run = Store(Path("other")).find(whole.id)
    (run.folder / "status.json").unlink()
    shutil.rmtree(run.folder / "checkpoints")
    (run.folder / "checkpoints").mkdir()
    for name in ("my_nets.py", "my_recipe.py"):
        Path(name).unlink()
    job = jobs.TrainRun(str(Path("other").resolve()), str(run.folder.resolve()))
    jobs.write(job, run.folder / "train.json")
    words = [sys.executable, "-m", "bascule.worker", str(run.folder / "train.json")]
    worker = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(1200):
        if run.checkpoint().exists() or worker.poll() is not None:
            break
        time.sleep(0.1)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    ours, theirs = (r.rows()[-1]["loss_D"] for r in (run, whole))
    assert ours == theirs


def test_an_experiment_of_own_nets_runs_side_by_side(files):
    code, _, err = files("run", "my_recipe.py", "--jobs", "2")
    assert code == 0, err
    found = {run.name: run for run in Store(Path("runs")).runs()}
    assert len(found) == 2
    curves = [run.rows()[-1]["loss_D"] for run in found.values()]
    assert curves[0] != curves[1]

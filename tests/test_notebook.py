"""The notebook's questions and ours, every arm in seconds: that they run, not what they say.

Whole experiments start a process a run, which would take CI ten minutes; here the quick recipes are
played in this process, and one experiment is run as its user would.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bascule.experiments.experiment import load
from bascule.training.loop import train
from bascule.training.machine import settle
from bascule.training.state import begin

ROOT = Path(__file__).parent.parent
FILES = [*sorted((ROOT / "experiments/notebook").glob("*.py")), ROOT / "experiments/cool_down.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_arm_of_every_question_plays_to_its_end(file):
    whole, quick = load(file), load(file, quick=True)
    assert list(whole.arms) == list(quick.arms)
    assert len(whole.seeds) >= 3
    for arm, recipe in quick.arms.items():
        images = recipe.data.load()
        train_on, held_out = (
            torch.from_numpy(images.pixels[images.indices(split)])
            for split in ("train", "held_out")
        )
        state = begin(settle(recipe))
        train(recipe, state, train_on, held_out=held_out)
        assert state.epoch == recipe.epochs, arm


def test_one_of_them_is_run_as_its_user_would(tmp_path):
    command = [sys.executable, "-m", "bascule", "--runs", str(tmp_path / "runs")]
    command += ["run", "notebook/hsv", "--quick", "--seeds", "0", "--note", str(tmp_path / "note")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("notebook/hsv-quick: inconclusive: one seed")
    assert "KID[efficientnet-lite0,128px]" in (tmp_path / "note/note.md").read_text("utf-8")
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 2

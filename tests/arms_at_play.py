"""Every arm of an experiment in seconds: that it runs, not what it says.

Whole experiments start a process a run, which would take CI long; here the quick recipes are played
in this process.
"""

import subprocess
import sys
from pathlib import Path

import torch

from bascule.experiments.experiment import load
from bascule.training.hardware import resolve_auto
from bascule.training.loop import train
from bascule.training.state import begin

EXPERIMENTS = Path(__file__).parent.parent / "experiments"


def play_to_the_end(file: Path) -> None:
    """Play the quick recipe of every arm of the experiment in ``file``; it must reach its end."""
    whole, quick = load(file), load(file, quick=True)
    assert list(whole.arms) == list(quick.arms)
    assert len(whole.seeds) >= 3
    for arm, recipe in quick.arms.items():
        recipe = resolve_auto(recipe.replace(device="cpu", threads=1))
        images = recipe.data.load()
        train_on, held_out = (
            torch.from_numpy(images.pixels[images.indices(split)])
            for split in ("train", "held_out")
        )
        state = begin(recipe)
        labels = recipe.labels_of(images)
        train(state, train_on, held_out=held_out, labels=labels)
        assert state.epoch == recipe.epochs, arm


def run_as_its_user(folder: Path, *words: str) -> tuple[str, str]:
    """What ``bascule run`` says of ``words``, and the note it writes; all goes into ``folder``."""
    command = [sys.executable, "-m", "bascule", "--runs", str(folder / "runs"), "run", *words]
    command += ["--note", str(folder / "note")]
    root = EXPERIMENTS.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout, (folder / "note/note.md").read_text("utf-8")

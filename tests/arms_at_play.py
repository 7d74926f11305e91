"""Every arm of an experiment in seconds: that it runs, not what it says.

Whole experiments start a process a run, which would take CI long; here the quick recipes are played
in this process.
"""

import json
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import torch

from bascule.cli import main
from bascule.experiments.experiment import load
from bascule.runs.codec import encode
from bascule.training.hardware import resolve_auto
from bascule.training.loop import train
from bascule.training.state import begin

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
_played: set[str] = set()  # recipes, as JSON: many arms of different questions are the same


def play_to_the_end(file: Path) -> None:
    """Play the quick recipe of every arm of the experiment in ``file``; it must reach its end."""
    whole, quick = load(file), load(file, quick=True)
    assert list(whole.arms) == list(quick.arms)
    assert len(whole.seeds) >= 3
    for arm, recipe in quick.arms.items():
        recipe = resolve_auto(recipe.replace(device="cpu", threads=1))
        if (told := json.dumps(encode(recipe))) in _played:
            continue
        images = recipe.data.load()
        train_on, held_out = (
            torch.from_numpy(images.pixels[images.indices(split)])
            for split in ("train", "held_out")
        )
        state = begin(recipe)
        labels = recipe.labels_of(images)
        train(state, train_on, held_out=held_out, labels=labels)
        assert state.epoch == recipe.epochs, arm
        _played.add(told)


def run_as_its_user(folder: Path, *words: str) -> tuple[str, str]:
    """What ``bascule run`` says of ``words``, and the note it writes; all goes into ``folder``."""
    command = ["--runs", str(folder / "runs"), "run", *words, "--note", str(folder / "note")]
    said, told = StringIO(), StringIO()
    with chdir(EXPERIMENTS.parent), redirect_stdout(said), redirect_stderr(told):
        code = main(command)
    assert code == 0, told.getvalue()
    return said.getvalue(), (folder / "note/note.md").read_text("utf-8")

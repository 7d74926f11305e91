"""The notebook's questions and ours, every arm in seconds: that they run, not what they say."""

import subprocess
import sys

import pytest

from arms_at_play import EXPERIMENTS, play_to_the_end

ROOT = EXPERIMENTS.parent
FILES = [*sorted((EXPERIMENTS / "notebook").glob("*.py")), EXPERIMENTS / "cool_down.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_arm_of_every_question_plays_to_its_end(file):
    play_to_the_end(file)


def test_one_of_them_is_run_as_its_user_would(tmp_path):
    command = [sys.executable, "-m", "bascule", "--runs", str(tmp_path / "runs")]
    command += ["run", "notebook/hsv", "--quick", "--seeds", "0", "--note", str(tmp_path / "note")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("notebook/hsv-quick: inconclusive: one seed")
    assert "KID[efficientnet-lite0,128px]" in (tmp_path / "note/note.md").read_text("utf-8")
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 2

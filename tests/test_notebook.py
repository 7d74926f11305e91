"""The notebook's questions and ours, every arm in seconds: that they run, not what they say."""

import pytest

from arms_at_play import EXPERIMENTS, play_to_the_end, run_as_its_user

FILES = [*sorted((EXPERIMENTS / "notebook").glob("*.py")), EXPERIMENTS / "cool_down.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_arm_of_every_question_plays_to_its_end(file):
    play_to_the_end(file)


def test_one_of_them_is_run_as_its_user_would(tmp_path):
    said, note = run_as_its_user(tmp_path, "notebook/hsv", "--quick", "--seeds", "0")
    assert said.splitlines()[1].startswith("notebook/hsv-quick: inconclusive: one seed")
    assert "KID[efficientnet-lite0,128px]" in note
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 2

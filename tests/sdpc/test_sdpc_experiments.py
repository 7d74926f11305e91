"""The experiments on SDPC and its presets, in seconds: that they run, not what they say."""

import numpy as np
import pytest

from arms_at_play import EXPERIMENTS, play_to_the_end, run_as_its_user
from bascule import presets
from bascule.presets import SDPC_PRESETS
from bascule.sdpc.coder import Coder

FILES = sorted((EXPERIMENTS / "sdpc").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_arm_of_every_question_plays_to_its_end(file):
    play_to_the_end(file)


def test_one_arm_is_run_and_measured_as_its_user_would(tmp_path):
    said, note = run_as_its_user(
        tmp_path, "sdpc/feedback", "--quick", "--seeds", "0", "--arm", "feedback"
    )
    assert said.splitlines()[1].startswith("sdpc/feedback-quick: inconclusive: one seed")
    assert "exceeds its active of layer 1[k_fb=0]" in note
    assert "## Noise" in note and "figures/note-noise-" in note
    row = next(line for line in note.splitlines() if line.startswith("| feedback | 2 | 4 |"))
    assert row.count("|") == 8  # a cell for each sigma
    assert "Seed 0. Every picture shows the dictionaries" in note
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 1


def test_the_gate_says_what_comes_back(tmp_path):
    _, note = run_as_its_user(
        tmp_path, "sdpc/gate", "--quick", "--seeds", "0", "--arm", "plain", "--set", "epochs=1"
    )
    assert "## Back from the codes" in note and "## Noise" not in note
    lines = [line.split(" | ") for line in note.splitlines() if line.startswith("| plain |")]
    ssim = {cells[1]: float(cells[3]) for cells in lines if len(cells) == 8}
    assert list(ssim) == ["low-pass", "layer 1", "layer 2", "split"]
    assert ssim["split"] > 0.999 > ssim["low-pass"]


@pytest.mark.parametrize("name", SDPC_PRESETS)
def test_a_preset_learns(name):
    assert getattr(presets, name.replace("-", "_")) is SDPC_PRESETS[name]
    recipe = SDPC_PRESETS[name].replace(epochs=2, batch=4, threads=1, device="cpu")
    rng = np.random.default_rng(0)
    blobs = rng.integers(0, 255, (8, 3, 8, 8)).astype(np.uint8).repeat(8, 2).repeat(8, 3)
    coder = Coder(recipe).fit(blobs)
    assert coder.state.step == 4
    assert all((g > 0).any() for g in coder.encode(blobs).codes.maps[:1])

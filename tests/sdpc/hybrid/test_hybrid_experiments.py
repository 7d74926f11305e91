"""The experiments on hybrids of GAN and SDPC, in seconds: that they run, not what they say."""

import re

import pytest
import torch

from arms_at_play import EXPERIMENTS, play_to_the_end, run_as_its_user
from bascule import presets
from bascule.presets import HYBRID_PRESETS
from bascule.sdpc.hybrid.recipe import HybridRecipe
from bascule.training.hardware import resolve_auto
from bascule.training.state import begin

FILES = sorted((EXPERIMENTS / "hybrids").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_arm_of_every_question_plays_to_its_end(file):
    play_to_the_end(file)


def test_the_probe_is_run_and_measured_as_its_user_would(tmp_path):
    said, note = run_as_its_user(
        tmp_path, "hybrids/probe", "--quick", "--seeds", "0", "--arm", "DCGAN"
    )
    assert said.splitlines()[1].startswith("hybrids/probe-quick: inconclusive: one seed")
    assert "exceeds its KID of layer 1 at k_fb=0" in note
    assert "## Settled fakes" in note and "figures/note-settling.png" in note
    rows = [line.split(" | ") for line in note.splitlines() if line.startswith("| DCGAN |")]
    settled = [row[1:3] for row in rows if row[1].startswith("layer")]
    assert settled[0] == ["layer 1", "0"] and len(settled) == 10


def test_both_hybrids_of_the_verdict_are_measured_in_all_that_is_asked(tmp_path):
    _, note = run_as_its_user(
        tmp_path, "hybrids/verdict", "--quick", "--arm", "sdpc-gan", "--arm", "sdpc-critic"
    )
    assert "Not finished" not in note  # what failed or was not measured stands there
    assert "## Settled fakes" not in note  # not asked for
    for section in ("Measured", "What codes can do", "Noise"):
        (told,) = (part for part in note.split("\n## ") if part.startswith(f"{section}\n"))
        names = "; ".join(re.findall(r"^\| ([^|]+) \|", told, re.MULTILINE))
        assert {"sdpc-gan", "sdpc-critic"} <= set(names.split("; "))  # the same codes share a row


@pytest.mark.parametrize("name", HYBRID_PRESETS)
def test_a_preset_stands_on_its_dictionaries(name):
    recipe = HYBRID_PRESETS[name]
    assert getattr(presets, name.replace("-", "_")) is recipe
    assert isinstance(recipe, HybridRecipe)
    begun = begin(resolve_auto(recipe.replace(device="cpu")))
    assert begun.trainer.sample(torch.randn(2, recipe.z_dim)).shape == (2, 3, 64, 64)

"""The experiments on translation and its presets, in seconds: that they run, not what they say."""

import json
import tarfile

import pytest
import torch

from arms_at_play import EXPERIMENTS, play_to_the_end, run_as_its_user
from bascule import presets
from bascule.experiments.experiment import load
from bascule.presets import TRANSLATION_PRESETS
from bascule.runs import codec
from bascule.training.hardware import resolve_auto
from bascule.training.state import begin
from bascule.training.trainer import Batch

FILES = sorted((EXPERIMENTS / "translation").glob("*.py"))
LIGHT = [name for name in TRANSLATION_PRESETS if name.endswith("-light")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_arm_of_every_question_plays_to_its_end(file):
    play_to_the_end(file)


def test_one_arm_is_run_and_measured_as_its_user_would(tmp_path):
    said, note = run_as_its_user(
        tmp_path, "translation/cartoon_pair", "--quick", "--seeds", "0", "--arm", "CycleGAN"
    )
    assert said.splitlines()[1].startswith("translation/cartoon-pair-quick: inconclusive: one seed")
    assert "R@1[translation,32px] of “CycleGAN” exceeds its R@1 of random target" in note
    assert "what they become, and what leads back" in note
    assert len(list((tmp_path / "runs").glob("*/metrics.json"))) == 1


@pytest.mark.parametrize("name", ["cartoon_pair", "human_to_cartoon"])
def test_the_runs_of_a_committed_note_are_those_of_its_experiment(name):
    """Presets may change; the recipes of the experiments that were run may not."""
    file = EXPERIMENTS / "translation" / f"{name}.py"
    pack = EXPERIMENTS.parent / "notes" / "translation" / f"{file.stem.replace('_', '-')}.tar.xz"
    with tarfile.open(pack) as archive:
        told = [archive.extractfile(e) for e in archive if e.name.endswith("/recipe.json")]
        packed = [codec.decode(json.load(recipe)) for recipe in told]
    experiment = load(file)
    assert len(packed) == len(experiment.arms) * len(experiment.seeds)
    for recipe in experiment.arms.values():
        ran = {"device": "cpu", "threads": 1, "precision": "bf16"}
        assert all(recipe.replace(seed=seed, **ran) in packed for seed in experiment.seeds)


@pytest.mark.parametrize("name", TRANSLATION_PRESETS)
def test_a_preset_is_called_as_it_is_listed(name):
    assert getattr(presets, name.replace("-", "_")) is TRANSLATION_PRESETS[name]
    recipe = TRANSLATION_PRESETS[name]
    assert recipe.data.size == recipe.model.size == (64 if name in LIGHT else 256)


@pytest.mark.parametrize("name", LIGHT)
def test_a_light_preset_learns(name):
    """Two steps on the pictures that come with it, at its own size."""
    recipe = resolve_auto(TRANSLATION_PRESETS[name].replace(threads=1, device="cpu"))
    pixels = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    state = begin(recipe)
    labels = torch.tensor([0, 0, 1, 1])
    before = [weight.clone() for weight in state.trainer.translators()[0].parameters()]
    for _ in range(2):
        batch = Batch(pixels, torch.arange(1), 0, state.step, labels=labels)
        scalars = state.trainer.step(batch)
        assert all(value.isfinite() for value in scalars.values())
        state.step += 1
    after = state.trainer.translators()[0].parameters()
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))

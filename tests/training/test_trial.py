"""The trial of bfloat16: it times real steps, is kept, and falls back in one line."""

import json
import time
from dataclasses import replace

import pytest
import torch

from bascule.core.trust import state_folder
from bascule.flow.model import UNet
from bascule.flow.recipe import FlowRecipe
from bascule.gan.penalties import R1
from bascule.interventions import DiffAugment
from bascule.models.sngan import SNGAN
from bascule.presets import cut_light, cyclegan_light, pix2pix_light
from bascule.training import trial
from bascule.training.trial import Trial, bf16_is_faster, measured


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / trial.FILE


@pytest.fixture
def found(monkeypatch):
    """``found(fp32, bf16)``: what the next trials measure; the list of recipes that were tried."""
    tried = []

    def set_to(fp32: float, bf16: float) -> list:
        monkeypatch.setattr(trial, "measured", lambda r: tried.append(r) or Trial(fp32, bf16))
        return tried

    return set_to


def flow_of(tiny) -> FlowRecipe:
    return FlowRecipe(data=tiny.data, model=UNet((8, 16), 1, 32), threads=1, device="cpu")


@pytest.mark.parametrize("kind", ["GAN", "labels", "flow", "hybrid", "cyclegan", "cut", "pix2pix"])
def test_every_kind_that_may_be_auto_is_timed(kind, tiny, tiny_hybrid, monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 0.0)

    def narrow(recipe):
        return recipe.replace(
            model=replace(recipe.model, width=4, width_D=4), threads=1, device="cpu"
        )

    recipe = {
        "GAN": tiny.replace(critic_steps=5, interventions=DiffAugment()),
        "labels": tiny.replace(model=SNGAN(width=2, size=32, classes=3), labels="hair"),
        "flow": flow_of(tiny),
        "hybrid": tiny_hybrid,
        "cyclegan": narrow(cyclegan_light),
        "cut": narrow(cut_light),
        "pix2pix": narrow(pix2pix_light),
    }[kind]
    told = measured(recipe.for_trial())
    assert 0 < told.fp32 < 60 and told.bf16 > 0


def test_it_disturbs_nothing(tiny, monkeypatch):
    monkeypatch.setattr("bascule.gan.recipe.GANTrainer.step", lambda self, batch: torch.rand(1))
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    measured(tiny.replace(threads=2))
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


def test_it_keeps_the_fastest_step_of_each_and_ends_in_time(tiny, monkeypatch):
    """The clock stands still but in steps: 3, 2, 4 in fp32 and 5, 1, 4 in bf16."""
    clock, durations = [0.0], {"fp32": iter([3.0, 2.0, 4.0]), "bf16": iter([5.0, 1.0, 4.0])}

    def step(self, batch):
        clock[0] += next(durations[self.recipe.precision])
        return {}

    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr("bascule.gan.recipe.GANTrainer.step", step)
    monkeypatch.setattr(trial, "SECONDS", 12.0)  # over after 8, 11 and 19
    assert measured(tiny) == Trial(fp32=2.0, bf16=1.0)


def test_a_bf16_that_fails_is_not_faster(tiny, monkeypatch, state, capsys):
    def step(self, batch):
        if self.recipe.precision == "bf16":
            raise RuntimeError("no kernel")
        return {}

    monkeypatch.setattr("bascule.gan.recipe.GANTrainer.step", step)
    assert not bf16_is_faster(tiny, "a machine")
    assert "bf16 does not work for DCGAN" in capsys.readouterr().err


def test_a_slower_bf16_is_told_once_and_kept(tiny, found, state, capsys):
    tried = found(0.5, 0.9)
    assert not bf16_is_faster(tiny, "a machine")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "becomes fp32, since bf16 takes 1.8 times as long as fp32 for DCGAN" in said
    assert str(state_folder()) in said
    found(0.9, 0.5)  # were it measured again
    assert not bf16_is_faster(tiny.replace(seed=9, lr_D=1e-3, epochs=9), "a machine")
    assert len(tried) == 1 and not capsys.readouterr().err
    assert list(json.loads(state.read_text()).values()) == [False]


def test_a_faster_bf16_is_taken_without_a_word(tiny, found, state, capsys):
    found(0.9, 0.5)
    assert bf16_is_faster(tiny, "a machine") and not capsys.readouterr().err
    found(0.5, 0.9)
    assert bf16_is_faster(tiny, "a machine")


def test_another_machine_model_or_penalty_is_another_trial(tiny, found, state):
    tried = found(0.9, 0.5)
    others = [
        (tiny, "another machine"),
        (tiny.replace(model=SNGAN(width=2, size=32)), "a machine"),
        (tiny.replace(penalties=R1(1.0)), "a machine"),
        (tiny.replace(channels_last=False), "a machine"),
        (flow_of(tiny), "a machine"),
    ]
    for recipe, machine in [(tiny, "a machine"), *others]:
        assert bf16_is_faster(recipe, machine)
    assert len(tried) == 6


@pytest.mark.parametrize("text", ["", "[]", "{broken", '{"x": 3}'])
def test_a_damaged_file_is_measured_again(tiny, found, state, text):
    state.parent.mkdir(parents=True)
    state.write_text(text)
    found(0.9, 0.5)
    assert bf16_is_faster(tiny, "a machine")
    assert True in json.loads(state.read_text()).values()

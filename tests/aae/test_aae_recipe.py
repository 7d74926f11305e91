"""Runs of adversarial autoencoders: exact resume, pictures, evaluation's fakes, and refusals."""

import numpy as np
import pytest
import torch

from bascule.aae.model import AAE
from bascule.aae.recipe import AAERecipe
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.presets import AAE_PRESETS
from bascule.runs import codec
from bascule.runs.execute import execute
from bascule.runs.generate import generate
from bascule.training.state import begin


@pytest.fixture
def tiny_aae() -> AAERecipe:
    return AAERecipe(
        data=Faces(n=40, size=32),
        model=AAE(width=4, z_dim=6, size=32, hidden=8),
        epochs=3,
        batch=8,
        lr=2e-3,
        threads=1,
        device="cpu",
        sample_every_epochs=2,
        keep_every_epochs=2,
    )


def test_it_survives_its_file_and_its_presets_fit(tiny_aae):
    assert codec.decode(codec.encode(tiny_aae)) == tiny_aae
    for preset in AAE_PRESETS.values():
        assert codec.decode(codec.encode(preset)) == preset


def test_a_run_learns_stops_goes_on_and_draws(tiny_aae, make_run, store, same):
    whole, run = make_run(tiny_aae, "whole"), make_run(tiny_aae, "run")
    assert execute(whole, store) == "finished"
    calls = iter(range(1, 1000))
    assert execute(run, store, must_stop=lambda: next(calls) == 6) == "interrupted"
    assert execute(run, store) == "finished"
    assert same(run.load_checkpoint(), whole.load_checkpoint())
    rows = whole.rows()
    assert rows[-1]["reconstruction"] < rows[0]["reconstruction"]
    assert set(tiny_aae.scalars) <= rows[0].keys()
    assert whole.sample(3).exists() and whole.diagnostics() == []

    drawn = generate(whole, 10)
    fakes = drawn.pictures
    assert drawn.epoch == 3 and fakes.shape == (10, 3, 32, 32) and fakes.dtype == np.uint8
    assert len(np.unique(fakes.reshape(10, -1), axis=0)) == 10
    state = begin(tiny_aae)
    state.load_state_dict(whole.load_checkpoint())
    z = torch.zeros(2, 6)
    assert torch.equal(*state.trainer.sample(z))
    assert state.trainer.players.G.training


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lr_E": 0.0}, "lr_E=0.0: expected a number between 0 and 1"),
        ({"beta1": 1.0}, r"beta1=1.0: expected a number in \[0, 1\)"),
        ({"batch": 1}, "batch=1: expected at least 2 images"),
        ({"model": AAE(size=64)}, "images are 32 px and the model draws 64 px"),
        ({"space": "hsv"}, "unknown recipe field 'space'"),
    ],
)
def test_what_cannot_be_is_refused(tiny_aae, change, said):
    with pytest.raises(UserError, match=said):
        tiny_aae.replace(**change)

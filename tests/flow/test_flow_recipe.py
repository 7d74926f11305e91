"""Runs of rectified flows: exact resume, an average, pictures, their price, and refusals."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.core.schedules import Anneal
from bascule.data.augment import Flip
from bascule.data.faces import Faces
from bascule.experiments.experiment import Measure
from bascule.experiments.measuring import measure_run
from bascule.flow.model import UNet
from bascule.flow.recipe import FlowRecipe
from bascule.presets import FLOW_PRESETS
from bascule.runs import codec
from bascule.runs.evaluations import evaluations, keep_with_picture
from bascule.runs.execute import execute
from bascule.runs.generate import generate
from bascule.training.state import begin
from bascule.training.trainer import Batch


@pytest.fixture
def tiny_flow() -> FlowRecipe:
    return FlowRecipe(
        data=Faces(n=40, size=32, held_out=0.5),
        model=UNet((8, 16), blocks=1, size=32),
        epochs=3,
        batch=4,
        lr=2e-3,
        ema_half_life=10.0,
        steps=2,
        threads=1,
        device="cpu",
        sample_every_epochs=2,
        keep_every_epochs=2,
    )


def test_it_survives_its_file_and_its_presets_fit(tiny_flow):
    whole = tiny_flow.replace(augment=Flip(), lr=Anneal(1e-3, 0.0, 3), solver="heun")
    for recipe in (whole, *FLOW_PRESETS.values()):
        assert codec.decode(codec.encode(recipe)) == recipe


def test_a_run_learns_stops_goes_on_and_draws(tiny_flow, make_run, store, same):
    recipe = tiny_flow.replace(augment=Flip())
    whole, run = make_run(recipe, "whole"), make_run(recipe, "run")
    assert execute(whole, store) == "finished"
    calls = iter(range(1, 1000))
    assert execute(run, store, must_stop=lambda: next(calls) == 6) == "interrupted"
    assert execute(run, store) == "finished"
    assert same(run.load_checkpoint(), whole.load_checkpoint())
    rows = whole.rows()
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert whole.sample(3).exists() and whole.diagnostics() == []

    drawn = generate(whole, 10)
    assert drawn.epoch == 3 and drawn.ms > 0
    assert drawn.pictures.shape == (10, 3, 32, 32) and drawn.pictures.dtype == np.uint8
    assert len(np.unique(drawn.pictures.reshape(10, -1), axis=0)) == 10
    assert np.array_equal(generate(whole, 4).pictures, drawn.pictures[:4])


def test_an_evaluation_tells_the_price_of_a_picture(tiny_flow, make_run, store):
    recipe = tiny_flow.replace(solver="heun", epochs=1)
    run = make_run(recipe)
    assert execute(run, store) == "finished"
    found, picture = measure_run(run, recipe.data.load(), Measure(20, attributes=False))
    assert found.price.evaluations == recipe.evaluations == 4 and found.price.ms > 0
    keep_with_picture(run.folder, found, picture)
    (kept,) = evaluations(run.folder)
    assert kept.price == found.price
    assert any("took 4 evaluations of the network and" in line for line in kept.remarks())


def test_pictures_come_from_the_averaged_network(tiny_flow):
    """avg = 0.5^(4/10) avg + (1 - 0.5^(4/10)) net, after each step of 4 images."""
    trainer = begin(tiny_flow).trainer
    pixels = torch.from_numpy(tiny_flow.data.load().pixels.copy())
    expected = trainer.net.first.weight.detach().clone()
    for step in range(3):
        trainer.step(Batch(pixels, torch.arange(4), 0, step))
        decay = 0.5 ** (4 / 10)
        expected = decay * expected + (1 - decay) * trainer.net.first.weight.detach()
    assert torch.allclose(trainer.average.first.weight, expected, atol=1e-6)
    assert trainer.generator.net is trainer.average
    plain = begin(tiny_flow.replace(ema_half_life=None)).trainer
    assert plain.average is None and plain.generator.net is plain.net


def test_the_averaged_network_is_saved(tiny_flow, same):
    state = begin(tiny_flow)
    pixels = torch.from_numpy(tiny_flow.data.load().pixels.copy())
    state.trainer.step(Batch(pixels, torch.arange(4), 0, 0))
    again = begin(tiny_flow)
    again.load_state_dict(state.state_dict())
    z = torch.randn(3, tiny_flow.z_dim, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.trainer.sample(z), state.trainer.sample(z))
    assert same(again.state_dict(), state.state_dict())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lr": 0.0}, "lr=0.0"),
        ({"beta1": 1.0}, "beta1=1.0"),
        ({"steps": 0}, "steps=0: expected 1 to 10,000"),
        ({"ema_half_life": -1.0}, "ema_half_life=-1.0"),
        ({"solver": "midpoint"}, "solver='midpoint'"),
        ({"model": UNet(size=64)}, "the images are 32 px and the model draws 64 px"),
    ],
)
def test_refusals(tiny_flow, change, said):
    with pytest.raises(UserError, match=said):
        tiny_flow.replace(**change)

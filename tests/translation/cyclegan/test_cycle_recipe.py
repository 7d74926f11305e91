"""A run of CycleGAN: its order, its stops, its pictures, and flat ones that must not break it."""

import json

import pytest
import torch
from PIL import Image

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.schedules import Anneal
from bascule.data.faces import Faces
from bascule.presets import TRANSLATION_PRESETS
from bascule.runs.execute import execute
from bascule.training.state import begin
from bascule.training.trainer import Batch
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.recipe import CycleRecipe
from bascule.translation.domains import TwoSets


@pytest.fixture
def tiny_cycle() -> CycleRecipe:
    return CycleRecipe(
        data=TwoSets(Faces(n=12, size=32, style="adventurer"), Faces(n=9, size=32)),
        model=CycleGAN(4, 1, 32, width_D=4, halvings=2),
        epochs=3,
        batch=2,
        pool=3,
        threads=1,
        device="cpu",
        keep_every_epochs=2,
    )


def test_it_stops_and_goes_on_as_if_nothing_had_happened(tiny_cycle, make_run, store, same):
    whole, half = make_run(tiny_cycle, "whole"), make_run(tiny_cycle, "half")
    assert execute(whole, store) == "finished"
    steps = iter(range(99))
    assert execute(half, store, must_stop=lambda: next(steps) > 10) == "interrupted"
    assert len(half.load_checkpoint()["game"]["pools"]["A"]) == 3
    assert execute(half, store) == "finished"
    assert same(whole.load_checkpoint()["game"], half.load_checkpoint()["game"])
    for run in (whole, half):
        names = {name for row in run.rows() for name in row}
        assert {*tiny_cycle.scalars, "identity_A", "identity_B"} <= names
    with Image.open(whole.sample(3)) as grid:
        assert grid.width > 8 * 32 and grid.height > 6 * 32  # six rows of eight


def test_each_set_is_gone_through_before_it_begins_anew(tiny_cycle):
    places, trainer = torch.arange(5), begin(tiny_cycle).trainer
    shown = torch.cat([trainer._next(places, "A", step) for step in range(10)])
    rounds = shown.view(4, 5)
    assert all(sorted(part.tolist()) == [0, 1, 2, 3, 4] for part in rounds)
    assert len({tuple(part.tolist()) for part in rounds}) > 1
    other = torch.cat([trainer._next(places, "B", step) for step in range(10)])
    assert not torch.equal(shown, other)


def test_flat_pictures_give_finite_losses(tiny_cycle):
    state = begin(tiny_cycle)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    flat = torch.full((6, 3, 32, 32), 200, dtype=torch.uint8)
    for _ in range(4):
        batch = Batch(flat, torch.arange(2), 0, state.step, labels=labels)
        scalars = state.trainer.step(batch)
        assert all(value.isfinite() for value in scalars.values())
        state.step += 1


def test_rates_stay_and_then_fall():
    lr = TRANSLATION_PRESETS["cyclegan-256"].lr
    assert isinstance(lr, Anneal)
    told = [lr.value_at(StepContext(0, epoch, 0)) for epoch in (0, 49, 50, 75, 100, 300)]
    assert told == pytest.approx([2e-4, 2e-4, 2e-4, 1e-4, 0.0, 0.0])
    with pytest.raises(UserError, match="expected an epoch from 0 and before until_epoch=9"):
        Anneal(1.0, 0.0, until_epoch=9, from_epoch=9)


def test_it_is_trained_and_listed_on_the_command_line(bascule, tmp_path, tiny_cycle):
    from bascule.runs import codec

    file = tmp_path / "mine.json"
    file.write_text(json.dumps(codec.encode(tiny_cycle.replace(epochs=1))))
    code, out, err = bascule("train", str(file))
    assert code == 0 and "note: " in out, err
    (run,) = (tmp_path / "runs").glob("*mine*")
    assert "Not evaluated yet" in (run / "note.md").read_text("utf-8")
    few = ("-n", "4", "--extractor", "random-conv", "--no-attributes")
    code, out, err = bascule("evaluate", run.name, *few)  # one picture of a kind is held out
    assert code == 0 and "left out" in out, out + err
    code, _, err = bascule("train", "cyclegan-light", "--data", "faces")
    assert code == 2 and "expected two sets, such as humans+faces" in err


@pytest.mark.parametrize(
    ("differences", "message"),
    [
        ({"batch": 0}, "batch=0: expected at least 1 image"),
        ({"lr": 0.0}, "lr=0.0: expected a number between 0 and 1"),
        ({"cycle": -1.0}, "cycle=-1.0: expected a number >= 0"),
        ({"model": CycleGAN(4, 1, 64, width_D=4)}, "the images are 32 px and the model turns 64"),
    ],
)
def test_what_is_no_recipe_is_refused(tiny_cycle, differences, message):
    with pytest.raises(UserError) as refused:
        tiny_cycle.replace(**differences)
    assert message in str(refused.value)

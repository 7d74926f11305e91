"""A kind of recipe of one's own: plain fields, and a trainer with a step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.images import ImageSubset
from bascule.gan.recipe import GANRecipe
from bascule.training.loop import Callback, train
from bascule.training.recipe import Recipe, as_recipe
from bascule.training.state import begin
from bascule.training.trainer import Batch, Trainer


@dataclass(frozen=True)
class MeanRecipe(Recipe):
    """A network learns the mean picture."""

    data: Faces = Faces(n=20, size=32)
    model: Any = None
    batch: int = 4
    lr: float = 0.1

    @property
    def scalars(self) -> tuple[str, ...]:
        return ("error",)

    def build(self) -> "MeanTrainer":
        return MeanTrainer(self)


class MeanTrainer(Trainer[MeanRecipe]):
    def __init__(self, recipe: MeanRecipe) -> None:
        super().__init__(recipe, torch.device("cpu"))
        self.net = nn.Linear(1, 3 * 32 * 32)
        self.optimizer = torch.optim.Adam(self.net.parameters(), recipe.lr)

    def step(self, batch: Batch) -> dict[str, torch.Tensor]:
        x = batch.pixels(self.device).flatten(1) / 255
        error = (self.net(torch.ones(len(x), 1)) - x).square().mean()
        self.optimizer.zero_grad()
        error.backward()
        self.optimizer.step()
        return {"error": error.detach()}


IMAGES = torch.full((16, 3, 32, 32), 51, dtype=torch.uint8)


class Rows(Callback):
    def __init__(self) -> None:
        self.errors: list[float] = []

    def on_epoch_end(self, record) -> None:
        self.errors.append(record.row["error"])


def test_a_step_of_ones_own_is_trained_by_the_loop():
    torch.manual_seed(0)
    state, rows = begin(MeanRecipe(epochs=30)), Rows()
    train(state, IMAGES, [rows])
    assert (state.epoch, state.step) == (30, 120)
    assert rows.errors[-1] < 1e-3 < 0.05 < rows.errors[0]


def test_images_on_disk_train_bit_for_bit_as_those_in_memory(tmp_path, same):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 3, 32, 32), np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    rest = np.arange(24) % 3 > 0
    stored = ImageSubset(np.load(tmp_path / "x.npy", mmap_mode="r"), np.flatnonzero(rest))
    states = [begin(MeanRecipe(epochs=2)) for _ in range(2)]
    states[1].load_state_dict(states[0].state_dict())
    for state, images in zip(states, (stored, torch.from_numpy(pixels[rest])), strict=True):
        train(state, images)
    assert same(states[0].trainer.net.state_dict(), states[1].trainer.net.state_dict())
    batch = Batch(stored, torch.tensor([3]), 0, 0)
    assert torch.equal(batch.images, torch.from_numpy(pixels[rest]))
    assert batch.images is batch.images  # read once


def test_networks_and_optimisers_are_kept_without_a_word(same):
    state, other = begin(MeanRecipe(epochs=2)), begin(MeanRecipe(epochs=2, lr=0.2))
    train(state, IMAGES)
    assert set(state.state_dict()["game"]) == {"net", "optimizer"}
    other.load_state_dict(state.state_dict())
    assert same(other.trainer.net.state_dict(), state.trainer.net.state_dict())
    assert other.trainer.optimizer.param_groups[0]["lr"] == 0.2  # rates stay the recipe's


def test_what_a_kind_cannot_do_is_refused_in_one_line():
    recipe = MeanRecipe()
    trainer = recipe.build()
    assert not recipe.is_diagnosable and recipe.gan_objective is None and not recipe.code_layers
    assert trainer.generator is None and trainer.preview_judged() is None
    with pytest.raises(UserError, match="MeanRecipe has no latents to draw from"):
        trainer.sample(torch.zeros(1, 4))
    with pytest.raises(UserError, match="torchrun with a MeanRecipe"):
        recipe.check_processes(2)
    recipe.check_processes(1)


def test_only_a_recipe_is_one():
    assert as_recipe(GANRecipe(), "no") == GANRecipe()
    with pytest.raises(UserError, match="no recipe here"):
        as_recipe({"epochs": 3}, "no recipe here")


def test_the_older_name_of_replace_says_the_new_one():
    with pytest.raises(AttributeError, match="'but': it is called replace\\(\\) now"):
        getattr(GANRecipe(), "but")(epochs=3)  # noqa: B009
    assert not hasattr(GANRecipe(), "no_such_thing")

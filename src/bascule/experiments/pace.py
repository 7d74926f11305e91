"""How fast a recipe trains on this machine, from a few timed steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from bascule.data.batches import epoch_order
from bascule.data.images import ImageSet
from bascule.training.recipe import Recipe
from bascule.training.state import begin
from bascule.training.trainer import Batch


@dataclass(frozen=True)
class Pace:
    """The measured speed: seconds per real image shown to D, and the number of timed steps."""

    seconds_per_image: float
    steps: int


def pace(recipe: Recipe, images: ImageSet, seconds: float = 6.0) -> Pace:
    """The speed of a ``recipe`` without "auto" on its images, measured for at least ``seconds``.

    Only complete rounds are timed, in which updates of G and lazy penalties are as frequent as in
    training. The first round is a warm-up.
    """
    torch.set_num_threads(recipe.threads or 1)
    pixels = images.subset("train")
    order = epoch_order(len(pixels), recipe.batch, recipe.seed, 0)
    state = begin(recipe)
    labels = recipe.labels_of(images)

    def play() -> None:
        for _ in range(recipe.round_steps):
            indices = order[state.step % len(order)]
            state.trainer.step(Batch(pixels, indices, 0, state.step, labels=labels))
            state.step += 1

    play()
    began, before = time.perf_counter(), state.step
    while time.perf_counter() - began < seconds:
        play()
    steps = state.step - before
    return Pace((time.perf_counter() - began) / (steps * recipe.batch), steps)

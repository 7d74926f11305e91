"""The ladder: which recipe draws best for the minutes that one has?

Every rung trains for the same time, so its number of epochs follows from its own pace, which is
measured on this machine before the first run and kept in a file: from then on the ladder is an
experiment like any other, with recipes that say all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.core.reading import read_json
from bascule.data.batches import epoch_order
from bascule.data.faces import Faces
from bascule.data.images import ImageSet
from bascule.data.imported import Imported
from bascule.experiments.experiment import Experiment, Measure
from bascule.experiments.predictions import HELD_OUT_COVERAGE, KID, Higher, Lower
from bascule.gan.recipe import GANRecipe
from bascule.runs import codec
from bascule.training.state import begin
from bascule.training.trainer import Batch

PARTS = 4  # checkpoints of a rung, evenly spaced: its way up
LEAST_EPOCHS = PARTS


@dataclass(frozen=True)
class Pace:
    """How fast a recipe trains here: seconds an image that D is shown, and over how many steps."""

    seconds_per_image: float
    steps: int


def pace(recipe: GANRecipe, images: ImageSet, seconds: float = 6.0) -> Pace:
    """The pace of a settled ``recipe`` on its images, over at least ``seconds``.

    Whole rounds are timed, in which every turn of G and every lazy penalty comes as often as in
    training; the first round warms up.
    """
    torch.set_num_threads(recipe.threads or 1)
    pixels = torch.from_numpy(images.pixels[images.indices("train")])
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


def rung(recipe: GANRecipe, found: Pace, training_images: int, minutes: float) -> GANRecipe:
    """``recipe`` for as many epochs as fit into ``minutes`` at that pace.

    Raises :class:`UserError` where that is fewer than four.
    """
    per_epoch = training_images // recipe.batch * recipe.batch
    epochs = int(minutes * 60 / (found.seconds_per_image * per_epoch)) if per_epoch else 0
    if epochs < LEAST_EPOCHS:
        raise UserError(
            f"{minutes:g} minutes are {epochs} epochs of {per_epoch} images with "
            f"model={recipe.model}: expected at least {LEAST_EPOCHS}; give more minutes, fewer "
            "images, or a lighter preset"
        )
    every = epochs // PARTS
    return recipe.replace(epochs=epochs, keep_every_epochs=every, sample_every_epochs=every)


def ladder(
    name: str,
    rungs: Mapping[str, GANRecipe],
    minutes: float,
    fakes: int,
    attributes: bool = True,
    covers: bool = True,
) -> Experiment:
    """The rungs as an experiment; the first is the one to beat.

    ``covers``: whether enough images are held out to predict how many of them fakes cover.
    """
    control, *others = rungs
    data = rungs[control].data
    return Experiment(
        question=f"Which of {len(rungs)} recipes draws best after {minutes:g} minutes a run?",
        hypothesis=f"At equal time every other recipe beats {control} in KID"
        + (" and in how many of the held-out images its fakes cover." if covers else "."),
        arms=rungs,
        predictions=[
            *(Lower(KID, arm, than=control) for arm in others),
            *(Higher(HELD_OUT_COVERAGE, arm, than=control) for arm in others if covers),
        ],
        measure=Measure(fakes, attributes=attributes and isinstance(data, Faces), every_kept=True),
        pictures=not isinstance(data, Imported),  # those may be anybody's
        name=name,
        remarks=(
            f"Each recipe trains for the number of epochs that its own pace, measured once before "
            f"the first run, fits into {minutes:g} minutes; runs keep to that number, so on a "
            "busier machine they take longer. Nothing was tuned on these images."
        ),
    )


def write_plan(path: Path, rungs: Mapping[str, GANRecipe], minutes: float) -> None:
    """Keep the rungs, so that the ladder can go on another day with the same recipes."""
    plain = {"minutes": minutes, "rungs": {n: codec.encode(r) for n, r in rungs.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, json.dumps(plain, indent=1))


def read_plan(path: Path, presets: Sequence[str], minutes: float) -> dict[str, GANRecipe] | None:
    """The rungs that were kept at ``path``, None where nothing is.

    Raises :class:`UserError` where they are of other presets or minutes than asked for.
    """
    if not path.exists():
        return None
    try:
        plain = read_json(path)
        kept = {str(name): codec.decode(told) for name, told in plain["rungs"].items()}
        same = plain["minutes"] == minutes and list(kept) == list(presets)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is no plan of a ladder: delete it to begin anew") from None
    if not same:
        raise UserError(
            f"the ladder in {path} has {plain['minutes']:g} minutes for {', '.join(kept)}: "
            "give another --name"
        )
    return kept

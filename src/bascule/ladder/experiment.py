"""The ladder: which recipe draws best after a given training time?

Every recipe (a rung) trains for the same time. Its number of epochs follows from its speed, which
is measured on this machine before the first run and stored in a file. From then on the ladder is an
ordinary experiment with fixed recipes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.core.reading import read_json
from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.experiments.experiment import Experiment, Measure
from bascule.experiments.pace import Pace
from bascule.experiments.predictions import HELD_OUT_COVERAGE, KID, SPACE, Higher, Lower
from bascule.features.extractors import DEFAULT, extractor
from bascule.features.judges import judge_of
from bascule.runs import codec, recipe_format
from bascule.training.recipe import Recipe

PARTS = 4  # evenly spaced checkpoints of a rung
LEAST_EPOCHS = PARTS


def rung(recipe: Recipe, found: Pace, training_images: int, minutes: float) -> Recipe:
    """``recipe`` with as many epochs as fit into ``minutes`` at that speed.

    Raises :class:`UserError` for fewer than four epochs.
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
    rungs: Mapping[str, Recipe],
    minutes: float,
    fakes: int,
    attributes: bool = True,
    covers: bool = True,
) -> Experiment:
    """The rungs as an experiment; the first one is the control.

    ``covers``: whether there are enough held-out images for a prediction about coverage.
    """
    control, *others = rungs
    judge = judge_of({seen for rung in rungs.values() for seen in rung.saw})
    space = SPACE if judge == DEFAULT else extractor(judge).name
    kid, coverage = KID.at(extractor=space), HELD_OUT_COVERAGE.at(extractor=space)
    data = rungs[control].data
    return Experiment(
        question=f"Which of {len(rungs)} recipes draws best after {minutes:g} minutes a run?",
        hypothesis=f"At equal time every other recipe beats {control} in KID"
        + (" and in how many of the held-out images its fakes cover." if covers else "."),
        arms=rungs,
        predictions=[
            *(Lower(kid, arm, than=control) for arm in others),
            *(Higher(coverage, arm, than=control) for arm in others if covers),
        ],
        measure=Measure(fakes, attributes=attributes and isinstance(data, Faces), every_kept=True),
        pictures=not isinstance(data, Imported),  # imported images may not be published
        name=name,
        remarks=(
            f"Each recipe trains for the number of epochs that its own pace, measured once before "
            f"the first run, fits into {minutes:g} minutes; runs keep to that number, so on a "
            "busier machine they take longer. Nothing was tuned on these images."
        ),
    )


def write_plan(path: Path, rungs: Mapping[str, Recipe], minutes: float) -> None:
    """Store the rungs, so that the ladder can continue later with the same recipes."""
    kept = {name: recipe_format.stamped(codec.encode(rung)) for name, rung in rungs.items()}
    plain = {"minutes": minutes, "rungs": kept}
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, json.dumps(plain, indent=1))


def read_plan(path: Path, presets: Sequence[str], minutes: float) -> dict[str, Recipe] | None:
    """The rungs stored at ``path``; None if there is no such file.

    Raises :class:`UserError` if they have other presets or minutes than requested.
    """
    if not path.exists():
        return None
    try:
        plain = read_json(path)
        kept = {str(name): codec.decode(told) for name, told in plain["rungs"].items()}
        same = plain["minutes"] == minutes and list(kept) == list(presets)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is not the plan of a ladder: delete it to start again") from None
    if not same:
        raise UserError(
            f"the ladder in {path} has {plain['minutes']:g} minutes for {', '.join(kept)}: "
            "give another --name"
        )
    return kept

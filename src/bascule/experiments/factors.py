"""What varies with the seed of an experiment beside the training itself.

The seed of a run decides its initial weights, the order of its images, and all draws of training.
An interval over seeds does not include how much a result depends on anything that is the same for
every seed. So an experiment may also vary (Bouthillier et al. 2021, "Accounting for Variance in
Machine Learning Benchmarks"):

    "split"       which images are held out, and so which ones are trained on; a share that is
                  drawn from the seed, or, if an arm's data are ``SeededSplit(..., folds=5)``, the
                  fold of the seed
    "evaluation"  the latents of the measured fakes, and which image is in which subset

Arms of one seed share both, so their differences are taken on one scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from bascule.core.errors import UserError, unknown
from bascule.data.images import ImageSet
from bascule.data.seeded_split import SeededSplit
from bascule.data.source import Data, DataSource
from bascule.training.recipe import Recipe
from bascule.translation.domains import TwoSets

Factor = Literal["split", "evaluation"]
FACTORS: tuple[str, ...] = get_args(Factor)


def check_factors(vary: Sequence[str], arms: Mapping[str, Recipe], measures: bool) -> None:
    """Raise :class:`UserError` for factors that do not exist or cannot vary here.

    ``measures``: whether the experiment measures its runs.
    """
    if isinstance(vary, str):
        raise UserError(f"vary={vary!r}: expected a tuple, such as vary=({vary!r},)")
    for name in vary:
        if name not in FACTORS:
            raise unknown("factor of vary=...", name, FACTORS)
    if "evaluation" in vary and not measures:
        raise UserError('vary="evaluation" without measure=...: expected something to measure')
    for arm, recipe in arms.items() if "split" in vary else ():
        if not isinstance(recipe.data, DataSource | TwoSets):
            raise UserError(
                f'vary="split": {type(recipe.data).__name__} of arm “{arm}” fixes its held-out '
                "images; expected an image set, or TwoSets of two"
            )


def with_seed(recipe: Recipe, seed: int, vary: Sequence[str] = ()) -> Recipe:
    """``recipe`` as it is trained with ``seed`` in an experiment that varies ``vary``."""
    data = _split(recipe.data, seed) if "split" in vary else recipe.data
    return recipe.replace(seed=seed, data=data)


def without_seed(recipe: Recipe) -> Recipe:
    """``recipe`` with seed 0 and, if its split has its seed, without that split.

    Equal for the runs of one arm.
    """
    data = of_arm(recipe.data)
    varied = _split(data, recipe.seed) == recipe.data
    return recipe.replace(seed=0, data=data if varied else recipe.data)


def evaluation_seed(seed: int, vary: Sequence[str]) -> int:
    """The seed with which a run of ``seed`` is measured."""
    return seed if "evaluation" in vary else 0


def own_split(data: Data) -> Data:
    """``data`` with the held-out images that the set chooses by itself."""
    if isinstance(data, TwoSets):
        one, other = (
            each.of if isinstance(each, SeededSplit) else each for each in (data.a, data.b)
        )
        return TwoSets(one, other)
    return data.of if isinstance(data, SeededSplit) else data


def sets_of(recipe: Recipe, sets: Mapping[Any, ImageSet]) -> list[ImageSet]:
    """The images among ``sets``, by ``recipe.data``, on which an arm is trained, of any seed."""
    return [images for data, images in sets.items() if recipe.data in (data, of_arm(data))]


def names_of(data: Data) -> tuple[Data, ...]:
    """All ways in which the recipes of an arm may name images: as a run has them, and as an arm.

    Equal ones may come twice.
    """
    return data, of_arm(data), own_split(data)


def _split(data: Data, seed: int) -> Data:
    if isinstance(data, TwoSets):
        return TwoSets(_seeded(data.a, seed), _seeded(data.b, seed))
    return _seeded(data, seed) if isinstance(data, DataSource) else data


def _seeded(data: DataSource, seed: int) -> SeededSplit:
    if isinstance(data, SeededSplit) and data.folds:
        return replace(data, seed=seed)
    return SeededSplit(data, seed)


def of_arm(data: Data) -> Data:
    """``data`` as an arm has them: with the split of no seed, but with its folds."""
    if isinstance(data, TwoSets):
        return TwoSets(_unseeded(data.a), _unseeded(data.b))
    return _unseeded(data) if isinstance(data, SeededSplit) else data


def _unseeded(data: DataSource) -> DataSource:
    if not isinstance(data, SeededSplit):
        return data
    return replace(data, seed=0) if data.folds else data.of

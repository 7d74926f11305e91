"""The performance of the best possible D against an arm's noise, to compare with the trained D."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bascule.core.errors import UserError, unknown
from bascule.core.fields import check_fields
from bascule.gan.recipe import GANRecipe
from bascule.interventions.hooks import check_epoch
from bascule.theory.noise import Bound, Noise, check_noise, known_image
from bascule.training.recipe import Recipe


@dataclass(frozen=True)
class NoiseBound:
    """From ``from_epoch`` on, reals and fakes differ only in their noise, ``real`` and ``fake``.

    Each is the standard deviation of the noise: a number, a distribution, or a tuple of these for
    independent noises that are added; () means no noise. The images themselves must have the same
    distribution for reals and fakes, as under ``PerfectG``, whose fakes are training images. Then
    :func:`bascule.theory.noise.known_image` bounds every D, even one that has memorised its
    training set, because noise is never drawn twice.
    """

    real: Noise
    fake: Noise
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("NoiseBound", "from_epoch", self.from_epoch)
        for name in ("real", "fake"):
            check_noise("NoiseBound", name, getattr(self, name))

    def best(self, recipe: Recipe) -> Bound:
        """The bound for a D of ``recipe``."""
        return known_image(self.real, self.fake, numbers(recipe))


def numbers(recipe: Recipe) -> int:
    """How many numbers D sees per draw of the noise strength: one image, or a normalised batch."""
    return 3 * recipe.data.size**2 * (recipe.batch if _normalises_batches(recipe) else 1)


def _normalises_batches(recipe: Recipe) -> bool:
    return getattr(recipe.model, "norm_D", "batch") in ("batch", "rms")


def check_bounds(bounds: Mapping[str, NoiseBound], arms: Mapping[str, GANRecipe]) -> None:
    """Raises :class:`UserError` for bounds of unknown arms, beyond the last epoch, or not valid."""
    for arm, bound in bounds.items():
        if arm not in arms:
            raise unknown("arm in bounds", arm, arms)
        recipe, start = arms[arm], bound.from_epoch
        if start >= recipe.epochs:
            raise UserError(
                f"bound of “{arm}”: epoch {start} never comes, the run has {recipe.epochs} epochs"
            )
        if recipe.concat and _normalises_batches(recipe):
            raise UserError(
                f"bound of “{arm}”: D normalises reals and fakes together, and no bound here "
                "covers that: set concat=False or norm_D='spectral'"
            )

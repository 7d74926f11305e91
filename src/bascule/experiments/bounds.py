"""What the best D reaches against an arm's noise, to stand beside what D does reach."""

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
    """From ``from_epoch`` on, D is shown one kind of image under the noise ``real`` or ``fake``.

    Each is a law, or a tuple of laws that are added; () is none. The images themselves must tell
    nothing, as under ``PerfectG`` whose fakes are training images: then every D is bounded by
    :func:`bascule.theory.noise.known_image`, one that has memorised its training set too, since
    noise is never drawn twice.
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
        """The bound for the D of ``recipe``."""
        return known_image(self.real, self.fake, numbers(recipe))


def numbers(recipe: Recipe) -> int:
    """How many numbers D sees under one draw of the strength: an image, or a normalised batch."""
    return 3 * recipe.data.size**2 * (recipe.batch if _normalises_batches(recipe) else 1)


def _normalises_batches(recipe: Recipe) -> bool:
    return getattr(recipe.model, "norm_D", "batch") == "batch"


def check_bounds(bounds: Mapping[str, NoiseBound], arms: Mapping[str, GANRecipe]) -> None:
    """Refuse bounds of unknown arms, from epochs that never come, or that would not hold."""
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
                f"bound of “{arm}”: D normalises reals and fakes together, which no bound here "
                "covers: set concat=False or norm_D='spectral'"
            )

"""A probability that adapts to the overfitting of D."""

from __future__ import annotations

from bascule.core.context import StepContext
from bascule.core.errors import UserError


def check_adaptive(owner: str, target: float, speed_images: int) -> None:
    """Raise :class:`UserError` for a target outside [-1, 1], or a speed below 1 image."""
    if not -1 <= target <= 1:
        raise UserError(f"{owner}(target={target}): expected a mean sign in [-1, 1]")
    if speed_images < 1:
        raise UserError(f"{owner}(speed_images={speed_images}): expected a whole number >= 1")


def adapted(context: StepContext, target: float, pace: float) -> float:
    """The probability p of an adaptive intervention, after its update in this step.

    p rises by ``pace`` if r_t of the previous step exceeds ``target``, and falls by ``pace`` if it
    is below (Karras et al. 2020, section 3.1). p stays in [0, 1] and is remembered as ``p``.
    """
    p = context.recall("p").item()
    r_t = context.last_metric("r_t")
    if r_t is not None:
        p += pace * ((r_t > target) - (r_t < target))
    p = min(max(p, 0.0), 1.0)
    context.remember("p", p)
    return p

"""A probability that follows how far D over-fits."""

from __future__ import annotations

from bascule.core.context import StepContext
from bascule.core.errors import UserError


def check_adaptive(owner: str, target: float, speed_images: int) -> None:
    """Refuse a target that no r_t can meet, and a pace that is none."""
    if not -1 <= target <= 1:
        raise UserError(f"{owner}(target={target}): expected a mean sign, in [-1, 1]")
    if speed_images < 1:
        raise UserError(f"{owner}(speed_images={speed_images}): expected a whole number >= 1")


def adapted(context: StepContext, target: float, pace: float) -> float:
    """The probability p of an adaptive rule, one ``pace`` nearer to where D does not over-fit.

    Karras et al. 2020, section 3.1: up while r_t > ``target``. Remembered as ``p``.
    """
    p = context.recall("p").item()
    r_t = context.last_metric("r_t")
    if r_t is not None:
        p += pace * ((r_t > target) - (r_t < target))
    p = min(max(p, 0.0), 1.0)
    context.remember("p", p)
    return p

"""A probability that follows how far D over-fits."""

from __future__ import annotations

from bascule.errors import Refusal
from bascule.now import Now


def check_adaptive(owner: str, target: float, speed_images: int) -> None:
    """Refuse a target that no r_t can meet, and a pace that is none."""
    if not -1 <= target <= 1:
        raise Refusal(f"{owner}(target={target}): expected a mean sign, in [-1, 1]")
    if speed_images < 1:
        raise Refusal(f"{owner}(speed_images={speed_images}): expected a whole number >= 1")


def adapted(now: Now, target: float, pace: float) -> float:
    """The probability p of an adaptive rule, one ``pace`` nearer to where D does not over-fit.

    Karras et al. 2020, section 3.1: up while r_t > ``target``. Remembered as ``p``.
    """
    p = now.recall("p").item()
    r_t = now.seen("r_t")
    if r_t is not None:
        p += pace * ((r_t > target) - (r_t < target))
    p = min(max(p, 0.0), 1.0)
    now.remember("p", p)
    return p

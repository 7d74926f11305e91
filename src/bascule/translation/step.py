"""What the games that turn one kind of picture into another have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bascule.core.optimizers import load_optimizer


@dataclass(frozen=True)
class PatchObjective:
    """How far a judge's logits of patches (...) are from what a player wants, a mean over all.

    "least-squares" (Mao et al. 2017, with 1 for real and 0 for fake) or "non-saturating".
    """

    objective: Literal["least-squares", "non-saturating"] = "least-squares"

    def real(self, logits: Tensor) -> Tensor:
        """How far they are from "real"."""
        far = (logits - 1).square() if self.objective == "least-squares" else softplus(-logits)
        return far.mean()

    def fake(self, logits: Tensor) -> Tensor:
        """How far they are from "fake"."""
        far = logits.square() if self.objective == "least-squares" else softplus(logits)
        return far.mean()

    def judged(self, real: Tensor, fake: Tensor) -> Tensor:
        """The loss of the judge: the mean of both parts."""
        return (self.real(real) + self.fake(fake)) / 2


class Translators:
    """Nets and optimisers by name, and what else a run of translation must keep.

    A subclass is a dataclass with the fields named here, ``device``, ``pools`` (pictures that a
    judge may be shown again, by name) and ``shown``: pictures (2, n, 3, H, W), uint8, that every
    sample grid shows, None before the first step.
    """

    NETS: ClassVar[tuple[str, ...]]
    OPTIMIZERS: ClassVar[tuple[str, ...]] = ("opt_G", "opt_D")
    device: torch.device
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    pools: dict[str, Tensor]
    shown: Tensor | None

    def state_dict(self) -> dict[str, Any]:
        parts = {n: getattr(self, n).state_dict() for n in (*self.NETS, *self.OPTIMIZERS)}
        shown = {} if self.shown is None else {"shown": self.shown}
        return parts | {"pools": dict(self.pools)} | shown

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take weights and moments; learning rates stay those of the recipe."""
        for name in self.NETS:
            getattr(self, name).load_state_dict(saved[name])
        for name in self.OPTIMIZERS:
            load_optimizer(getattr(self, name), saved[name])
        self.pools = {kind: pool.to(self.device) for kind, pool in saved["pools"].items()}
        self.shown = saved.get("shown")

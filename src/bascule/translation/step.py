"""Common parts of the training steps for image translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from bascule.core.optimizers import load_optimizer


@dataclass(frozen=True)
class PatchObjective:
    """The adversarial losses on logits of patches, of any shape; each is a mean over all.

    "least-squares" (Mao et al. 2017, with 1 for real and 0 for fake) or "non-saturating".
    """

    objective: Literal["least-squares", "non-saturating"] = "least-squares"

    def real(self, logits: Tensor) -> Tensor:
        """The loss of classifying ``logits`` as real."""
        far = (logits - 1).square() if self.objective == "least-squares" else softplus(-logits)
        return far.mean()

    def fake(self, logits: Tensor) -> Tensor:
        """The loss of classifying ``logits`` as fake."""
        far = logits.square() if self.objective == "least-squares" else softplus(logits)
        return far.mean()

    def judged(self, real: Tensor, fake: Tensor) -> Tensor:
        """The loss of D: the mean of its losses on reals and fakes."""
        return (self.real(real) + self.fake(fake)) / 2


class Translators:
    """The networks and optimisers of a translation run by name, and its other state.

    A subclass is a dataclass with these fields, ``device``, ``pools`` (earlier fakes for D, by
    name) and ``shown`` (the images of every sample grid, uint8 (2, n, 3, H, W); None before the
    first step).
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
        """Load weights and moments; learning rates stay those of the recipe."""
        for name in self.NETS:
            getattr(self, name).load_state_dict(saved[name])
        for name in self.OPTIMIZERS:
            load_optimizer(getattr(self, name), saved[name])
        self.pools = {kind: pool.to(self.device) for kind, pool in saved["pools"].items()}
        self.shown = saved.get("shown")

"""An intervention on the gradients that flow from D to G."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.interventions.hooks import Intervention, check_epoch


@dataclass(frozen=True)
class NormaliseGradients(Intervention):
    """The gradient that D gives to G's images has constant size.

    g becomes g / sqrt(m), where m is a moving average of sum(g²) times the number of numbers in the
    batch. Then the gradient is as large as that of a mean over all numbers with a slope of 1, such
    as the transport term of the same paper, whatever the scale of D's logits. Lin et al. 2025
    ("Adversarial flow models", arXiv 2511.22475). Put it last in the list.

    decay       of the moving average, in [0, 1)
    from_epoch  the epoch, from 0, from which it acts

    Departure: the average begins with the first gradient, not with 0. m is a scalar of the run.
    """

    decay: float = 0.9
    from_epoch: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_epoch("NormaliseGradients", "from_epoch", self.from_epoch)
        if not 0 <= self.decay < 1:
            raise UserError(f"NormaliseGradients(decay={self.decay}): expected a number in [0, 1)")

    def first_epoch(self) -> int:
        return self.from_epoch

    def generator_batch(self, own: Tensor, shown: Tensor, context: StepContext) -> Tensor:
        if context.epoch < self.from_epoch or not shown.requires_grad:
            return shown
        seen = shown.view_as(shown)  # so that other losses on the images keep their gradients
        seen.register_hook(lambda g: self._normalised(g, context))
        return seen

    def _normalised(self, g: Tensor, context: StepContext) -> Tensor:
        now = g.square().sum() * g.numel()
        before = context.recall("squared", -1.0).to(now)
        mean = torch.where(before < 0, now, self.decay * before + (1 - self.decay) * now)
        context.remember("squared", mean)
        return g / (mean.sqrt() + 1e-8)

"""An intervention of one's own: from some epoch on, D sees a share of all images without colours.

It overrides one hook of the step, `augment`, and changes nothing before `first_epoch()`.
Its draws come from `context.rng`, so they shift no other draw: a fork differs by this rule alone.

    bascule train dcgan64-tiny --set "interventions=my_intervention.py:Grey(0.5)" epochs=5
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bascule.core.context import StepContext
from bascule.interventions import Intervention


@dataclass(frozen=True)
class Grey(Intervention):
    """``share``: of the images, those that D sees in grey."""

    share: float = 0.5
    from_epoch: int = 0

    def first_epoch(self) -> int:
        return self.from_epoch

    def augment(self, x: Tensor, context: StepContext) -> Tensor:
        if context.epoch < self.from_epoch:
            return x
        grey = torch.rand(len(x), 1, 1, 1, generator=context.rng("grey")) < self.share
        return torch.where(grey.to(x.device), x.mean(1, keepdim=True), x)

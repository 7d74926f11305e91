"""An objective of one's own: the f-GAN of Pearson's chi-squared divergence (Nowozin et al. 2016).

An objective is a frozen dataclass with the losses of D and of G, functions of D's logits.
`blind` tells what D loses where it cannot tell reals from fakes; notes draw it as a line.

    bascule train dcgan64-tiny --set "objective=my_objective.py:Pearson()" data.n=600 epochs=5
"""

from dataclasses import dataclass

from torch import Tensor

from bascule.gan.objectives import Objective


@dataclass(frozen=True)
class Pearson(Objective):
    def D(self, logit_real: Tensor, logit_fake: Tensor) -> Tensor:
        return (logit_fake.square() / 4 + logit_fake).mean() - logit_real.mean()

    def G(self, logit_fake: Tensor, logit_real: Tensor | None = None) -> Tensor:
        return -logit_fake.mean()

    @property
    def blind(self) -> tuple[float, str]:
        return 0.0, "0"

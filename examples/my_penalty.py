"""A penalty of one's own: D pays for large logits of reals (Karras et al. 2018, appendix A.1).

A penalty is a frozen dataclass that is called once in each turn of D and returns a scalar.
The scalar is kept under the penalty's name, so `loss_D` means the same with and without it.

    bascule train dcgan64-tiny --set "penalties=my_penalty.py:Drift(0.01)" data.n=600 epochs=5
"""

from dataclasses import dataclass

from torch import Tensor

from bascule.gan.penalties import Penalty, Turn


@dataclass(frozen=True)
class Drift(Penalty):
    """``weight`` times the mean square of D's logits of reals."""

    weight: float = 0.001

    def __call__(self, turn: Turn) -> Tensor:
        return self.weight * turn.logits["real"].square().mean()

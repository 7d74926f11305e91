"""What the players minimise: pure functions of D's logits, each (B,) -> scalar."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from bascule.errors import Refusal
from bascule.typed import check_fields


def loss_D(logit_real: Tensor, logit_fake: Tensor) -> Tensor:
    """Binary cross-entropy, -E log D(x) - E log(1 - D(G(z))), with D = sigmoid(logit).

    Goodfellow et al. 2014, equation 1. It is 2 ln 2 where D cannot tell (D = 1/2).
    """
    return softplus(-logit_real).mean() + softplus(logit_fake).mean()


def loss_G(logit_fake: Tensor) -> Tensor:
    """Non-saturating loss, -E log D(G(z)). Goodfellow et al. 2014, section 3."""
    return softplus(-logit_fake).mean()


@dataclass(frozen=True)
class TopK:
    """G learns from its best fakes alone (Sinha et al. 2020, "Top-k training of GANs").

    Of a batch of B the k that D scores highest count, k = max(nu B, gamma^epoch B): all of them
    at first, and ever fewer down to a share ``nu``.
    """

    nu: float = 0.5
    gamma: float = 0.99

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("nu", "gamma"):
            if not 0 < getattr(self, name) <= 1:
                raise Refusal(f"TopK({name}={getattr(self, name)}): expected a number in (0, 1]")

    def k(self, batch: int, epoch: int) -> int:
        """How many of ``batch`` fakes count in ``epoch``, counted from 0."""
        return max(1, round(max(self.nu, self.gamma**epoch) * batch))

    def best(self, logit_fake: Tensor, epoch: int) -> Tensor:
        """The logits (k,) that count."""
        return logit_fake.topk(self.k(len(logit_fake), epoch)).values

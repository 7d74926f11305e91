"""What the players minimise: pure functions of D's logits, each (B,) -> scalar."""

from torch import Tensor
from torch.nn.functional import softplus


def loss_D(logit_real: Tensor, logit_fake: Tensor) -> Tensor:
    """Binary cross-entropy, -E log D(x) - E log(1 - D(G(z))), with D = sigmoid(logit).

    Goodfellow et al. 2014, equation 1. It is 2 ln 2 where D cannot tell (D = 1/2).
    """
    return softplus(-logit_real).mean() + softplus(logit_fake).mean()


def loss_G(logit_fake: Tensor) -> Tensor:
    """Non-saturating loss, -E log D(G(z)). Goodfellow et al. 2014, section 3."""
    return softplus(-logit_fake).mean()

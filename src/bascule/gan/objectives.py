"""What the players minimise: pure functions of D's logits, each (B,) -> scalar.

Of a D with several heads they take (B, H): every head plays for itself, and losses are means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Literal

from torch import Tensor
from torch.nn.functional import relu, softplus

from bascule.core.errors import UserError
from bascule.core.fields import Open, check_fields


def per_image(logits: Tensor) -> Tensor:
    """D's logits (B,) of images, from its own or from those of its heads, (B, H): their mean."""
    return logits if logits.ndim == 1 else logits.mean(1)


def loss_D(logit_real: Tensor, logit_fake: Tensor, smooth: float = 0.0) -> Tensor:
    """Binary cross-entropy, -E log D(x) - E log(1 - D(G(z))), with D = sigmoid(logit).

    Goodfellow et al. 2014, equation 1. It is 2 ln 2 where D cannot tell (D = 1/2). ``smooth``:
    reals are labelled 1 - smooth (one-sided label smoothing, Salimans et al. 2016, section 3.4).
    """
    real = softplus(-logit_real)
    if smooth:
        real = (1 - smooth) * real + smooth * softplus(logit_real)
    return real.mean() + softplus(logit_fake).mean()


def loss_G(logit_fake: Tensor) -> Tensor:
    """Non-saturating loss, -E log D(G(z)). Goodfellow et al. 2014, section 3."""
    return softplus(-logit_fake).mean()


def minimax_G(logit_fake: Tensor) -> Tensor:
    """E log(1 - D(G(z))): G minimises what D maximises. Goodfellow et al. 2014, equation 1."""
    return -softplus(logit_fake).mean()


def least_squares_D(logit_real: Tensor, logit_fake: Tensor, smooth: float = 0.0) -> Tensor:
    """E (D(x) - b)²/2 + E D(G(z))²/2, with D the logit itself and b = 1 - ``smooth``.

    Mao et al. 2017, equation 2 with a = 0 and b = c = 1.
    """
    return ((logit_real - (1 - smooth)).square().mean() + logit_fake.square().mean()) / 2


def least_squares_G(logit_fake: Tensor) -> Tensor:
    """E (D(G(z)) - 1)²/2. Mao et al. 2017, equation 2."""
    return (logit_fake - 1).square().mean() / 2


def hinge_D(logit_real: Tensor, logit_fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))). Lim and Ye 2017, equation 8."""
    return relu(1 - logit_real).mean() + relu(1 + logit_fake).mean()


def wasserstein_D(logit_real: Tensor, logit_fake: Tensor) -> Tensor:
    """E D(G(z)) - E D(x), for a D that something keeps Lipschitz. Arjovsky et al. 2017."""
    return logit_fake.mean() - logit_real.mean()


def wasserstein_G(logit_fake: Tensor) -> Tensor:
    """-E D(G(z)), also G's part under the hinge loss."""
    return -logit_fake.mean()


def relativistic_D(logit_real: Tensor, logit_fake: Tensor) -> Tensor:
    """-E log sigmoid(D(x) - D(G(z))), each real beside the fake of the same place.

    Jolicoeur-Martineau 2019, section 4.1; Huang et al. 2024 (R3GAN), equation 2.
    """
    return softplus(logit_fake - logit_real).mean()


def relativistic_G(logit_fake: Tensor, logit_real: Tensor) -> Tensor:
    """The same with both sides exchanged: G learns from the reals beside its fakes."""
    return softplus(logit_real - logit_fake).mean()


@dataclass(frozen=True)
class _Losses:
    """What one kind of objective is: both losses, and what D's is worth where it cannot tell."""

    D: Callable[..., Tensor]
    G: Callable[..., Tensor]
    blind: tuple[float, str]  # as a number and in words
    labelled: bool = False  # reals have a label to smooth
    entropic: bool = False  # in nats, of probabilities
    paired: bool = False  # G's part needs the logits of reals too


_CROSS_ENTROPY = (2 * log(2), "2 ln 2")
Kind = Literal["non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "relativistic"]
_LOSSES: dict[Kind, _Losses] = {
    "non-saturating": _Losses(loss_D, loss_G, _CROSS_ENTROPY, labelled=True, entropic=True),
    "minimax": _Losses(loss_D, minimax_G, _CROSS_ENTROPY, labelled=True, entropic=True),
    "least-squares": _Losses(least_squares_D, least_squares_G, (0.25, "1/4"), labelled=True),
    "hinge": _Losses(hinge_D, wasserstein_G, (2.0, "2")),
    "wasserstein": _Losses(wasserstein_D, wasserstein_G, (0.0, "0")),
    "relativistic": _Losses(
        relativistic_D, relativistic_G, (log(2), "ln 2"), entropic=True, paired=True
    ),
}


class Objective(Open):
    """What both players minimise, as a frozen dataclass: losses of D's logits.

    Logits are (B,) of a batch, or (B, H) of a D with H heads.
    """

    @property
    def paired(self) -> bool:
        """Whether G's part needs the logits of reals too."""
        return False

    @property
    def entropic(self) -> bool:
        """Whether losses are in nats, of probabilities sigmoid(logit)."""
        return False

    @property
    def blind(self) -> tuple[float, str] | None:
        """The least loss of a D that cannot tell, as a number and in words; None: not known."""
        return None

    def D(self, logit_real: Tensor, logit_fake: Tensor) -> Tensor:
        """D's loss, a scalar, of the logits of reals and of fakes."""
        raise NotImplementedError

    def G(self, logit_fake: Tensor, logit_real: Tensor | None = None) -> Tensor:
        """G's loss, a scalar; ``logit_real`` is given where the objective is ``paired``."""
        raise NotImplementedError


@dataclass(frozen=True)
class GANLoss(Objective):
    """The losses of the literature.

    Where ``kind`` is not one of cross-entropy (non-saturating, minimax, relativistic), a logit is
    a score and not a log odds: D_x and D_Gz, which are sigmoid(logit), then say which way it
    points and no probability. ``smooth``: the label of reals is 1 - smooth.
    """

    kind: Kind = "non-saturating"
    smooth: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.smooth < 1:
            raise UserError(f"smooth={self.smooth}: expected a number in [0, 1)")
        if self.smooth and not self._losses.labelled:
            labelled = ", ".join(kind for kind, losses in _LOSSES.items() if losses.labelled)
            raise UserError(
                f"smooth={self.smooth}: the {self.kind} loss has no labels; "
                f"those with labels: {labelled}"
            )

    @property
    def _losses(self) -> _Losses:
        return _LOSSES[self.kind]

    @property
    def paired(self) -> bool:
        return self._losses.paired

    @property
    def entropic(self) -> bool:
        return self._losses.entropic

    @property
    def blind(self) -> tuple[float, str] | None:
        return None if self.smooth else self._losses.blind

    def D(self, logit_real: Tensor, logit_fake: Tensor) -> Tensor:
        labels = {"smooth": self.smooth} if self._losses.labelled else {}
        return self._losses.D(logit_real, logit_fake, **labels)

    def G(self, logit_fake: Tensor, logit_real: Tensor | None = None) -> Tensor:
        beside = (logit_real,) if self.paired else ()
        return self._losses.G(logit_fake, *beside)


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
                raise UserError(f"TopK({name}={getattr(self, name)}): expected a number in (0, 1]")

    def k(self, batch: int, epoch: int) -> int:
        """How many of ``batch`` fakes count in ``epoch``, counted from 0."""
        return max(1, round(max(self.nu, self.gamma**epoch) * batch))

    def best(self, logit_fake: Tensor, epoch: int) -> Tensor:
        """The logits that count, those of k fakes."""
        scores = per_image(logit_fake)
        return logit_fake[scores.topk(self.k(len(scores), epoch)).indices]

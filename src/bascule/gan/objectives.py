"""The losses of D and G: pure functions of D's logits, (B,) -> scalar.

For a D with H heads they take (B, H). All losses are means over images and heads.
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
    """One logit for each image, (B,), from (B,) or from (B, H): the mean over the heads."""
    return logits if logits.ndim == 1 else logits.mean(1)


def loss_D(logit_real: Tensor, logit_fake: Tensor, smooth: float = 0.0) -> Tensor:
    """Binary cross-entropy, -E log D(x) - E log(1 - D(G(z))), with D = sigmoid(logit).

    Goodfellow et al. 2014, equation 1. It is 2 ln 2 for D = 1/2 everywhere. ``smooth``: the label
    of reals is 1 - smooth (one-sided label smoothing, Salimans et al. 2016, section 3.4).
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
    """E (D(x) - b)²/2 + E D(G(z))²/2, where D is the logit itself and b = 1 - ``smooth``.

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
    """E D(G(z)) - E D(x), for a Lipschitz-continuous D. Arjovsky et al. 2017."""
    return logit_fake.mean() - logit_real.mean()


def wasserstein_G(logit_fake: Tensor) -> Tensor:
    """-E D(G(z)); also G's loss with hinge_D."""
    return -logit_fake.mean()


def relativistic_D(logit_real: Tensor, logit_fake: Tensor) -> Tensor:
    """-E log sigmoid(D(x) - D(G(z))), where each real is paired with the fake of its place.

    Jolicoeur-Martineau 2019, section 4.1; Huang et al. 2024 (R3GAN), equation 2.
    """
    return softplus(logit_fake - logit_real).mean()


def relativistic_G(logit_fake: Tensor, logit_real: Tensor) -> Tensor:
    """As :func:`relativistic_D`, with reals and fakes exchanged."""
    return softplus(logit_real - logit_fake).mean()


@dataclass(frozen=True)
class _Losses:
    """One kind of objective: its two losses, and D's loss where it cannot tell reals from fakes."""

    D: Callable[..., Tensor]
    G: Callable[..., Tensor]
    blind: tuple[float, str]  # that loss, as a number and in words
    labelled: bool = False  # it has a label for reals that can be smoothed
    entropic: bool = False  # it is in nats, of probabilities
    paired: bool = False  # G's loss needs the logits of reals too


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
    """Base of objectives: the losses of D and G, as a frozen dataclass.

    Logits are (B,) for a batch, or (B, H) for a D with H heads.
    """

    @property
    def paired(self) -> bool:
        """Whether G's loss needs the logits of reals too."""
        return False

    @property
    def entropic(self) -> bool:
        """Whether losses are in nats, of probabilities sigmoid(logit)."""
        return False

    @property
    def blind(self) -> tuple[float, str] | None:
        """The least loss of a D that cannot tell reals from fakes; None if not known.

        As a number and in words, e.g. (1.386, "2 ln 2").
        """
        return None

    def D(self, logit_real: Tensor, logit_fake: Tensor) -> Tensor:
        """D's loss, a scalar, from the logits of reals and of fakes."""
        raise NotImplementedError

    def G(self, logit_fake: Tensor, logit_real: Tensor | None = None) -> Tensor:
        """G's loss, a scalar; ``logit_real`` is given only if the objective is ``paired``."""
        raise NotImplementedError


@dataclass(frozen=True)
class GANLoss(Objective):
    """The usual losses of the literature.

    kind    which one; non-saturating, minimax and relativistic are cross-entropies
    smooth  the label of reals is 1 - smooth, in [0, 1); for kinds with labels only

    In the other kinds a logit is a score, not a log odds. Then D_x and D_Gz, which are
    sigmoid(logit), show only the direction of the score and are not probabilities.
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
class SANLoss(Objective):
    """The objective ``of``, for a D whose last layer has a direction and a scale (SAN).

    D's loss is ``of``'s, which trains the features and the scale, plus E dir(G(z)) - E dir(x),
    which trains the direction (Takida et al. 2024, "SAN", ICLR). G's loss is that
    of ``of``. Logits are (B, 2): of the function, and of the direction
    (:class:`bascule.models.san.SAN`).
    """

    of: GANLoss = GANLoss()

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def paired(self) -> bool:
        return self.of.paired

    @property
    def entropic(self) -> bool:
        return self.of.entropic

    @property
    def blind(self) -> tuple[float, str] | None:
        return self.of.blind  # without a difference, the direction's part is 0

    def D(self, logit_real: Tensor, logit_fake: Tensor) -> Tensor:
        (real, to_real), (fake, to_fake) = logit_real.unbind(1), logit_fake.unbind(1)
        return self.of.D(real, fake) + to_fake.mean() - to_real.mean()

    def G(self, logit_fake: Tensor, logit_real: Tensor | None = None) -> Tensor:
        return self.of.G(logit_fake[:, 0], None if logit_real is None else logit_real[:, 0])


@dataclass(frozen=True)
class TopK:
    """G learns only from its best fakes (Sinha et al. 2020, "Top-k training of GANs").

    Of a batch of B, the k fakes with D's highest scores count: k = max(nu B, gamma^epoch B). At
    first these are all fakes; the share falls to ``nu``. nu, gamma in (0, 1].
    """

    nu: float = 0.5
    gamma: float = 0.99

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("nu", "gamma"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError(f"TopK({name}={getattr(self, name)}): expected a number in (0, 1]")

    def k(self, batch: int, epoch: int) -> int:
        """How many of ``batch`` fakes count in ``epoch`` (from 0)."""
        return max(1, round(max(self.nu, self.gamma**epoch) * batch))

    def best(self, logit_fake: Tensor, epoch: int) -> Tensor:
        """The logits of the k best fakes, (k,) or (k, H)."""
        scores = per_image(logit_fake)
        return logit_fake[scores.topk(self.k(len(scores), epoch)).indices]

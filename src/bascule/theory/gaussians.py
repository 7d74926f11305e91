"""D on two Gaussians, for which the best D and its losses are known.

Goodfellow et al. 2014, proposition 1 and theorem 1: the best D is D* = p / (p + q), and then
loss_D = 2 ln 2 - 2 JSD(p, q). Reals are N(0, 1), fakes N(shift, 1). So the best logit, ln p - ln q
= (shift² - 2 shift x) / 2, is linear, and one linear layer can represent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import torch
from scipy import integrate, stats
from torch import Tensor, nn

from bascule.core.context import generator
from bascule.gan.objectives import loss_D
from bascule.theory.nets import filled, perceptron
from bascule.theory.teaching import Draw, Loss, accuracy, teach

QUANTILES = 20_000  # equally likely points that represent a distribution when D is measured


@dataclass(frozen=True)
class Divergences:
    """Divergences of N(0, 1) and N(shift, 1), in nats; ``tv`` is in 0 to 1."""

    jsd: float
    tv: float
    loss_D: float  # 2 ln 2 - 2 JSD, the smallest possible loss_D
    hinge: float  # 2 - 2 TV, the smallest possible hinge loss


def divergences(shift: float) -> Divergences:
    """Computed by adaptive quadrature."""
    p, q = stats.norm(0, 1).pdf, stats.norm(shift, 1).pdf

    def jensen(x: float) -> float:
        middle = (p(x) + q(x)) / 2
        found: float = sum(d * log(d / middle) for d in (p(x), q(x)) if d > 0)
        return found / 2

    jsd = integrate.quad(jensen, -12, shift + 12, points=[shift / 2], epsabs=1e-12)[0]
    apart = integrate.quad(lambda x: abs(p(x) - q(x)), -12, shift + 12, points=[shift / 2])[0]
    return Divergences(jsd, apart / 2, 2 * log(2) - 2 * jsd, 2 - apart)


def best_logit(x: np.ndarray, shift: float) -> np.ndarray:
    """The logit of D* at points x, for equal priors."""
    return (shift**2 - 2 * shift * x) / 2


def smoothed_equilibrium(keep: float) -> tuple[float, float]:
    """(loss_D, D) of the best D if both distributions are equal and reals have the label ``keep``.

    D = keep / 2 minimises -keep ln D - (2 - keep) ln(1 - D). The loss is the value there.
    """
    d = keep / 2
    return -keep * log(d) - (2 - keep) * log(1 - d), d


def draw(shift: float, batch: int = 1024) -> Draw:
    """Batches from N(0, 1) and from N(shift, 1), (batch, 1) each."""

    def one(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        real, fake = torch.randn(2, batch, 1, generator=rng)
        return real, fake + shift

    return one


def learn(
    shift: float, layers: int, steps: int, address: object, loss: Loss = loss_D, width: int = 32
) -> nn.Module:
    """A D with ``layers`` hidden layers, trained with ``loss`` on fresh samples."""
    D = filled(lambda: perceptron(1, width, layers), generator("theory/D", address))
    return teach(D, draw(shift), steps, address, lr=0.05 if layers == 0 else 0.01, loss=loss)


@dataclass(frozen=True)
class Measured:
    """Measurements of a trained D on quantiles of both distributions, without sampling noise."""

    loss: float
    accuracy: float
    D_x: float
    logits: np.ndarray  # at the requested points


@torch.no_grad()
def measure(
    D: nn.Module, shift: float, loss: Loss = loss_D, at: np.ndarray | None = None
) -> Measured:
    """``loss``, balanced accuracy and mean D(x) of ``D``, and its logits at the points ``at``."""
    nodes = stats.norm.ppf((np.arange(QUANTILES) + 0.5) / QUANTILES)
    x = torch.from_numpy(nodes).float()[:, None]
    real, fake = D(x).double(), D(x + shift).double()
    points = torch.from_numpy(np.zeros(0) if at is None else at).float()[:, None]
    return Measured(
        loss=float(loss(real, fake)),
        accuracy=accuracy(real, fake),
        D_x=float(real.sigmoid().mean()),
        logits=D(points).double().numpy(),
    )

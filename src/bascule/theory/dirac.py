"""The Dirac-GAN: the smallest GAN, whose training dynamics are known exactly.

Mescheder, Geiger and Nowozin 2018, "Which training methods for GANs do actually converge?",
section 2: all data are at 0, all fakes are at ``theta``, and D is linear, D(x) = psi x. The
equilibrium is theta = psi = 0. Near it the dynamics are linear, with a 2 x 2 matrix. Its
eigenvalues, times the learning rate, tell whether and how fast the method converges (sections 2 and
3 of the paper).

The losses come from :mod:`bascule.gan.objectives` and are differentiated by autograd. Wasserstein
losses, gradient penalties and consensus optimisation are defined below. Many games are trained at
once, one for each entry of the parameters, in float64. Our D has low logits for fakes, the paper's
D has high ones. So psi has the opposite sign; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from bascule.core.context import StepContext
from bascule.gan.game import Game
from bascule.gan.objectives import loss_D, loss_G
from bascule.gan.step import gan_step
from bascule.interventions import Intervention

Loss = Callable[[Tensor, Tensor], Tensor]
Pair = tuple[Loss, Loss]  # the losses of D and of G, as functions of (real, fake) logits

NODES = 64  # equally likely points that represent Gaussian noise


def gan() -> Pair:
    """The zero-sum losses of Goodfellow et al. 2014, equation 1: G maximises D's loss."""
    return loss_D, lambda real, fake: -loss_D(real, fake)


def non_saturating() -> Pair:
    """The project's default losses: Goodfellow et al. 2014, section 3."""
    return loss_D, lambda real, fake: loss_G(fake)


def wasserstein() -> Pair:
    """Arjovsky et al. 2017, equation 2, without its Lipschitz constraint."""
    return (
        lambda real, fake: fake.mean() - real.mean(),
        lambda real, fake: -fake.mean(),
    )


@dataclass(frozen=True)
class Method:
    """A pair of losses with optional additions; 0 means none.

    ``penalty``: gamma in R1, gamma / 2 times the squared gradient of D at the reals (Mescheder
    2018, equation 9). ``toward_one``: lambda in WGAN-GP, lambda / 2 times (|gradient| - 1)^2 at the
    fake (Gulrajani et al. 2017). D is linear, so the position does not matter. The factor 1/2
    follows the paper's Dirac-GAN code. ``noise``: standard deviation of instance noise on reals and
    fakes (Sønderby et al. 2017), as :data:`NODES` equally likely values with mean 0 and variance 1.
    ``consensus``: gamma in consensus optimisation, gamma / 2 times the squared gradient field,
    added to both losses (Mescheder et al. 2017). Each is one number, or one for each game, (K,).
    """

    losses: Pair
    penalty: float | Tensor = 0.0
    toward_one: float | Tensor = 0.0
    noise: float | Tensor = 0.0
    consensus: float | Tensor = 0.0

    def of_D(self, theta: Tensor, psi: Tensor) -> Tensor:
        """D's loss, summed over the K independent games."""
        found = self._play(self.losses[0], theta, psi)
        if np.any(np.asarray(self.penalty)):
            x = torch.zeros_like(theta, requires_grad=True)  # the reals
            slope = torch.autograd.grad((psi * x).sum(), x, create_graph=True)[0]
            found = found + (self.penalty / 2 * slope**2).sum()
        if np.any(np.asarray(self.toward_one)):
            x = theta.detach().clone().requires_grad_(True)
            slope = torch.autograd.grad((psi * x).sum(), x, create_graph=True)[0]
            found = found + (self.toward_one / 2 * (slope.abs() - 1) ** 2).sum()
        return found

    def of_G(self, theta: Tensor, psi: Tensor) -> Tensor:
        """G's loss, summed over the K independent games."""
        return self._play(self.losses[1], theta, psi)

    def _play(self, loss: Loss, theta: Tensor, psi: Tensor) -> Tensor:
        """The loss summed over games: K times the mean that the loss computes."""
        noise = torch.zeros(1, dtype=theta.dtype)
        if np.any(np.asarray(self.noise)):
            noise = torch.as_tensor(self.noise, dtype=theta.dtype).reshape(-1, 1) * noise_nodes()
        real = psi[:, None] * noise
        fake = psi[:, None] * (theta[:, None] + noise)
        return len(theta) * loss(real.expand_as(fake).flatten(), fake.flatten())


def noise_nodes() -> Tensor:
    """:data:`NODES` quantiles of N(0, 1), (n,), scaled to variance 1 exactly."""
    nodes = stats.norm.ppf((np.arange(NODES) + 0.5) / NODES)
    return torch.from_numpy(nodes / nodes.std())


def play(
    method: Method,
    h: float | Tensor = 0.1,
    steps: int = 400,
    start: tuple[float, float] = (1.0, 1.0),
    games: int = 1,
    simultaneous: bool = False,
) -> np.ndarray:
    """The path of (theta, psi) under gradient descent, (steps + 1, games, 2).

    ``h``: the learning rate. D is updated first, and G sees the updated D, as in the project's
    step. ``simultaneous``: both are updated from the same point.
    """
    theta = torch.full((games,), start[0], dtype=torch.float64)
    psi = torch.full((games,), start[1], dtype=torch.float64)
    path = [torch.stack([theta, psi], 1)]
    for _ in range(steps):
        new_psi = psi - h * gradient(method, "D", theta, psi)
        theta = theta - h * gradient(method, "G", theta, psi if simultaneous else new_psi)
        psi = new_psi
        path.append(torch.stack([theta, psi], 1))
    return torch.stack(path).numpy()


def gradient(method: Method, player: Literal["G", "D"], theta: Tensor, psi: Tensor) -> Tensor:
    """The gradient of a player's loss with respect to its own parameter, (K,)."""
    theta, psi = (x.detach().requires_grad_(True) for x in (theta, psi))
    own = psi if player == "D" else theta
    if not np.any(np.asarray(method.consensus)):
        loss = method.of_D if player == "D" else method.of_G
        return torch.autograd.grad(loss(theta, psi), own)[0]
    pull_D = torch.autograd.grad(method.of_D(theta, psi), psi, create_graph=True)[0]
    pull_G = torch.autograd.grad(method.of_G(theta, psi), theta, create_graph=True)[0]
    energy = (
        torch.as_tensor(method.consensus, dtype=theta.dtype) / 2 * (pull_D**2 + pull_G**2)
    ).sum()
    pull = pull_D if player == "D" else pull_G
    return pull.detach() + torch.autograd.grad(energy, own)[0]


def distance(path: np.ndarray) -> np.ndarray:
    """The distance from the equilibrium, (steps + 1, games)."""
    far: np.ndarray = np.hypot(path[..., 0], path[..., 1])
    return far


def measured_rate(path: np.ndarray, h: float | np.ndarray) -> np.ndarray:
    """The slope of ln(distance) against the time h * step, (games,), by least squares.

    The first half is left out, since the theory is valid near the equilibrium. The slope is
    negative if a game converges.
    """
    far = distance(path)
    far = far[len(far) // 2 :]
    steps = np.arange(len(far)) - (len(far) - 1) / 2
    slope = steps @ np.log(far) / (steps @ steps)
    rate: np.ndarray = slope / np.asarray(h)
    return rate


def eigenvalues(
    coupling: float, damping: float | np.ndarray = 0.0, both: bool = False
) -> np.ndarray:
    """Eigenvalues at the equilibrium, in continuous time, the slower one first, (..., 2).

    ``coupling``: f'(0), which is 1/2 for the logistic losses and 1 for the Wasserstein ones.
    ``damping`` g acts only on D: -g/2 ± sqrt(g²/4 - c²), with c the coupling. ``both``: it also
    acts on G: -g ± c i.
    For R1, g = gamma. For instance noise with logistic losses, g = sigma²/2. For consensus, which
    acts on both, g = gamma/4. All hold to first order at the equilibrium.
    """
    g = np.asarray(damping, complex)[..., None]
    signs = np.array([1.0, -1.0])
    if both:
        roots: np.ndarray = -g + 1j * coupling * signs
    else:
        roots = -g / 2 + signs * np.sqrt(g**2 / 4 - coupling**2)
    return roots


def predicted_rate(
    coupling: float, damping: float | np.ndarray = 0.0, both: bool = False
) -> np.ndarray:
    """The real part of the slower eigenvalue."""
    slower: np.ndarray = eigenvalues(coupling, damping, both).real.max(-1)
    return slower


def exact_growth(path: np.ndarray, h: float) -> np.ndarray:
    """The exact |last point|² of a simultaneous game without additions, (games,).

    It follows from the logits on the path. Each step multiplies |(theta, psi)|² by 1 + h² f'(t)²,
    where t = -psi theta and f'(t) = 1 / (1 + e^t), because each gradient is f'(t) times the other
    parameter, so that the step is orthogonal to the point. So simultaneous descent always
    diverges (Mescheder 2018, section 2).
    """
    t = -path[:-1, :, 0] * path[:-1, :, 1]
    grown: np.ndarray = distance(path)[0] ** 2 * np.prod(1 + h**2 / (1 + np.exp(t)) ** 2, axis=0)
    return grown


def non_saturating_distance(start: float, time: float) -> float:
    """The distance r of the non-saturating game after ``time``: 1/r² grows by 1/8 per unit of time.

    d r²/dt = -2 u tanh(u/2), with u = theta psi. To leading order this is -u². Its mean over one
    revolution around the equilibrium is -r⁴/8. (Derived by averaging, for this bench.)
    """
    distance: float = (1 / start**2 + time / 8) ** -0.5
    return distance


def stable_up_to(penalty: float, steps: int) -> float:
    """The largest learning rate at which simultaneous descent with R1 converges, measured.

    Theory: |1 + h eigenvalue|² = 1 - h gamma + h²/4 < 1 gives the limit 4 gamma for gamma < 1.
    Games start very near the equilibrium, with learning rates around that limit. The rate at which
    the distance stays constant is interpolated.
    """
    h = torch.linspace(3, 5, 21, dtype=torch.float64) * penalty
    method = Method(gan(), penalty=penalty)
    path = play(method, h, steps, start=(1e-6, 1e-6), games=len(h), simultaneous=True)
    return float(np.interp(0.0, measured_rate(path, h.numpy()), h.numpy()))


class _Point(nn.Module):
    """G of the Dirac-GAN: returns theta for every z."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones(1, 1))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta.expand(len(z), 1)


def played_by_the_step(h: float, steps: int) -> float:
    """The distance after ``steps`` of :func:`gan_step`, starting at (1, 1), in float32."""
    G = _Point()
    line = nn.utils.skip_init(nn.Linear, 1, 1, bias=False)
    nn.init.ones_(line.weight)
    D = nn.Sequential(line, nn.Flatten(0))
    opt_G, opt_D = (torch.optim.SGD(player.parameters(), lr=h) for player in (G, D))
    game = Game(G, D, opt_G, opt_D, z_dim=1, device=torch.device("cpu"))
    reals = torch.zeros(2, 1)
    for step in range(steps):
        gan_step(game, reals, StepContext(0, 0, step, scope="theory/dirac"), Intervention())
    return float(torch.hypot(G.theta.detach(), line.weight.detach()))

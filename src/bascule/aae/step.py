"""One training step of an adversarial autoencoder (Makhzani et al. 2015, section 2).

It has three parts. E and G learn to reconstruct images. D learns to distinguish latents ~ N(0, I)
from codes. E learns to make codes that D takes for such latents. So G, which is trained on codes
only, can draw from latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from bascule.core.context import StepContext
from bascule.core.optimizers import descend, load_optimizer
from bascule.gan.objectives import loss_D, loss_G
from bascule.gan.step import norms


@dataclass
class Autoencoder:
    """Encoder, generator and D, with one optimiser for each part of the step.

    E            images (B, 3, H, W) in [-1, 1] -> codes (B, z_dim)
    G            codes -> images
    D            codes -> logits (B,), high for samples of N(0, I)
    opt_picture  of E and G, for the reconstruction
    """

    E: nn.Module
    G: nn.Module
    D: nn.Module
    opt_picture: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    opt_E: torch.optim.Optimizer
    device: torch.device

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("E", "G", "D", *_OPTIMIZERS)}

    def state_dict(self) -> dict[str, Any]:
        """The state for checkpoints: tensors and plain values only."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load weights and moments; learning rates stay those of the recipe."""
        for name, part in self._parts().items():
            if name in _OPTIMIZERS:
                load_optimizer(part, saved[name])
            else:
                part.load_state_dict(saved[name])


_OPTIMIZERS = ("opt_picture", "opt_D", "opt_E")


def aae_step(players: Autoencoder, x: Tensor, context: StepContext) -> dict[str, Tensor]:
    """The three parts on one batch x: (B, 3, H, W) in [-1, 1]; returns detached scalars:

    reconstruction   mean squared error per pixel
    loss_D, loss_E   cross-entropy on codes in nats (:mod:`bascule.gan.objectives`)
    D_z, D_code      means of sigmoid(logit) over latents, and over codes, in D's part

    The last two parts do not change E's BatchNorm statistics.
    """
    code = players.E(x)
    reconstruction = mse_loss(players.G(code), x)
    descend(players.opt_picture, reconstruction)

    with torch.no_grad(), norms(players.E, learn=False):
        code = players.E(x)
    z = torch.randn(code.shape, generator=context.rng("z")).to(code.device)
    of_z, of_code = players.D(z), players.D(code)
    d = loss_D(of_z, of_code)
    descend(players.opt_D, d)

    players.D.requires_grad_(False)
    with norms(players.E, learn=False):
        fooled = loss_G(players.D(players.E(x)))
    descend(players.opt_E, fooled)
    players.D.requires_grad_(True)

    scalars = {
        "reconstruction": reconstruction,
        "loss_D": d,
        "loss_E": fooled,
        "D_z": of_z.sigmoid().mean(),
        "D_code": of_code.sigmoid().mean(),
    }
    return {name: value.detach() for name, value in scalars.items()}

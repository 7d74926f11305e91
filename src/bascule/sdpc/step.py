"""Dictionary learning of sparse deep predictive coding (Boutin et al. 2021, algorithm 1).

First the codes of a batch are inferred with the current dictionaries. Then every dictionary takes a
gradient step on its reconstruction error, its atoms are scaled to norm 1, and the gains take a
gradient step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from bascule.core.context import StepContext
from bascule.core.optimizers import load_optimizer
from bascule.sdpc.model import Inference, Network, energies, infer
from bascule.sdpc.model.network import unit_norm

LOWEST_GAIN = 1e-3  # keeps v positive
DEAD_STEPS = 50  # an atom that was unused for this many steps counts as dead


@dataclass
class Learner:
    """A network, its optimisers, and for each atom the number of steps since its last use."""

    network: Network
    opt_D: torch.optim.Optimizer
    opt_v: torch.optim.Optimizer
    silent: list[Tensor]
    device: torch.device

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "opt_D": self.opt_D.state_dict(),
            "opt_v": self.opt_v.state_dict(),
            "silent": list(self.silent),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load weights and moments; learning rates stay those of the recipe."""
        self.network.load_state_dict(saved["network"])
        load_optimizer(self.opt_D, saved["opt_D"])
        load_optimizer(self.opt_v, saved["opt_v"])
        self.silent = [silent.clone().to(self.device) for silent in saved["silent"]]


@torch.no_grad()
def sdpc_step(
    learner: Learner,
    x: Tensor,
    context: StepContext,
    how: Inference,
    redraw_after: int | None = None,
) -> dict[str, Tensor]:
    """Infer the codes of images x: (B, C, H, W), take a learning step; returns detached scalars.

    Gradients are means over the batch, with e_i = u_{i-1} - D_i^T g_i. The gradient of D_i is minus
    the correlation of e_i with g_i; in "joint" mode it is divided by v_{i-1}^2, to be the gradient
    of the energy. The gradient of v_i is that of 1/2 |u_{i-1} - D_i^T (v_i g_i)|^2, after the
    update of the dictionaries. ``redraw_after``: an atom that was unused for this many steps is
    replaced by a patch of its layer's residual; None: never, as published.

    The scalars are: cost, as in the papers, sum_i 1/2 |e_i|^2 + lambda_i |g_i|_1 per image; error_i
    = 1/2 |e_i|^2; active_i, the share of codes above 0; dead_i, the share of atoms not used for 50
    steps; gain_i, the mean of v_i.
    """
    network = learner.network
    codes = infer(network, x, how)
    parts = energies(network, x, codes.maps, how).mean(0)
    told = {
        "cost": parts[:, [0, 2]].sum(),
        "iterations": codes.iterations.float().mean(),
        "settled": codes.settled.float().mean(),
    }
    sizes = network.shapes((x.shape[-2], x.shape[-1]))
    inputs = [x, *(g * network.gain(i + 1) for i, g in enumerate(codes.maps[:-1]))]
    left = []
    for i, (u, g) in enumerate(zip(inputs, codes.maps, strict=True)):
        D, layer = network.dictionaries[i], network.layers[i]
        e = u - network.synthesis(i, g, sizes[i])
        left.append(e)
        priced = e / network.gain(i).square() if how.mode == "joint" else e
        slope = conv2d_weight(priced, D.shape, g, stride=layer.stride, padding=layer.padding)
        D.grad = slope.div_(-len(x))
    learner.opt_D.step()
    for i, D in enumerate(network.dictionaries):
        D.copy_(unit_norm(D))
        _note_silence(learner, i, codes.maps[i])
        if redraw_after is not None:
            _redraw(learner, i, left[i], redraw_after, context)

    for i, (u, g) in enumerate(zip(inputs, codes.maps, strict=True)):
        v = network.gain(i + 1)
        e = u - network.synthesis(i, v * g, sizes[i])
        operator = network.operator(i, sizes[i], joint=False)
        slope = operator.analysis(operator.folded(e)) * g
        network.gains[i].grad = slope.sum((0, 2, 3)).div_(-len(x))
    learner.opt_v.step()
    for i, (v, g) in enumerate(zip(network.gains, codes.maps, strict=True), 1):
        v.clamp_(min=LOWEST_GAIN)
        told |= {
            f"error_{i}": parts[i - 1, 0],
            f"active_{i}": (g > 0).float().mean(),
            f"dead_{i}": (learner.silent[i - 1] >= DEAD_STEPS).float().mean(),
            f"gain_{i}": v.mean(),
        }
    return told


def _note_silence(learner: Learner, i: int, g: Tensor) -> None:
    used = (g > 0).any(3).any(2).any(0)
    learner.silent[i] = (learner.silent[i] + 1).masked_fill(used, 0)


def _redraw(learner: Learner, i: int, e: Tensor, after: int, context: StepContext) -> None:
    """Replace atoms that were unused for too long by patches of the residual e: (B, C, H, W)."""
    network = learner.network
    D, layer = network.dictionaries[i], network.layers[i]
    dead = (learner.silent[i] >= after).nonzero().flatten()
    if not len(dead):
        return
    p = layer.padding
    patches = F.unfold(F.pad(e, (p, p, p, p)), layer.kernel, stride=layer.stride)
    patches = patches.transpose(1, 2).flatten(0, 1)  # (B h w, C k k)
    energy = patches.square().sum(1)
    seen = (energy > 1e-6 * energy.max()).nonzero().flatten()
    if len(seen) < len(dead):
        return  # the residual is 0: the next batch may have one
    # A patch is taken with a probability in proportion to its residual energy.
    chosen = torch.multinomial(
        energy[seen].cpu(), len(dead), generator=context.rng(f"redrawn atoms of layer {i}")
    ).to(e.device)
    D[dead] = unit_norm(patches[seen][chosen].reshape(-1, *D.shape[1:]))
    network.gains[i][dead] = layer.gain
    learner.silent[i][dead] = 0
    for optimizer, parameter in ((learner.opt_D, D), (learner.opt_v, network.gains[i])):
        for moment in optimizer.state[parameter].values():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moment[dead] = 0

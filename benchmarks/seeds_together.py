"""Two seeds of a small GAN in one process, batched by torch.func, beside one seed after the other.

    python benchmarks/seeds_together.py [--seeds 2] [--width 16]

The networks are those of dcgan64-tiny with batch normalisation in both and 32 images a step; D and
G each take one step of the non-saturating game with Adam. Batched, the weights of all seeds are
stacked and one step is mapped over them (torch.func.vmap), so a convolution becomes one with
groups. Both ways take steps by turns on one thread. A figure is the median over rounds of processor
seconds; the ratio says how many times cheaper the batched step is. Two processes of one thread cost
what two steps one after the other cost, so above 1 batching would pay.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time

import torch
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from bascule.core.context import generator
from bascule.models.dcgan import DCGAN
from bascule.training.hardware import describe

IMAGES, STEPS = 32, 2


def losses(G, D):
    """D's and G's loss as functions of their weights."""

    def of_D(d, g, real, z):
        fake = functional_call(G, g, (z,)).detach()
        logits = [functional_call(D, d, (x,)) for x in (real, fake)]
        return F.softplus(-logits[0]).mean() + F.softplus(logits[1]).mean()

    def of_G(g, d, z):
        return F.softplus(-functional_call(D, d, (functional_call(G, g, (z,)),))).mean()

    return of_D, of_G


class Pair:
    """A G and a D, or those of several seeds in one."""

    def __init__(self, players, many: bool) -> None:
        Gs, Ds = zip(*players, strict=True)
        self.weights = []
        for nets in (Gs, Ds):
            found = stack_module_state(nets)[0] if many else dict(nets[0].named_parameters())
            self.weights.append({k: v.detach().clone().requires_grad_() for k, v in found.items()})
        self.optimizers = [torch.optim.Adam(w.values(), 2e-4, fused=True) for w in self.weights]
        of_D, of_G = losses(*(copy.deepcopy(nets[0]) for nets in (Gs, Ds)))
        self.slopes = grad(of_D), grad(of_G)
        if many:
            self.slopes = vmap(self.slopes[0]), vmap(self.slopes[1])

    def step(self, real, z) -> None:
        g, d = ({k: v.detach() for k, v in w.items()} for w in self.weights)
        self.follow(1, self.slopes[0](d, g, real, z))
        d = {k: v.detach() for k, v in self.weights[1].items()}
        self.follow(0, self.slopes[1](g, d, z))

    def follow(self, player: int, slope) -> None:
        for name, weight in self.weights[player].items():
            weight.grad = slope[name]
        self.optimizers[player].step()


def without_statistics(net: torch.nn.Module) -> torch.nn.Module:
    """Batch normalisation by the batch alone: vmap cannot change running statistics."""
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = DCGAN(width=options.width, norm_D="batch")
    players = [
        tuple(without_statistics(net) for net in model.players(generator(seed, "weights")))
        for seed in range(options.seeds)
    ]
    alone, batched = [Pair([one], many=False) for one in players], Pair(players, many=True)
    real = torch.randn(options.seeds, IMAGES, 3, 64, 64)
    z = torch.randn(options.seeds, IMAGES, model.z_dim)

    def one_by_one() -> None:
        for k, pair in enumerate(alone):
            pair.step(real[k], z[k])

    one_by_one(), batched.step(real, z)
    same = [
        torch.allclose(pair.weights[p][name], batched.weights[p][name][k], atol=1e-3)
        for k, pair in enumerate(alone)
        for p in (0, 1)
        for name in pair.weights[p]
    ]
    assert all(same), "both play the same game"
    rounds = []
    for _ in range(options.rounds):
        taken = []
        for play in (one_by_one, lambda: batched.step(real, z)):
            began = time.process_time()
            for _ in range(STEPS):
                play()
            taken.append((time.process_time() - began) / STEPS)
        rounds.append(taken)
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    first, second = (statistics.median(of) for of in zip(*rounds, strict=True))
    ratios = sorted(a / b for a, b in rounds)
    print(f"one by one {1000 * first:.0f} ms, batched {1000 * second:.0f} ms for {options.seeds}")
    print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()

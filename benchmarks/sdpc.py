"""The speed of SDPC inference against a published-style loop, and of one layer against sporco.

    python benchmarks/sdpc.py                 all of it, a few minutes
    python benchmarks/sdpc.py --rounds 3 --no-sporco

The baseline is a loop as in research code: the same two-layer dynamics ("published"), with each
layer's energy computed by transposed convolutions, its gradient by autograd, and frozen weights.
Both run the same number of iterations from the same start with the same step sizes. They alternate,
so that a drift of the machine's speed affects both. The ratio is the median over rounds. The
largest relative difference of the codes is also printed.

The share of the roofline counts only the convolutions, 4 per iteration (two layers, both
directions), divided by the best rate of PyTorch's convolution in the same run.

sporco (pip install sporco) solves one layer of stride 1 with non-negative codes by ADMM with
circular borders. Ours solves it without circular borders on the same image with a border of zeros.
Both stop when 20 more iterations reduce the objective by less than 0.1 %.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from dcgan_step import roof, timed
from torch import Tensor
from torch.nn.functional import conv_transpose2d, relu

from bascule.core.context import generator
from bascule.core.processes import cores
from bascule.data.faces import Faces
from bascule.presets import sdpc
from bascule.sdpc.model import SDPC, Inference, Layer, Network, energies, infer, joint_energy
from bascule.training.hardware import describe, fast_bf16

GEOMETRIES = {  # layers, side, batch
    "64 px, batch 16 (the default)": (sdpc.model.layers, 64, 16),
    "57 px, batch 4 (as published: 9x9 stride 3, 9x9 stride 1)": (
        (Layer(64, 9, 3, 0, 0.3, 6.0), Layer(128, 9, 1, 0, 1.6, 6.0)),
        57,
        4,
    ),
}
ITERATIONS = 20
K_FB = 1.0


def by_autograd(network: Network, x: Tensor, steps: tuple[float, ...]) -> list[Tensor]:
    """The published loop with gradients by autograd; returns the codes."""
    size = (x.shape[-2], x.shape[-1])
    z = [
        torch.zeros(len(x), layer.atoms, *shape)
        for layer, shape in zip(network.layers, network.shapes(size)[1:], strict=True)
    ]
    g, t = list(z), 1.0
    top = len(z) - 1
    for _ in range(ITERATIONS):
        faster = (1 + (1 + 4 * t * t) ** 0.5) / 2
        for i, layer in enumerate(network.layers):
            now = z[i].detach().requires_grad_()
            below = x if i == 0 else z[i - 1] * network.gain(i)
            D = network.dictionaries[i]
            e = below - conv_transpose2d(now, D, stride=layer.stride, padding=layer.padding)
            F = 0.5 * e.square().sum()
            if i < top:
                above = network.layers[i + 1]
                expected = conv_transpose2d(
                    z[i + 1],
                    network.dictionaries[i + 1],
                    stride=above.stride,
                    padding=above.padding,
                )
                gain = network.gain(i + 1)
                F = F + K_FB / 2 * ((gain * now - expected) / gain).square().sum()
            F.backward()
            with torch.no_grad():
                new = relu(now - steps[i] * now.grad - steps[i] * layer.threshold)
                z[i] = new + (t - 1) / faster * (new - g[i])
            g[i] = new
        t = faster
    return g


def pictures(n: int, side: int) -> Tensor:
    """Preprocessed faces, cropped to ``side`` pixels."""
    recipe = sdpc.replace(data=Faces(n=256))
    y, _ = recipe.prepared(torch.from_numpy(np.array(recipe.data.load().pixels[:n])))
    return y[..., :side, :side].contiguous()


def flop_an_iteration(network: Network, side: int, batch: int) -> float:
    total = 0.0
    for D, (h, w) in zip(network.dictionaries, network.shapes((side, side))[1:], strict=True):
        total += 2 * 2 * D.numel() * h * w
    return total * batch


def ratio_of(rival: Callable[[], object], ours: Callable[[], object], rounds: int) -> tuple:
    rival(), ours()
    pairs = [(timed(rival), timed(ours)) for _ in range(rounds)]
    theirs, mine = (statistics.median(times) for times in zip(*pairs, strict=True))
    return statistics.median(a / b for a, b in pairs), theirs, mine


def apart_of(maps: Sequence[Tensor], others: Sequence[Tensor]) -> str:
    """The relative differences of codes, layer by layer."""
    pairs = zip(maps, others, strict=True)
    return ", ".join(f"{((a - b).norm() / b.norm()).item():.1e}" for a, b in pairs)


def against_autograd(rounds: int) -> None:
    peak = roof(torch.float32)
    print(f"convolution roofline: {peak:.0f} GFLOP/s in fp32")
    ways = {"fp32": {}, "fp32, compiled": {"compile": True}}
    if fast_bf16("cpu"):
        ways |= {
            "bf16": {"precision": "bf16"},
            "bf16, compiled": {"precision": "bf16", "compile": True},
        }
    for name, (layers, side, batch) in GEOMETRIES.items():
        network = SDPC(layers, size=side).network(generator("benchmark"))
        x = pictures(batch, side)
        steps = tuple(
            1 / network.curvature(i, shape, joint=False)
            for i, shape in enumerate(network.shapes((side, side))[:-1])
        )
        published = Inference(
            "published", K_FB, 0.0, max_iterations=ITERATIONS, step_sizes=steps, stop="batch"
        )
        reference = by_autograd(network, x, steps)
        print(f"\n{name}: {ITERATIONS} iterations")
        for way, options in ways.items():
            how = published.replace(**options)
            found, theirs, mine = ratio_of(
                partial(by_autograd, network, x, steps), partial(infer, network, x, how), rounds
            )
            maps = infer(network, x, how).maps
            apart = apart_of(maps, reference)
            speed = flop_an_iteration(network, side, batch) * ITERATIONS / mine / 1e9
            print(
                f"  {way:15} {mine:.3f} s, autograd {theirs:.3f} s: {found:.2f} times; "
                f"{speed:.0f} GFLOP/s, {speed / peak:.0%} of the fp32 roofline; codes differ by "
                f"{apart}"
            )
    network = sdpc.model.network(generator("benchmark"))
    x, how = pictures(16, 64), Inference(tolerance=1e-2)
    exact, coarse = infer(network, x, how), infer(network, x, how.replace(precision="bf16"))
    E, F = (joint_energy(energies(network, x, c.maps, how), 1.0).sum() for c in (exact, coarse))
    print(
        "\nbf16 convolutions, settled (joint): codes differ by "
        f"{apart_of(coarse.maps, exact.maps)}"
        f", energy by {abs(F - E) / E:.1e}"
    )


def against_sporco(rounds: int) -> None:
    try:
        from sporco.admm import cbpdn
    except ImportError:
        print("\nsporco is not installed: left out")
        return
    k, atoms, side, price = 8, 32, 64, 0.5
    layer = Layer(atoms, k, threshold=price)
    network = SDPC((layer,), channels=1, size=side + k - 1).network(generator("benchmark"))
    x = torch.nn.functional.pad(pictures(1, side).mean(1, keepdim=True), (0, k - 1, 0, k - 1))
    # A transposed convolution does not flip D, and neither does sporco's convolution.
    D = network.dictionaries[0][:, 0].permute(1, 2, 0).numpy()
    s = x[0, 0].numpy()

    def objective(g: Tensor) -> float:
        parts = energies(network, x, [g], Inference(k_fb=0.0))
        return parts[0, 0, [0, 2]].sum().item()

    def ours_for(n: int) -> Tensor:
        return infer(network, x, Inference(k_fb=0.0, tolerance=0.0, max_iterations=n)).maps[0]

    def sporco_for(n: int):
        options = cbpdn.ConvBPDN.Options(
            {"Verbose": False, "MaxMainIter": n, "RelStopTol": 0.0, "NonNegCoef": True,
             "AuxVarObj": True}
        )  # fmt: skip
        solver = cbpdn.ConvBPDN(D, s, price, options, dimK=0)
        solver.solve()
        return solver

    def enough(objective_after: Callable[[int], float]) -> tuple[int, float]:
        before = objective_after(20)
        for n in range(40, 1001, 20):
            now = objective_after(n)
            if before - now < 1e-3 * now:
                return n, now
            before = now
        return n, now

    mine, E = enough(lambda n: objective(ours_for(n)))
    theirs, F = enough(lambda n: sporco_for(n).getitstat().ObjFun[-1])
    found, slow, fast = ratio_of(lambda: sporco_for(theirs), lambda: ours_for(mine), rounds)
    print(
        f"\none layer, {atoms} atoms of {k}x{k}, stride 1, one grey picture of {side} px: "
        f"{mine} iterations in {fast:.2f} s to {E:.1f}; sporco {theirs} in {slow:.2f} s to {F:.1f} "
        f"(it may wrap around): {found:.2f} times"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-sporco", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(cores())
    print(describe())
    began = time.perf_counter()
    against_autograd(args.rounds)
    if not args.no_sporco:
        against_sporco(args.rounds)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()

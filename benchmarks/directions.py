"""Which directions of z change pictures most: those of J^T J, or of G's first layer (GANSpace)?

For trained weights that come with the package: the root mean square change of pictures, in grey
levels, after a move of ``--by`` standard deviations along each of the first directions and along
random ones. The directions of the first layer follow GANSpace, section 3.2: the principal
components of what the layer makes of many z (after BatchNorm and ReLU), and the least-squares map
from their coordinates back to z, scaled to unit length as the others are.

    python benchmarks/directions.py
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch import Tensor, nn

from bascule.core.context import generator
from bascule.latents.directions import Directions, of_pictures, of_points
from bascule.models import shipped
from bascule.models.dcgan import DCGAN

K = 6


def first_layer(G: Any, z_dim: int, n: int = 2000) -> Directions:
    """As GANSpace, for a DCGAN: the layer is its transposed convolution, BatchNorm and ReLU."""
    z = torch.randn(n, z_dim, generator=generator("first layer"))
    y = G.layers[:4](z).flatten(1)
    components = of_points(y, K).steps
    x = (y - y.mean(0)) @ components.T / components.square().sum(1)
    back = torch.linalg.lstsq(x, z).solution
    return Directions(back / back.norm(dim=1, keepdim=True), torch.zeros(K))


def change(G: nn.Module, z: Tensor, steps: Tensor, by: float) -> list[float]:
    """The root mean square change of pictures along each step, in grey levels."""
    base = G(z)
    return [float(127.5 * (G(z + by * step) - base).square().mean().sqrt()) for step in steps]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--by", type=float, default=2.0)
    parser.add_argument("--weights", default="faces64")
    args = parser.parse_args()
    told = shipped.told(args.weights)["model"]
    model: DCGAN = eval(told, {"DCGAN": DCGAN})  # a text of the package
    G, D = model.players(generator("benchmark"))
    shipped.load_into(args.weights, G, D)
    G.eval().requires_grad_(False)
    z = torch.randn(200, model.z_dim, generator=generator("change"))
    began = time.perf_counter()
    ours = of_pictures(G, model.z_dim, K, generator("directions"))
    seconds = time.perf_counter() - began
    random = torch.randn(K, model.z_dim, generator=generator("random steps"))
    random /= random.norm(dim=1, keepdim=True)
    for name, steps in (
        ("J^T J", ours.steps),
        ("first layer", first_layer(G, model.z_dim).steps),
        ("random", random),
    ):
        levels = change(G, z, steps, args.by)
        print(f"{name:12}" + "".join(f"{level:7.1f}" for level in levels))
    print(f"J^T J took {seconds:.1f} s")


if __name__ == "__main__":
    main()

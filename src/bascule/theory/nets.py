"""The small networks of the theory bench, with weights from an addressed generator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Maxout(nn.Module):
    """The largest of ``pieces`` linear maps, unit by unit (Goodfellow et al. 2013, "Maxout")."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.linear, self.pieces = nn.Linear(inputs, outputs * pieces), pieces

    def forward(self, x: Tensor) -> Tensor:
        largest: Tensor = self.linear(x).unflatten(1, (self.pieces, -1)).max(1).values
        return largest


def perceptron(inputs: int, width: int, layers: int) -> nn.Sequential:
    """A D of ``layers`` hidden layers (0: logistic regression), (B, inputs) -> logits (B,)."""
    parts: list[nn.Module] = []
    for k in range(layers):
        parts += [nn.Linear(width if k else inputs, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts, nn.Linear(width if layers else inputs, 1), nn.Flatten(0))


def filled(
    build: Callable[[], nn.Sequential], rng: torch.Generator, std: float | None = None
) -> nn.Sequential:
    """The network that ``build`` makes, with weights N(0, std²) from ``rng`` and biases 0.

    ``std`` None: sqrt(2 / fan_in) per layer (He et al. 2015). The network is built on the meta
    device first, because PyTorch's initialisation draws from the global generator.
    """
    with torch.device("meta"):
        net = build()
    net.to_empty(device="cpu")
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                scale = std or (2 / module.weight[0].numel()) ** 0.5
                module.weight.normal_(0.0, scale, generator=rng)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, _BatchNorm):
                module.reset_parameters()  # ones and zeros
    return net

"""What the models share: how weights are drawn, spectral normalisation, and checks of sizes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from bascule.errors import Refusal


def drawn(
    net: nn.Module, std: Callable[[Tensor], float], gain_std: float, rng: torch.Generator
) -> nn.Module:
    """``net`` brought from the meta device to that of ``rng``, with all its weights drawn.

    Weights of convolutions and linear layers ~ N(0, std(weight)²), their biases 0; BatchNorm gains
    ~ N(1, gain_std²), its biases 0.
    """
    net.to_empty(device=rng.device)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
                layer.weight.normal_(1.0, gain_std, generator=rng)
                layer.bias.zero_()
            elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                layer.weight.normal_(0.0, std(layer.weight), generator=rng)
                if layer.bias is not None:
                    layer.bias.zero_()
    return net


def spectrally_normed(net: nn.Module, rng: torch.Generator) -> nn.Module:
    """Spectral normalisation on every convolution and linear layer (Miyato et al. 2018).

    One power iteration a forward; its first vectors are drawn from ``rng``.
    """
    for layer in list(net.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            with torch.random.fork_rng(devices=[]):  # PyTorch draws them from the global one
                torch.manual_seed(int(torch.randint(2**62, (), generator=rng)))
                spectral_norm(layer)
    return net


def check_counts(owner: str, **counts: int) -> None:
    """Refuse a count below 1."""
    for name, count in counts.items():
        if count < 1:
            raise Refusal(f"{owner}({name}={count!r}): expected a whole number >= 1")

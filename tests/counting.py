"""What tests of the models share: a seeded generator, and parameters counted."""

import torch
from torch import nn


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def conv(before: int, after: int, side: int) -> int:
    """Weights and biases of a convolution of ``side`` x ``side`` pixels."""
    return (before * side**2 + 1) * after


def residual(before: int, hidden: int, after: int) -> int:
    """Two 3x3 convolutions, and a 1x1 convolution on the way round them."""
    return conv(before, hidden, 3) + conv(hidden, after, 3) + conv(before, after, 1)


def attention(channels: int) -> int:
    """Without biases, and one gain; fewer than 8 channels ask in 1."""
    return 2 * channels * max(1, channels // 8) + 2 * channels * (channels // 2) + 1

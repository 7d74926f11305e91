"""Helpers for PyTorch's optimisers and mixed precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One optimiser step on ``loss``: zero the gradients, backward, step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Automatic mixed precision for ``precision="bf16"``; no effect otherwise."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def decay_of(half_life: float, images: int) -> float:
    """The share of a moving average that is left after a step on ``images``; 0 without half-life.

    ``half_life``: in images.
    """
    return 0.5 ** (images / half_life) if half_life else 0.0


def move_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move averaged weights towards ``net``: average = decay * average + (1 - decay) * net.

    BatchNorm statistics are averaged in the same way. Other buffers are copied.
    """
    ours: list[Tensor] = list(average.parameters())
    theirs: list[Tensor] = list(net.parameters())
    for mine, other in zip(average.modules(), net.modules(), strict=True):
        for name, buffer in mine.named_buffers(recurse=False):
            now = other.get_buffer(name)
            if isinstance(mine, _BatchNorm) and buffer.is_floating_point():
                ours.append(buffer)
                theirs.append(now)
            else:
                buffer.copy_(now)
    with torch.no_grad():
        get_ema_multi_avg_fn(decay)(ours, theirs, torch.tensor(0))


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load the saved moments; learning rates and betas stay those of the recipe.

    Raises ValueError for moments of another shape, with which a fused step would crash.
    """
    rates = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group.update(rate)
    for weight, moments in optimizer.state.items():
        shapes = {v.shape for v in moments.values() if isinstance(v, Tensor)}
        if shapes - {weight.shape, torch.Size()}:
            raise ValueError(f"moments of shapes {shapes} for weights of {weight.shape}")

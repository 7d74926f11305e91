"""Helpers for PyTorch's optimisers and mixed precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One optimiser step on ``loss``: zero the gradients, backward, step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Automatic mixed precision for ``precision="bf16"``; no effect otherwise."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load the saved moments; learning rates and betas stay those of the recipe."""
    rates = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group.update(rate)

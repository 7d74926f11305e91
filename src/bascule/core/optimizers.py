"""What every training step needs of PyTorch's optimisers and of mixed precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of ``optimizer`` down the slope of ``loss``."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which nets compute: ``"bf16"`` is automatic mixed precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Take the moments that were saved; rates and betas stay those of the recipe."""
    rates = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group.update(rate)

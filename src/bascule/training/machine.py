"""The machine that a run computes on: what "auto" means here, and the record of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TypeVar

import torch

from bascule.errors import Refusal
from bascule.team import processes_here
from bascule.training.recipe import AnyRecipe

R = TypeVar("R", bound=AnyRecipe)


def settle(recipe: R, here: bool = True) -> R:
    """The recipe with every "auto" replaced by what this machine offers.

    ``here``: it will run on this machine; if not, the recipe must leave nothing open.
    """
    if not here and "auto" in (recipe.device, recipe.precision):
        raise Refusal(
            f"device={recipe.device} precision={recipe.precision}: this machine cannot know what "
            "those of a cluster offer; set both, e.g. --set device=cuda precision=bf16"
        )
    device = recipe.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise Refusal(f"device={device!r}: expected auto, cpu, cuda or cuda:0") from None
    if kind not in ("cpu", "cuda"):
        raise Refusal(f"device={device!r}: expected auto, cpu, cuda or cuda:0")
    if here and kind == "cuda" and not torch.cuda.is_available():
        raise Refusal(f"device={device!r}: this machine has no CUDA device; use device=cpu")
    precision = recipe.precision
    if precision == "auto":
        precision = "bf16" if fast_bf16(kind) else "fp32"
    settled = recipe.but(device=device, threads=recipe.threads or cores())
    return settled if precision == recipe.precision else settled.but(precision=precision)


def cores() -> int:
    """The number of cores this process may use: its part of them, where several play together."""
    able = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, able // processes_here())


def fast_bf16(kind: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    # PyTorch offers the question for CPUs only by a private name.
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(ask and ask())


def describe() -> dict[str, str]:
    """Python, PyTorch, processor and memory of this machine, for the record."""
    told = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(cores()),
    }
    if torch.cuda.is_available():
        told["cuda device"] = torch.cuda.get_device_name()
    return told


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"

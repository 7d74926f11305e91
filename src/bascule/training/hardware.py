"""The hardware of a run: what "auto" means on this machine, and a record of it."""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from bascule.core.errors import UserError
from bascule.core.processes import cores, processes, processes_here
from bascule.training.recipe import Recipe
from bascule.training.trial import bf16_is_faster

R = TypeVar("R", bound=Recipe)


def resolve_auto(recipe: R, here: bool = True) -> R:
    """The recipe with every "auto" replaced by what this machine has.

    "auto" precision is bf16 where the hardware has it and a short trial finds it faster for this
    recipe (:mod:`bascule.training.trial`). Several processes, which must agree, do without a trial.
    ``here``: it will run on this machine. If not, no field may be "auto". Raises
    :class:`UserError` for an unknown or missing device.
    """
    if not here and "auto" in (recipe.device, recipe.precision):
        raise UserError(
            f"device={recipe.device} precision={recipe.precision}: this machine does not know the "
            "hardware of the cluster; set both, e.g. --set device=cuda precision=bf16"
        )
    device = recipe.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise UserError(f"device={device!r}: expected auto, cpu, cuda or cuda:0") from None
    if kind == "mps":
        raise UserError(
            f"device={device!r}: Apple's GPUs are not supported, because runs compute with numbers "
            "of 64 bits, which they lack; use device=cpu"
        )
    if kind not in ("cpu", "cuda"):
        raise UserError(f"device={device!r}: expected auto, cpu, cuda or cuda:0")
    if here:
        check_device(device)
    settled = recipe.replace(device=device, threads=recipe.threads or cores())
    if recipe.precision != "auto":
        return settled
    faster = fast_bf16(kind) and (processes() > 1 or bf16_is_faster(settled, _computing(kind)))
    return settled.replace(precision="bf16" if faster else "fp32")


def check_device(device: str) -> None:
    """Raise :class:`UserError` if a CUDA device is missing, or if processes would share it."""
    place = torch.device(device)
    if place.type != "cuda":
        return
    if not torch.cuda.is_available():
        raise UserError(f"device={device!r}: this machine has no CUDA device; use device=cpu")
    several = processes_here()
    if several > 1 and place.index is not None:
        raise UserError(
            f"device={device!r} on {several} processes: expected device=cuda, one GPU per process"
        )
    has = torch.cuda.device_count()
    if has < (wanted := several if place.index is None else place.index + 1):
        for_all = f" on {several} processes" if several > 1 else ""
        raise UserError(
            f"device={device!r}{for_all}: needs {wanted} CUDA devices, but this machine has {has}"
            "; use device=cpu"
        )


def leave_compiler_unloaded() -> None:
    """Prevent the import of PyTorch's compiler in this process; it takes more than a second.

    PyTorch's optimisers import it at their first use, only to exclude their methods from
    compilation. This function removes these wrappers; the optimisers compute the same. Call it
    before the first optimiser is made, in a process that compiles nothing.
    """
    for cls in (torch.optim.Optimizer, torch.optim.Adam, torch.optim.SGD):
        for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict", "step"):
            method = vars(cls).get(name)
            if method is not None and hasattr(method, "__wrapped__"):
                plain = inspect.unwrap(method)
                setattr(cls, name, torch.no_grad()(plain) if name == "step" else plain)


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """Make CUDA results reproducible to the last bit inside the context; a CPU's always are.

    Where PyTorch has no deterministic kernel, as for the gradient of ``grid_sample`` (ADA), it
    warns that the last bits may vary.
    """
    if torch.device(device).type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS begins
    filled: Any = torch.utils.deterministic
    chosen = torch.are_deterministic_algorithms_enabled(), filled.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    filled.fill_uninitialized_memory = False  # it costs time, and no code here reads such memory
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(chosen[0])
        filled.fill_uninitialized_memory = chosen[1]


def fast_bf16(kind: str) -> bool:
    """Whether the device has bfloat16 multiplication in hardware."""
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # For CPUs, PyTorch has only a private function for this.
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(ask and ask())


def describe() -> dict[str, str]:
    """Python, PyTorch, system, processor, cores and GPU of this machine, for the record."""
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


def _computing(kind: str) -> str:
    """The name of what computes on a device of this ``kind``."""
    return torch.cuda.get_device_name() if kind == "cuda" else _processor()


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"

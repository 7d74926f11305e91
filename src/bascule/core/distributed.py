"""One training run on several processes of ``torchrun``; each computes a part of every batch.

A network sees only the part of its process. All other work (draws, interventions, losses) is done
by every process on the whole batch, and the gradients of the weights are summed over the
processes. Batch normalisation uses the statistics of the whole batch. So the run computes the same
as on one process, up to rounding, for every intervention. PyTorch's DistributedDataParallel cannot
do this: its processes know only their own part, and it does not support double backward.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bascule.core.errors import UserError
from bascule.core.processes import processes

WAIT = timedelta(hours=1)  # the main process may make images or write a checkpoint meanwhile


class ProcessGroup:
    """The processes of one run; :func:`process_group` makes one."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.plays = False  # whether layers now compute on a part of a batch

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def run(self, player: Callable[..., Tensor], *whole: Tensor) -> Tensor:
        """``player(*whole)`` in fp32; ``whole``: batches (B, ...) that are equal on all processes.

        Raises :class:`UserError` if B is not a multiple of the number of processes.
        """
        if len(whole[0]) % self.size:
            told = f"a batch of {len(whole[0])} on {self.size} processes"
            raise UserError(
                f"{told}: the batch size must be a multiple of {self.size}; change batch, or "
                "the number of processes"
            )
        self.plays = True
        try:
            shares = [_Share.apply(x, self) for x in whole]
            gathered: Tensor = _Gather.apply(player(*shares).float(), self)
            return gathered
        finally:
            self.plays = False

    def sum_gradients(self, player: nn.Module) -> None:
        """Sum the gradients of ``player`` over all processes, in place."""
        grads = [p.grad for p in player.parameters() if p.grad is not None]
        if not grads:
            return
        flat = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(flat)
        for grad, whole in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(whole.view(grad.shape))

    def any(self, asked: bool) -> bool:
        """Whether ``asked`` is true on any process."""
        answer = torch.tensor(float(asked), device=_device())
        dist.all_reduce(answer, dist.ReduceOp.MAX)
        return bool(answer)

    def broadcast(self, value: Any = None) -> Any:
        """The ``value`` of the main process, on every process."""
        box = [value]
        dist.broadcast_object_list(box, device=_device())
        return box[0]


def _device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


@contextmanager
def process_group(kind: str) -> Iterator[ProcessGroup | None]:
    """The group of this process; None for a single process. ``kind``: "cpu" or "cuda"."""
    if processes() == 1:
        yield None
        return
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=WAIT)
    try:
        yield ProcessGroup()
        dist.barrier()  # no process leaves before all have finished
    finally:
        dist.destroy_process_group()


def convert_sync_batchnorm(player: nn.Module, group: ProcessGroup) -> None:
    """Let the BatchNorm layers of ``player`` use statistics of the whole batch from now on."""
    for layer in player.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            if type(layer) not in (nn.BatchNorm1d, nn.BatchNorm2d):
                raise UserError(
                    f"{type(layer).__name__} on several processes is not supported: use "
                    "BatchNorm, or start it without torchrun"
                )
            layer.__class__ = _SyncBatchNorm  # type: ignore[assignment]
            cast(_SyncBatchNorm, layer).group = group


class _SyncBatchNorm(_BatchNorm):
    """BatchNorm over the parts of all processes, equal to one process with the whole batch."""

    group: ProcessGroup

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.group.plays):
            return super().forward(x)
        over = [d for d in range(x.ndim) if d != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        h = x.float()
        var, mean = torch.var_mean(h, over, correction=0)  # of this part; all have equal size
        own = torch.stack([mean, var])
        places = torch.zeros(self.group.size, *own.shape, device=x.device)
        places[self.group.rank] = own
        means, variances = _Sum.apply(places).unbind(1)
        mean = means.mean(0)
        var = variances.mean(0) + (means - mean).square().mean(0)
        if self.track_running_stats and self.running_mean is not None:
            assert self.running_var is not None and self.num_batches_tracked is not None
            assert self.momentum is not None, "a moving average"
            n = x.numel() // x.shape[1] * self.group.size
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(var.detach() * n / (n - 1), self.momentum)
        scale = (var + self.eps).rsqrt()
        shift = -mean * scale
        if self.affine:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        return torch.addcmul(shift.view(shape), h, scale.view(shape)).to(x.dtype)


class _Share(torch.autograd.Function):
    """(B, ...) -> (B / processes, ...): the part of this process. Backward: gather all parts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return x.chunk(group.size)[group.rank].clone(memory_format=torch.preserve_format)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(grad, ctx.group), None


class _Gather(torch.autograd.Function):
    """(B / processes, ...) -> (B, ...): gather all parts. Backward: the part of this process."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        parts = [torch.empty(x.shape, dtype=x.dtype, device=x.device) for _ in range(group.size)]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Share.apply(grad, ctx.group), None


class _Sum(torch.autograd.Function):
    """The sum over all processes, forward and backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(grad)
        return total

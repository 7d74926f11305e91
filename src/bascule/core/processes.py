"""Cores, the processes that ``torchrun`` started, and the one that started this one."""

from __future__ import annotations

import os
from collections.abc import Callable


def processes() -> int:
    """How many processes ``torchrun`` started on all machines; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def processes_here() -> int:
    """How many of them run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def parent_watch(parent: int) -> Callable[[], bool]:
    """A function that tells whether the process ``parent``, which started this one, has ended.

    The number is handed over by that process itself: asked for here, it would be that of another
    process if the parent ended while this one started. Windows keeps the number and cannot tell.
    """
    if os.name == "nt":
        return lambda: False
    return lambda: os.getppid() != parent


def cores() -> int:
    """The number of cores for this process: its part, where several processes train together."""
    able = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, able // processes_here())

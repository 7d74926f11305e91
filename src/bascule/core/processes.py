"""The processes that ``torchrun`` started, read from the environment."""

from __future__ import annotations

import os


def processes() -> int:
    """How many processes ``torchrun`` started on all machines; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def processes_here() -> int:
    """How many of them run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))

"""How many processes ``torchrun`` has started for one command, as the environment tells."""

from __future__ import annotations

import os


def processes() -> int:
    """How many processes ``torchrun`` has started for one command; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def processes_here() -> int:
    """How many of them share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))

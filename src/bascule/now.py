"""Addressed randomness: every draw has a name and a moment, and so its own generator.

Nothing here consumes a shared stream. A draw depends on (seed, name, moment) alone, so an
intervention that draws more or less shifts no other draw, and a resumed run needs no saved
generator state.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import torch


def address(*parts: object) -> int:
    """A 63-bit seed for the address ``parts``, the same on every machine and in every process."""
    text = "\x1f".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator on ``device``, seeded by the address ``parts``.

    PyTorch's CPU generator keeps 32 bits of a seed, so among 100,000 steps one or two pairs share
    a draw by chance; nothing else about them is shared.
    """
    return torch.Generator(device).manual_seed(address(*parts))


@dataclass(frozen=True)
class Now:
    """The moment of the game: which step of which epoch, under which seed.

    ``epoch`` counts from 0; ``step`` counts from 0 over the whole run. ``scope`` says who asks,
    so that two askers who use the same name never share a draw.
    """

    seed: int
    epoch: int
    step: int
    scope: str = ""
    device: torch.device = torch.device("cpu")

    def within(self, scope: str) -> Now:
        """The same moment, seen by a named part of the game."""
        return replace(self, scope=f"{self.scope}/{scope}")

    def rng(self, name: str) -> torch.Generator:
        """The CPU generator of the draw ``name`` at this moment.

        Asked twice for one name, it starts again: two draws need two names.
        """
        return generator(self.seed, f"{self.scope}/{name}", self.step)

    def device_rng(self, name: str) -> torch.Generator:
        """As :meth:`rng`, on the device of the game: for draws as large as a batch of images."""
        return generator(self.seed, f"{self.scope}/{name}", self.step, device=self.device)

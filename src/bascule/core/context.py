"""Addressed randomness: every draw has a name and a moment, and so its own generator.

Nothing here consumes a shared stream. A draw depends on (seed, name, moment) alone, so an
intervention that draws more or less shifts no other draw, and a resumed run needs no saved
generator state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


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
class Services:
    """What the game lends to a rule at a moment, beside the images of its hook.

    memory        named tensors that outlive a step; part of every checkpoint.
    last_metrics  the scalars of the step before, by name; empty in the first step.
    discriminate  D's logits (B,) of images (B, 3, H, W), as it sees them at this moment; no
                  trace is left in it.
    sample_reals  ``(split, n, context)`` -> n more real images of "other" or "held_out".
    """

    memory: dict[str, Tensor] = field(default_factory=dict)
    last_metrics: Mapping[str, Tensor] = field(default_factory=dict)
    discriminate: Callable[[Tensor], Tensor] | None = None
    sample_reals: Callable[[str, int, StepContext], Tensor] | None = None


@dataclass(frozen=True)
class StepContext:
    """The moment of the game: which step of which epoch, under which seed.

    ``epoch`` counts from 0; ``step`` counts from 0 over the whole run. ``scope`` says who asks,
    so that two askers who use the same name never share a draw; ``owner``, which rule asks,
    through whichever hook, so that no two rules share a memory.
    """

    seed: int
    epoch: int
    step: int
    scope: str = ""
    device: torch.device = torch.device("cpu")
    owner: str = ""
    services: Services = field(default_factory=Services, compare=False, repr=False)

    def within(self, scope: str) -> StepContext:
        """The same moment, seen by a named part of the game."""
        return replace(self, scope=f"{self.scope}/{scope}")

    def owned_by(self, name: str) -> StepContext:
        """The same moment, seen by the rule ``name``."""
        owner = f"{self.owner}/{name}" if self.owner else name
        return replace(self, scope=f"{self.scope}/{name}", owner=owner)

    def rng(self, name: str) -> torch.Generator:
        """The CPU generator of the draw ``name`` at this moment.

        Asked twice for one name, it starts again: two draws need two names.

        >>> context = StepContext(seed=0, epoch=0, step=7)
        >>> one, again = (torch.randn(3, generator=context.rng("z")) for _ in range(2))
        >>> other = torch.randn(3, generator=context.rng("noise"))
        >>> torch.equal(one, again), torch.equal(one, other)
        (True, False)
        """
        return generator(self.seed, f"{self.scope}/{name}", self.step)

    def device_rng(self, name: str) -> torch.Generator:
        """As :meth:`rng`, on the device of the game: for draws as large as a batch of images."""
        return generator(self.seed, f"{self.scope}/{name}", self.step, device=self.device)

    def recall(self, name: str, otherwise: float = 0.0) -> Tensor:
        """What the asking rule remembers as ``name``; ``otherwise`` where it remembers nothing."""
        kept = self.services.memory.get(f"{self.owner}/{name}")
        return torch.tensor(otherwise, dtype=torch.float64) if kept is None else kept

    def remember(self, name: str, value: Tensor | float) -> None:
        """Keep ``value`` for later steps. Single numbers are reported as scalars of the run."""
        if not isinstance(value, Tensor):
            value = torch.tensor(value, dtype=torch.float64)
        self.services.memory[f"{self.owner}/{name}"] = value.detach()

    def last_metric(self, scalar: str) -> float | None:
        """A scalar of the step before (D_x, D_Gz, r_t, ...); None in the first step."""
        value = self.services.last_metrics.get(scalar)
        return None if value is None else float(value)

    def discriminate(self, x: Tensor) -> Tensor:
        """D's logits (B,) of ``x`` at this moment, detached; D is left as it is."""
        assert self.services.discriminate is not None, "only a step lends its D"
        return self.services.discriminate(x)

    def sample_reals(self, split: str, n: int) -> Tensor:
        """``n`` more reals, prepared as those of the step: "other" training images, "held_out"."""
        assert self.services.sample_reals is not None, "only a loop lends its images"
        return self.services.sample_reals(split, n, self)

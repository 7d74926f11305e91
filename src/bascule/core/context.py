"""Addressed randomness: every random draw has a name and a step, and a generator of its own.

There is no shared random stream. A draw depends only on (seed, scope, name, step). So an
intervention that draws more or fewer numbers changes no other draw, and a resumed run needs no
saved generator state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


def address(*parts: object) -> int:
    """A 63-bit seed for the address ``parts``; the same on every machine and in every process."""
    text = "\x1f".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator on ``device``, seeded by the address ``parts``.

    PyTorch's CPU generator uses only 32 bits of a seed. So among 100,000 steps, one or two pairs of
    steps have the same draw by chance; this affects no other draw.
    """
    return torch.Generator(device).manual_seed(address(*parts))


@dataclass(frozen=True)
class Services:
    """What an intervention may use in a step, beside the images of its hook.

    memory        named tensors that outlive a step; part of every checkpoint.
    last_metrics  the scalars of the previous step, by name; empty in the first step.
    discriminate  D's logits (B,) for images (B, 3, H, W) in [-1, 1], with the present weights; it
                  changes nothing in D.
    sample_reals  ``(split, n, context)`` -> n more real images; split: "other" or "held_out".
    """

    memory: dict[str, Tensor] = field(default_factory=dict)
    last_metrics: Mapping[str, Tensor] = field(default_factory=dict)
    discriminate: Callable[[Tensor], Tensor] | None = None
    sample_reals: Callable[[str, int, StepContext], Tensor] | None = None


@dataclass(frozen=True)
class StepContext:
    """A step of the training: its seed, epoch and number, and what an intervention may use in it.

    epoch     from 0
    step      from 0, over the whole run
    scope     who draws: two parts that use the same name still get different draws
    device    of the training
    owner     which intervention calls, in any of its hooks; each owner has a memory of its own
    services  see :class:`Services`
    """

    seed: int
    epoch: int
    step: int
    scope: str = ""
    device: torch.device = torch.device("cpu")
    owner: str = ""
    services: Services = field(default_factory=Services, compare=False, repr=False)

    def within(self, scope: str) -> StepContext:
        """The same step for a named part of the training, with draws of its own."""
        return replace(self, scope=f"{self.scope}/{scope}")

    def owned_by(self, name: str) -> StepContext:
        """The same step for the intervention ``name``, with draws and a memory of its own."""
        owner = f"{self.owner}/{name}" if self.owner else name
        return replace(self, scope=f"{self.scope}/{name}", owner=owner)

    def rng(self, name: str) -> torch.Generator:
        """The CPU generator of the draw ``name`` in this step.

        A second call with the same name returns the same numbers: two draws need two names.

        >>> context = StepContext(seed=0, epoch=0, step=7)
        >>> one, again = (torch.randn(3, generator=context.rng("z")) for _ in range(2))
        >>> other = torch.randn(3, generator=context.rng("noise"))
        >>> torch.equal(one, again), torch.equal(one, other)
        (True, False)
        """
        return generator(self.seed, f"{self.scope}/{name}", self.step)

    def device_rng(self, name: str) -> torch.Generator:
        """As :meth:`rng`, on the training device: for draws as large as a batch of images."""
        return generator(self.seed, f"{self.scope}/{name}", self.step, device=self.device)

    def recall(self, name: str, otherwise: float = 0.0) -> Tensor:
        """What this intervention remembered as ``name``, or ``otherwise`` if it has nothing yet."""
        kept = self.services.memory.get(f"{self.owner}/{name}")
        return torch.tensor(otherwise, dtype=torch.float64) if kept is None else kept

    def remember(self, name: str, value: Tensor | float) -> None:
        """Keep ``value`` for later steps. A single number is also reported as a scalar."""
        if not isinstance(value, Tensor):
            value = torch.tensor(value, dtype=torch.float64)
        self.services.memory[f"{self.owner}/{name}"] = value.detach()

    def last_metric(self, scalar: str) -> float | None:
        """A scalar of the previous step (D_x, D_Gz, r_t, ...); None in the first step."""
        value = self.services.last_metrics.get(scalar)
        return None if value is None else float(value)

    def discriminate(self, x: Tensor) -> Tensor:
        """D's logits (B,) for images ``x`` (B, 3, H, W), detached; changes nothing in D."""
        assert self.services.discriminate is not None, "D is available only within a step"
        return self.services.discriminate(x)

    def sample_reals(self, split: str, n: int) -> Tensor:
        """``n`` more real images (n, 3, H, W), prepared like the batch of the step.

        split  "other": other training images; "held_out": held-out images
        """
        assert self.services.sample_reals is not None, "images are available only within training"
        return self.services.sample_reals(split, n, self)

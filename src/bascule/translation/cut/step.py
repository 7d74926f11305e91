"""One step of CUT or FastCUT (Park et al. 2020): a contrastive loss between input and output.

There is no inverse generator. G's translation must fool D. Each position of the translation must
also be more similar to the same position of the input than to its other positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bascule.core.context import StepContext
from bascule.core.optimizers import descend
from bascule.translation.networks import ResNetTranslator
from bascule.translation.step import PatchObjective, Translators


@dataclass(frozen=True)
class ContrastRules(PatchObjective):
    """The objectives of G, D and the heads.

    ``taps``: the layers of G whose features are compared, at ``patches`` random positions each.
    ``contrast``: weight of the contrastive loss; the adversarial loss has weight 1. ``identity``:
    also compute it on images of the target domain, and take the mean of both. ``flips``: with
    probability 1/2 a step uses mirrored images, and compares them with the unmirrored ones.
    ``temperature``: the cosine similarity of two vectors is divided by it.
    """

    taps: tuple[str, ...] = ("rgb", "down1", "down2", "res0", "res4")
    contrast: float = 1.0
    identity: bool = True
    flips: bool = False
    patches: int = 256
    temperature: float = 0.07


@dataclass
class Contrast(Translators):
    """A generator, a discriminator, and the projection heads, which are updated with G."""

    NETS = ("G", "D", "heads")

    G: ResNetTranslator
    D: nn.Module
    heads: nn.Module
    opt_G: torch.optim.Optimizer
    opt_D: torch.optim.Optimizer
    device: torch.device
    pools: dict[str, Tensor] = field(default_factory=dict)
    shown: Tensor | None = None


def contrastive_step(
    game: Contrast, a: Tensor, b: Tensor, context: StepContext, rules: ContrastRules
) -> dict[str, Tensor]:
    """One step on images a and b of the two domains, (B, 3, H, W) each, in [-1, 1].

    First D is updated, then G and the heads, as published. G is called once on all images and also
    returns the features at its taps. The features of the translations need a second pass through
    the first half of G. Returns detached scalars: loss_D, loss_G (the adversarial loss), contrast
    and, with ``identity``, contrast_same (both in nats, without their weight).
    """
    n = len(a)
    flipped = rules.flips and bool(torch.rand((), generator=context.rng("flip")) < 0.5)
    given = torch.cat([a, b]) if rules.identity else a
    before: Sequence[Tensor]
    if flipped:
        made = game.G(given.flip(-1)).float()
        with torch.no_grad():
            before = game.G.features(given, rules.taps)
    else:
        made, before = game.G.translated(given, rules.taps)
        made = made.float()
    game.D.requires_grad_(True)
    real = b.flip(-1) if flipped else b
    judged = game.D(torch.cat([real, made[:n].detach()])).float()
    loss_D = rules.judged(judged[:n], judged[n:])
    descend(game.opt_D, loss_D)

    game.D.requires_grad_(False)
    loss_G = rules.real(game.D(made[:n]).float())
    after = game.G.features(made, rules.taps)
    if flipped:
        after = [h.flip(-1) for h in after]
    places = _places(after, rules.patches, context)
    asked = game.heads([h.float() for h in after], places)
    with torch.no_grad():
        answers = game.heads([h.detach().float() for h in before], places)
    losses = [
        contrast(q, k, rules.temperature)
        for q, k in zip(asked, answers, strict=True)  # of each tap, (B,) or (2B,)
    ]
    far = torch.stack(losses).mean(0)
    scalars = {"loss_D": loss_D, "loss_G": loss_G, "contrast": far[:n].mean()}
    total = scalars["contrast"]
    if rules.identity:
        scalars["contrast_same"] = far[n:].mean()
        total = (total + scalars["contrast_same"]) / 2
    descend(game.opt_G, loss_G + rules.contrast * total)
    return {name: value.detach() for name, value in scalars.items()}


def contrast(asked: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """The InfoNCE loss of each image, (B,), in nats (van den Oord et al. 2018).

    ``asked`` (queries) and ``answers`` (keys): (B, P, F), vectors of length 1. Position p of one is
    the positive of position p of the other. The other positions of the same image are the negatives
    (Park et al. 2020, equation 3). ln P if all positions have equal features.
    """
    likeness = torch.bmm(asked, answers.mT) / temperature
    b, p, _ = likeness.shape
    right = torch.arange(p, device=likeness.device).expand(b, p)
    return cross_entropy(likeness.mT, right, reduction="none").mean(1)


def _places(maps: Sequence[Tensor], patches: int, context: StepContext) -> list[Tensor]:
    """For each map (B, C, H, W), at most ``patches`` different indices of the flattened grid."""
    found = []
    for number, h in enumerate(maps):
        order = torch.randperm(h.shape[2] * h.shape[3], generator=context.rng(f"places {number}"))
        found.append(order[:patches].to(h.device))
    return found

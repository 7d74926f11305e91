"""The time of a step of the light CycleGAN, compared with the published size and a plain loop.

    python benchmarks/translation_steps.py            about three minutes on one core

Three programs alternate in steps on one pair of images of 64 pixels, so that a drift of the
machine's speed affects all. Ratios are medians over rounds, with the lowest and the highest.

- *light*: the preset's step, as in `bascule train cyclegan-light`, in fp32;
- *reference*: the same step with the published sizes (9 blocks, width 64, patches of 70 pixels);
- *plain*: the light networks in a simple loop with one network call per term of the equations.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from bascule.core.context import generator
from bascule.presets import TRANSLATION_PRESETS
from bascule.training.hardware import describe, fast_bf16, resolve_auto
from bascule.training.state import begin
from bascule.training.trainer import Batch
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.recipe import CycleRecipe
from bascule.translation.networks import ToFew


class Ours:
    """The step of the recipe."""

    def __init__(self, recipe: CycleRecipe, pixels: Tensor, labels: Tensor) -> None:
        self.recipe, self.pixels, self.state = recipe, pixels, begin(recipe)
        self.labels = labels

    def step(self) -> None:
        batch = Batch(self.pixels, torch.arange(1), 0, self.state.step, labels=self.labels)
        self.state.trainer.step(batch)
        self.state.step += 1


class Plain:
    """The same training step in plain PyTorch, with one network call per term."""

    def __init__(self, recipe: CycleRecipe, pixels: Tensor, labels: Tensor) -> None:
        self.A, self.B = (pixels[labels == kind].float() / 127.5 - 1 for kind in (0, 1))
        self.G_AB, self.G_BA, self.D_A, self.D_B = recipe.model.players(generator("plain"))
        for net in (self.G_AB, self.G_BA):
            for layer in net.modules():
                if isinstance(layer, ToFew):  # a plain convolution
                    layer.forward = partial(torch.nn.Conv2d.forward, layer)
        both = (self.G_AB, self.G_BA), (self.D_A, self.D_B)
        self.opt_G, self.opt_D = (
            torch.optim.Adam(
                itertools.chain(*(net.parameters() for net in pair)), 2e-4, (0.5, 0.999)
            )
            for pair in both
        )
        self.pools: dict[str, list[Tensor]] = {"A": [], "B": []}

    def step(self) -> None:
        a, b = (x[torch.randint(len(x), (1,))] for x in (self.A, self.B))
        for D in (self.D_A, self.D_B):
            D.requires_grad_(False)
        self.opt_G.zero_grad()
        fake_b, fake_a = self.G_AB(a), self.G_BA(b)
        loss = 10 * (l1_loss(self.G_BA(fake_b), a) + l1_loss(self.G_AB(fake_a), b))
        loss = loss + 5 * (l1_loss(self.G_BA(a), a) + l1_loss(self.G_AB(b), b))
        loss = loss + _far(self.D_B(fake_b), 1.0) + _far(self.D_A(fake_a), 1.0)
        loss.backward()
        self.opt_G.step()
        for D in (self.D_A, self.D_B):
            D.requires_grad_(True)
        self.opt_D.zero_grad()
        for D, kind, real, fake in ((self.D_A, "A", a, fake_a), (self.D_B, "B", b, fake_b)):
            old = self._pooled(kind, fake.detach())
            ((_far(D(real), 1.0) + _far(D(old), 0.0)) / 2).backward()
        self.opt_D.step()

    def _pooled(self, kind: str, fake: Tensor) -> Tensor:
        pool = self.pools[kind]
        if len(pool) < 50:
            pool.append(fake)
            return fake
        if torch.rand(()) < 0.5:
            return fake
        at = int(torch.randint(50, ()))
        old, pool[at] = pool[at], fake
        return old


def _far(logits: Tensor, wanted: float) -> Tensor:
    return mse_loss(logits, torch.full_like(logits, wanted))


def seconds(step: Callable[[], None], steps: int) -> float:
    """Seconds per step, mean over ``steps``."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    preset = TRANSLATION_PRESETS["cyclegan-light"]
    assert preset.evaluates == "translations"
    light = resolve_auto(preset.replace(threads=args.threads, device="cpu", precision="fp32"))
    images = light.data.load()
    pixels = torch.from_numpy(images.pixels[images.indices("train")])
    labels = light.labels_of(images)
    reference = light.replace(model=CycleGAN(size=64))
    players: dict[str, tuple[Ours | Plain, int]] = {
        "light": (Ours(light, pixels, labels), 8),
        "plain": (Plain(light, pixels, labels), 8),
        "reference": (Ours(reference, pixels, labels), 2),
    }
    if fast_bf16("cpu"):
        players["light, bf16"] = (Ours(light.replace(precision="bf16"), pixels, labels), 8)
    for player, _ in players.values():
        player.step()
    rounds = [
        {name: seconds(player.step, steps) for name, (player, steps) in players.items()}
        for _ in range(args.rounds)
    ]
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    print(f"{args.threads} threads, {args.rounds} rounds, pictures of 64 px, batch 1, identity on")
    for name in players:
        each = [one[name] * 1000 for one in rounds]
        print(f"{name:12} {statistics.median(each):7.0f} ms a step")
    for ours, other, most in (("light", "reference", 0.25), ("light", "plain", 0.85)):
        ratios = [one[ours] / one[other] for one in rounds]
        told = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{ours} / {other}: {statistics.median(ratios):.2f} ({told}); asked: {most:g}")


if __name__ == "__main__":
    main()

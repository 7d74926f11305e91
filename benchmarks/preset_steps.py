"""The time of a step of every preset, compared with a plain loop for the same networks.

    python benchmarks/preset_steps.py                 every preset
    python benchmarks/preset_steps.py sngan64-light   some
    python benchmarks/preset_steps.py --scale         one run on 1 and 2 processes, and on 2 threads
    python benchmarks/preset_steps.py --device cuda --precision bf16

The plain loop has the same networks, losses, penalties, augmentation, optimiser and averaged G, in
a few lines of PyTorch. It has no interventions, no addressed randomness and no recorded scalars.
Both alternate in complete rounds, with all updates of G and all lazy penalties, so that a drift of
the machine's speed affects both. The ratio is the median over rounds, with the lowest and the
highest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import lcm
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from bascule.core.context import StepContext, generator
from bascule.core.schedules import value_at
from bascule.data.augment import Flip
from bascule.gan.penalties import R1, R2, GradientPenalty, Reconstruction
from bascule.gan.recipe import GANRecipe
from bascule.interventions import DiffAugment
from bascule.presets import PRESETS
from bascule.training.hardware import describe, resolve_auto
from bascule.training.state import begin
from bascule.training.trainer import Batch

START = StepContext(0, 0, 0)
LOSSES = {  # D's loss of (real, fake) logits, G's loss of (fake, real) logits
    "non-saturating": (
        lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(),
        lambda f, r: F.softplus(-f).mean(),
    ),
    "hinge": (
        lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(),
        lambda f, r: -f.mean(),
    ),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f, r: -f.mean()),
    "relativistic": (
        lambda r, f: F.softplus(f - r).mean(),
        lambda f, r: F.softplus(r - f).mean(),
    ),
}


def augmented(x: Tensor) -> Tensor:
    """DiffAugment's colour, translation and cutout, as in a simple script."""
    (b, _, h, w), on = x.shape, x.device
    x = x + torch.rand(b, 1, 1, 1, device=on) - 0.5
    mean = x.mean(1, keepdim=True)
    x = mean + (x - mean) * torch.rand(b, 1, 1, 1, device=on) * 2
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * (torch.rand(b, 1, 1, 1, device=on) + 0.5)
    most = h // 8
    dy, dx = torch.randint(-most, most + 1, (2, b, 1, 1), device=on)
    row, column = torch.arange(h, device=on)[None, :, None], torch.arange(w, device=on)[None, None]
    padded = F.pad(x, (most, most, most, most)).permute(0, 2, 3, 1)
    each = torch.arange(b, device=on)[:, None, None]
    x = padded[each, row + dy + most, column + dx + most].permute(0, 3, 1, 2)
    cy, cx = torch.randint(0, h + 1, (2, b, 1, 1), device=on)
    hole = ((row - cy).abs() < h // 4) & ((column - cx).abs() < w // 4)
    return x * (~hole)[:, None]


class Plain:
    """A simple training loop: two networks, two optimisers, nothing else."""

    def __init__(self, recipe: GANRecipe, images: Tensor) -> None:
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.recipe, self.images, self.step = recipe, images, 0
        self.G, self.D = recipe.model.players(generator(recipe.seed, "players"))
        for net in (self.G, self.D):
            net.to(recipe.device, memory_format=layout).train()
        betas = (recipe.beta1, value_at(recipe.beta2, START))
        self.opt_G, self.opt_D = (
            torch.optim.Adam(net.parameters(), value_at(lr, START), betas, fused=True)
            for net, lr in ((self.G, recipe.lr_G), (self.D, recipe.lr_D))
        )
        self.loss_D, self.loss_G = LOSSES[recipe.objective.kind]
        self.view = (
            augmented if any(isinstance(c, DiffAugment) for c in recipe.interventions) else _same
        )
        self.flips = any(isinstance(a, Flip) for a in recipe.augment)
        self.average = None
        if recipe.ema_half_life is not None:
            decay = 0.5 ** (recipe.batch / max(value_at(recipe.ema_half_life, START), 1.0))
            ema = torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
            self.average = torch.optim.swa_utils.AveragedModel(self.G, multi_avg_fn=ema)

    def play(self) -> None:
        recipe = self.recipe
        n, on = recipe.batch, self.images.device
        real = self.images[torch.randint(len(self.images), (n,), device=on)].float() / 127.5 - 1
        if self.flips:
            real = torch.where(torch.rand(n, 1, 1, 1, device=on) < 0.5, real.flip(3), real)
        if recipe.channels_last:
            real = real.contiguous(memory_format=torch.channels_last)
        g_plays = (self.step + 1) % recipe.critic_steps == 0
        with torch.set_grad_enabled(g_plays):
            fake = self._seen(self.G, torch.randn(n, recipe.model.z_dim, device=on))
        due = [p for p in recipe.penalties if self.step % p.every == 0]
        kinds = {type(p) for p in due}
        real.requires_grad_(R1 in kinds)
        fake_D = fake.detach().requires_grad_(R2 in kinds)
        on_real, on_fake = (self._seen(self.D, self.view(x)) for x in (real, fake_D))
        loss = self.loss_D(on_real, on_fake)
        for penalty in due:
            loss = loss + self._penalty(penalty, real, fake_D, on_real, on_fake)
        self.opt_D.zero_grad()
        loss.backward()
        self.opt_D.step()
        if g_plays:
            self.D.requires_grad_(False)
            real = real.detach()
            beside = self._seen(self.D, self.view(real)) if recipe.objective.paired else None
            loss = self.loss_G(self._seen(self.D, self.view(fake)), beside)
            self.opt_G.zero_grad()
            loss.backward()
            self.opt_G.step()
            self.D.requires_grad_(True)
        if self.average is not None:
            self.average.update_parameters(self.G)
        self.step += 1

    def _seen(self, net: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        bf16 = self.recipe.precision == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            return net(x).float()

    def _penalty(self, penalty, real, fake, on_real, on_fake) -> Tensor:
        if isinstance(penalty, R1 | R2):
            logits, x = (on_real, real) if isinstance(penalty, R1) else (on_fake, fake)
            (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
            gamma = value_at(penalty.gamma, START)
            return penalty.every * gamma / 2 * slope.square().sum((1, 2, 3)).mean()
        if isinstance(penalty, Reconstruction):
            seen, quarter = self.view(real.detach()), int(torch.randint(4, ()))
            rebuilt = self._seen(lambda x: self.D.rebuilt(x, quarter), seen)
            return penalty.weight * (rebuilt - self.D.targets(seen, quarter)).square().mean() * 3
        assert isinstance(penalty, GradientPenalty)
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        u = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
        (slope,) = torch.autograd.grad(self._seen(self.D, self.view(u)).sum(), u, create_graph=True)
        return penalty.weight * (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean()


def _same(x: Tensor) -> Tensor:
    return x


class Ours:
    """bascule's step, as its loop calls it."""

    def __init__(self, recipe: GANRecipe, images: Tensor) -> None:
        self.recipe, self.images, self.state = recipe, images, begin(recipe)

    def play(self) -> None:
        n = self.recipe.batch
        indices = torch.randint(len(self.images), (n,))
        self.state.trainer.step(Batch(self.images, indices, 0, self.state.step))
        self.state.step += 1


def compare(name: str, recipe: GANRecipe, rounds: int, seconds: float) -> None:
    torch.set_num_threads(recipe.threads)
    shape = (512, 3, recipe.model.size, recipe.model.size)
    rng = generator("images of a benchmark")
    images = torch.randint(0, 256, shape, generator=rng, dtype=torch.uint8).to(recipe.device)
    wait = torch.cuda.synchronize if images.is_cuda else lambda: None
    ours, plain = Ours(recipe, images), Plain(recipe, images)
    round_ = lcm(recipe.critic_steps, *(p.every for p in recipe.penalties))

    def timed(player: Ours | Plain, times: int) -> float:
        began = time.perf_counter()
        for _ in range(times * round_):
            player.play()
        wait()
        return (time.perf_counter() - began) / (times * round_)

    timed(ours, 1)
    once = timed(plain, 1)
    times = max(1, round(seconds / (once * round_)))
    ratios, rates = [], []
    for k in range(rounds):
        order = (ours, plain) if k % 2 else (plain, ours)
        cost = {id(player): timed(player, times) for player in order}
        ratios.append(cost[id(ours)] / cost[id(plain)])
        rates.append(recipe.batch / cost[id(ours)])
    middle = statistics.median(ratios)
    print(
        f"| {name} | {statistics.median(rates):.1f} | **{middle:.2f}** | "
        f"{min(ratios):.2f} to {max(ratios):.2f} |",
        flush=True,
    )


def scale(name: str, epochs: int, runs: Path, batch: int) -> None:
    """Images/s with 1 process, with 2 processes of 1 thread, and with 1 process of 2 threads."""
    tail = ["-m", "bascule", "--runs", str(runs), "train", name, "--set", f"epochs={epochs}"]
    tail += ["data=Faces(n=1000)", "device=cpu", "keep_every_epochs=99", "sample_every_epochs=99"]
    tail += [f"batch={batch}"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    for told, start, threads in (
        ("1 process, 1 thread", [sys.executable], 1),
        ("2 processes, 1 thread each", torchrun, 1),
        ("1 process, 2 threads", [sys.executable], 2),
    ):
        log = runs / "log"
        runs.mkdir(parents=True, exist_ok=True)
        words = [*start, *tail, f"threads={threads}", "--name", told]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        with log.open("w") as errors:
            done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        assert done.returncode == 0, log.read_text()
        (rows,) = runs.glob(f"*{told.replace(', ', '-').replace(' ', '-')}*/scalars.jsonl")
        rates = [json.loads(line)["images_per_s"] for line in rows.read_text().splitlines()]
        print(f"| {name}, {told} | {statistics.median(rates[1:]):.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="*", default=list(PRESETS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="at least, a round of one side")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--batch", type=int, help="another than the preset's, for nets of a GPU")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--scale", action="store_true")
    args = parser.parse_args()
    print(", ".join(f"{k} {v}" for k, v in describe().items()))
    if args.scale:
        with tempfile.TemporaryDirectory() as folder:
            for name in args.preset if len(args.preset) < len(PRESETS) else ["dcgan64-light"]:
                scale(name, 4, Path(folder) / name, args.batch or PRESETS[name].batch)
        return
    print("| preset | images/s | of a plain loop's time | over rounds |\n|---|---|---|---|")
    for name in args.preset:
        recipe = PRESETS[name].replace(
            batch=args.batch or PRESETS[name].batch,
            threads=args.threads,
            device=args.device,
            precision=args.precision,
        )
        compare(name, resolve_auto(recipe), args.rounds, args.seconds)


if __name__ == "__main__":
    main()

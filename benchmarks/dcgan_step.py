"""bascule against the classic DCGAN loop: images/s end to end, from a folder of 200x200 PNGs.

    python benchmarks/dcgan_step.py                    both net pairs, fp32 and bf16
    python benchmarks/dcgan_step.py --nets classic --rounds 3

Both train the same networks with the same batch size on the same images, on all cores. They
alternate epoch by epoch, so that a drift of the machine's speed affects both. The ratio is the
median over rounds. The baseline decodes every image in every epoch (`classic_dcgan.py`). bascule
decodes once; this time is included in the ratio "with import", for a run of `--epochs` epochs.

The share of the roofline is the step's floating-point operations per second, divided by the best
rate of PyTorch's convolution of 64 -> 128 or 128 -> 256 channels (forward pass, same run).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from classic_dcgan import ClassicLoop, classic_nets, make_folder, w9_nets
from torch.utils.flop_counter import FlopCounterMode

from bascule.core.context import StepContext
from bascule.core.processes import cores
from bascule.data.imported import Imported, import_images
from bascule.gan.recipe import GANRecipe
from bascule.gan.step import gan_step
from bascule.interventions import Compose
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.presets import dcgan64, dcgan_w9
from bascule.training.hardware import describe, resolve_auto
from bascule.training.loop import train
from bascule.training.state import State, begin

RIVALS = {"classic": classic_nets, "w9": w9_nets}
OURS = {
    "classic": dcgan64.replace(model=DCGAN(), augment=()),
    "w9": dcgan_w9.replace(model=DCGANW9(), augment=()),
}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def roof(dtype: torch.dtype) -> float:
    """GFLOP/s of the faster of two typical convolutions: forward, channels_last, batch 64."""
    best = 0.0
    for into, out, side in ((64, 128, 32), (128, 256, 16)):
        conv = torch.nn.Conv2d(into, out, 4, 2, 1, bias=False)
        conv = conv.to(dtype, memory_format=torch.channels_last)
        x = torch.randn(64, into, side, side).to(dtype, memory_format=torch.channels_last)
        flop = 2 * 64 * out * into * 16 * (side // 2) ** 2
        with torch.inference_mode():
            conv(x)
            seconds = min(timed(lambda c=conv, x=x: [c(x) for _ in range(10)]) for _ in range(7))
        best = max(best, 10 * flop / seconds / 1e9)
    return best


def flop_per_image(recipe: GANRecipe) -> float:
    """Floating-point operations of one step of bascule per image."""
    state = begin(recipe)
    real = torch.zeros(8, 3, recipe.model.size, recipe.model.size)
    with FlopCounterMode(display=False) as counter:
        gan_step(state.trainer.game, real, StepContext(0, 0, 0), Compose(()))
    return counter.get_total_flops() / 8


class Ours:
    """bascule's loop, one epoch at a time."""

    def __init__(self, recipe: GANRecipe, images: torch.Tensor) -> None:
        self.recipe, self.images = resolve_auto(recipe.replace(epochs=10_000)), images
        self.state: State = begin(self.recipe)

    def epoch(self) -> int:
        train(self.state, self.images, until_epoch=self.state.epoch + 1)
        return len(self.images) // self.recipe.batch * self.recipe.batch


def race(name: str, n: int, rounds: int, epochs: int) -> None:
    """Print the speeds for one pair of networks."""
    with tempfile.TemporaryDirectory() as made:
        os.environ["BASCULE_DATA"] = str(Path(made) / "cache")
        folder = make_folder(Path(made) / "pictures", n)
        decode = timed(lambda: import_images(folder, "race"))
        pixels = torch.from_numpy(Imported("race").load().pixels.copy())
        recipe = OURS[name].replace(data=Imported("race"))
        rival = ClassicLoop(folder, RIVALS[name](), batch=recipe.batch)
        ours = {p: Ours(recipe.replace(precision=p), pixels) for p in ("fp32", "bf16")}
        batches = n // recipe.batch

        def rival_epoch() -> None:
            for _ in rival.train(batches):
                pass
            rival.close()

        speeds: dict[str, list[float]] = {"rival": [], "fp32": [], "bf16": []}
        for round_ in range(rounds + 1):  # the first one is a warm-up
            measured = {"rival": batches * recipe.batch / timed(rival_epoch)}
            for precision, mine in ours.items():
                measured[precision] = batches * recipe.batch / timed(mine.epoch)
            if round_:
                for who, speed in measured.items():
                    speeds[who].append(speed)
                print(
                    f"  round {round_}: " + ", ".join(f"{w} {s:.1f}" for w, s in measured.items())
                )
    flop = flop_per_image(ours["fp32"].recipe)
    print(f"{name}: {n} pictures decoded once in {decode:.1f} s ({n / decode:.0f} pictures/s)")
    print(f"  rival     {statistics.median(speeds['rival']):7.1f} images/s")
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        mine, theirs = speeds[precision], speeds["rival"]
        ratio = statistics.median(m / t for m, t in zip(mine, theirs, strict=True))
        speed = statistics.median(mine)
        per_epoch = n / speed + decode / epochs
        whole = ratio * (n / speed) / per_epoch
        share = speed * flop / 1e9 / (best := roof(dtype))
        print(
            f"  bascule {precision} {speed:5.1f} images/s: {ratio:.2f} times the rival "
            f"({whole:.2f} with import, {epochs} epochs); {speed * flop / 1e9:.0f} of "
            f"{best:.0f} GFLOP/s, {share:.0%} of the roofline"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nets", choices=list(OURS), action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, help="default: 1024 for classic, 384 for w9")
    parser.add_argument("--epochs", type=int, default=100, help="length of the run 'with import'")
    asked = parser.parse_args()
    torch.set_num_threads(cores())
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    for name in asked.nets or list(OURS):
        race(name, asked.images or (1024 if name == "classic" else 384), asked.rounds, asked.epochs)


if __name__ == "__main__":
    main()

"""What the memory layout of images and weights costs a step: contiguous over channels_last.

    python benchmarks/layouts.py                          five presets, fp32 and bf16
    python benchmarks/layouts.py dcgan64-tuned --batch 16

Both layouts take steps of the same recipe by turns, with one thread. The ratio is that of their
least processor seconds of all rounds, which other work on the machine disturbs least; beside it
stands the median of the ratios of rounds. Above 1, channels_last is faster. A round is two steps of
each; lazy penalties are not due in them.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from bascule.presets import FLOW_PRESETS, PRESETS
from bascule.training.hardware import describe, fast_bf16
from bascule.training.state import begin
from bascule.training.trainer import Batch

ASKED = ("dcgan64-tuned", "r3gan64-light", "stylegan2-64", "fastgan64", "flow64")
STEPS = 2  # in a round


def seconds(trainer, images: torch.Tensor) -> float:
    began = time.process_time()
    for step in range(1, 1 + STEPS):  # lazy penalties are due in step 0
        trainer.step(Batch(images, torch.arange(len(images)), 0, step))
    return time.process_time() - began


def compared(name: str, precision: str, batch: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds of each round, contiguous and channels_last."""
    recipe = (PRESETS | FLOW_PRESETS)[name]
    recipe = recipe.replace(device="cpu", threads=1, precision=precision, batch=batch)
    images = torch.randint(0, 256, (batch, 3, recipe.data.size, recipe.data.size)).byte()
    plain, last = (begin(recipe.replace(channels_last=layout)).trainer for layout in (False, True))
    seconds(plain, images), seconds(last, images)  # a warm-up
    return [(seconds(plain, images), seconds(last, images)) for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=ASKED)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    for name in options.presets:
        for precision in ("fp32", *(["bf16"] if fast_bf16("cpu") else [])):
            found = compared(name, precision, options.batch, options.rounds)
            plain, last = (min(of) for of in zip(*found, strict=True))
            median = statistics.median(a / b for a, b in found)
            speed = STEPS * options.batch / last
            print(
                f"| {name} | {precision} | {speed:.1f} | {plain / last:.2f} | {median:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

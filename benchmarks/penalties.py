"""What a penalty costs: a step of D and G with R1 and R2, exactly and by finite differences.

    python benchmarks/penalties.py [dcgan64-tuned r3gan64-light] [--rounds 5]

Steps of the same recipe without penalties, with gradient penalties (a double backward pass) and
with finite differences, in turn, on one thread, in fp32. CPU time of the process, so that other
processes count little; the median over rounds, divided by that without penalties.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from bascule.gan.penalties import R1, R2, FiniteR1, FiniteR2, Penalty
from bascule.gan.recipe import GANRecipe
from bascule.presets import PRESETS
from bascule.training.hardware import describe
from bascule.training.state import begin
from bascule.training.trainer import Batch, Trainer

RULES: dict[str, tuple[Penalty, ...]] = {
    "none": (),
    "R1": (R1(1.0),),
    "FiniteR1, a quarter of the batch": (FiniteR1(1.0),),
    "FiniteR1, the whole batch": (FiniteR1(1.0, share=1.0),),
    "R1 and R2": (R1(1.0), R2(1.0)),
    "FiniteR1 and FiniteR2, a quarter of the batch": (FiniteR1(1.0), FiniteR2(1.0)),
}


def seconds(trainer: Trainer[GANRecipe], images: torch.Tensor, step: int) -> float:
    """CPU time of a step."""
    began = time.process_time()
    trainer.step(Batch(images, torch.arange(trainer.recipe.batch), 0, step))
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="*", default=["dcgan64-tuned", "r3gan64-light"])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(describe()["processor"], torch.__version__)
    for name in args.preset:
        recipe = PRESETS[name].replace(precision="fp32", threads=1, device="cpu")
        size = recipe.model.size
        images = torch.randint(0, 256, (recipe.batch, 3, size, size), dtype=torch.uint8)
        arms = {arm: begin(recipe.replace(penalties=p)).trainer for arm, p in RULES.items()}
        found: dict[str, list[float]] = {arm: [] for arm in arms}
        for step in range(args.rounds + 1):
            for arm, trainer in arms.items():
                took = seconds(trainer, images, step)
                if step:  # the first is a warm-up
                    found[arm].append(took)
        print(f"\n{name}, batch {recipe.batch}")
        for arm, times in found.items():
            over = [t / plain for t, plain in zip(times, found["none"], strict=True)]
            told = f"{1000 * statistics.median(times):7.0f} ms  {statistics.median(over):.2f}"
            print(f"{told} ({min(over):.2f} to {max(over):.2f})  {arm}")


if __name__ == "__main__":
    main()

"""How many runs at once train the most images per second together, and with how many threads each.

    python benchmarks/at_once.py                            1, 2 and 4 runs on this machine's cores
    python benchmarks/at_once.py --runs 1 2 4 8 --device cuda
    python benchmarks/at_once.py r3gan64-light --seconds 30

Every run is a process of its own with a seed of its own, as an experiment starts them. All begin
to count when the last one has taken its first steps, and stop counting together. Rows are in the
order in which they were measured: a row again at the end shows how steady the machine is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time

import torch

from bascule.core.processes import cores
from bascule.presets import PRESETS
from bascule.training.hardware import describe, resolve_auto
from bascule.training.state import begin
from bascule.training.trainer import Batch

WARM_UP = 3  # steps


def play(name: str, seed: int, threads: int, device: str, seconds: float, ready, results) -> None:
    torch.set_num_threads(threads)
    recipe = resolve_auto(PRESETS[name].replace(seed=seed, threads=threads, device=device))
    trainer = begin(recipe).trainer
    images = torch.randint(0, 256, (256, 3, recipe.model.size, recipe.model.size)).byte()
    images, step = images.to(device), 0

    def take() -> None:
        nonlocal step
        indices = torch.arange(step * recipe.batch, (step + 1) * recipe.batch) % len(images)
        trainer.step(Batch(images, indices, 0, step))
        step += 1

    for _ in range(WARM_UP):
        take()
    ready.wait()
    until, before = time.perf_counter() + seconds, step
    while time.perf_counter() < until:
        take()
        if device != "cpu":
            torch.cuda.synchronize()
    results.put((step - before) * recipe.batch)


def together(name: str, runs: int, threads: int, device: str, seconds: float) -> float:
    """Images per second of all ``runs`` together."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(runs), context.Queue()
    fixed = (threads, device, seconds, ready, results)
    workers = [context.Process(target=play, args=(name, seed, *fixed)) for seed in range(runs)]
    for worker in workers:
        worker.start()
    found = sum(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    return found / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=["dcgan64-tiny", "dcgan64-tuned"])
    parser.add_argument("--runs", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    for name in options.presets:
        asked = [(runs, max(1, cores() // runs)) for runs in options.runs]
        for runs, threads in (*asked, asked[0]):
            found = together(name, runs, threads, options.device, options.seconds)
            print(f"| {name} | {runs} | {threads} | {found:.0f} |", flush=True)


if __name__ == "__main__":
    main()

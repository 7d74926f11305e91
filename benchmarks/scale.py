"""What many images cost: import, opening, steps and a short evaluation, from 1,000 images up.

    python benchmarks/scale.py                               1,000 and 10,000 images at 64 px
    python benchmarks/scale.py 1000 10000 100000 --only import open
    python benchmarks/scale.py --size 128 --spectrum flat
    python benchmarks/scale.py 1000000 --noise --only steps batches   without an import

Every number of images gets a folder of JPEGs of its own, 1.5 times as large as the set's images. Of
every 100 pictures one is an exact copy of another, and one is a slightly brighter copy; the import
must find all of these. Everything is measured in a process of its own with one thread:

- *import*: ``bascule data import``, with start-up and the search for near duplicates
- *twins*: that search alone
- *open*: ``Imported(name).load()``, which compares the pixels with their digest
- *steps*: 100 steps of dcgan64-tiny from the whole set, as a run reads it
- *batches*: an epoch of its batches as floats, without a network
- *look*: a short evaluation of 500 fakes, with pixels as features
- *again*: the same once more, when what it computed of the reals alone is kept

*CPU s* is processor time, which other work on the machine changes little. *Own MB* is the most
memory that a process had for itself, with its libraries, asked every 20 ms. Pages of mapped files
are not counted, because the system takes them back when it needs them. *Slope* is the exponent
between two numbers of images, 1 for linear growth. *KB a further image* is what own MB grew by.
With ``--noise`` the set is a file of random numbers as an import writes it; a look at a million
would take hours, so name the tasks.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from bascule.data.batches import as_float, epoch_order
from bascule.data.cache import about
from bascule.data.images import ImageSet
from bascule.data.imported import Imported
from bascule.data.near_duplicates import near_duplicate_groups
from bascule.data.places import place
from bascule.evaluation.evaluate import look
from bascule.features.pixels import Pixels
from bascule.presets import dcgan64_tiny
from bascule.training.hardware import resolve_auto
from bascule.training.state import begin
from bascule.training.trainer import Batch

TASKS = ("import", "twins", "open", "steps", "batches", "look", "again")
OF_NOISE = ("steps", "batches", "look", "again")
STEPS = 100
FAKES = 500
COPIES = 100  # one picture in so many is an exact copy, and one a brighter copy
SPECTRA = {  # standard deviations of the colours of squares, by the number of squares a side
    "photograph": {1: 0.2, 2: 0.14, 4: 0.1, 8: 0.07, 16: 0.05},
    "flat": {8: 0.29},  # nothing in common, and nothing that few numbers would tell
}


class Cost(NamedTuple):
    cpu_s: float
    wall_s: float
    own_mb: float


def picture(index: int, side: int, spectrum: dict[int, float]) -> Image.Image:
    """A smooth picture that is like no other."""
    rng = np.random.default_rng(index)
    whole = np.full((16, 16, 3), 0.5)
    for squares, spread in spectrum.items():
        grey = rng.normal(0, spread, (squares, squares, 1))
        colours = grey + rng.normal(0, spread / 2, (squares, squares, 3))
        whole += colours.repeat(16 // squares, 0).repeat(16 // squares, 1)
    small = Image.fromarray((whole.clip(0, 1) * 255).astype(np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


def make(folder: Path, n: int, size: int, spectrum: dict[int, float]) -> int:
    """Fill ``folder`` with ``n`` JPEGs; returns how many of them are copies of another."""
    folder.mkdir()
    copies = 0
    for k in range(n):
        path = folder / f"{k:07d}.jpg"
        if k % COPIES == COPIES - 1:  # of the picture before
            shutil.copy(folder / f"{k - 1:07d}.jpg", path)
            copies += 1
        elif k % COPIES == COPIES // 2:
            near = picture(k - 1, size * 3 // 2, spectrum).point(lambda v: min(v + 6, 255))
            near.save(path, quality=95)
            copies += 1
        else:
            picture(k, size * 3 // 2, spectrum).save(path, quality=95)
    return copies


def own_mb(pid: int | str) -> float:
    """The memory that a process has for itself."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    found = (line.split()[1] for line in lines if line.startswith("RssAnon"))
    return int(next(found, "0")) / 1024


def measured(command: list[str], env: dict[str, str]) -> tuple[str, Cost]:
    """What a process prints, and what it costs."""
    began, highest, over = time.perf_counter(), [0.0], threading.Event()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)

    def watch() -> None:
        while not over.wait(0.02):
            highest[0] = max(highest[0], own_mb(process.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    assert process.stdout
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    over.set()
    watching.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{printed}")
    cpu, wall = used.ru_utime + used.ru_stime, time.perf_counter() - began
    return printed, Cost(cpu, wall, highest[0])


def noise(path: Path, n: int, size: int) -> None:
    """Write ``n`` images of random numbers to an array file."""
    rng = np.random.default_rng(0)
    whole = np.lib.format.open_memmap(path, "w+", np.uint8, (n, 3, size, size))
    for start in range(0, n, 4096):
        part = whole[start : start + 4096]
        part[:] = rng.integers(0, 256, part.shape, np.uint8)


def do(task: str, name: str, size: int) -> tuple[float, float]:
    """CPU and wall seconds of a task in this process, without start-up."""
    torch.set_num_threads(1)
    source = Imported(name, size)
    images = None
    if name.endswith(".npy"):
        pixels = np.load(name, mmap_mode="r")
        images = ImageSet(
            name, pixels, np.arange(len(pixels)) % 10 == 0, {}, f"{len(pixels):016}", ""
        )
    elif task != "open":
        images = source.load()
    recipe = dcgan64_tiny.replace(data=source, device="cpu", threads=1)
    recipe = resolve_auto(recipe.replace(model=replace(recipe.model, size=size)))
    trainer = begin(recipe).trainer if task == "steps" else None
    fakes = np.random.default_rng(0).integers(0, 256, (1, 3, size, size), dtype=np.uint8)
    cpu, wall = time.process_time(), time.perf_counter()
    if task == "open":
        source.load()
    elif task == "twins":
        assert images
        near_duplicate_groups(images.pixels)
    elif task in ("look", "again"):
        assert images
        look(fakes ^ images.pixels[:FAKES], images, Pixels())
    else:
        assert images
        reals = images.subset("train")
        order = epoch_order(len(reals), recipe.batch, 0, 0)
        for step in range(STEPS) if trainer else range(len(order)):
            batch = Batch(reals, order[step % len(order)], step // len(order), step)
            if trainer:
                trainer.step(batch)
            else:
                as_float(batch.pixels(reals.device))
    return time.process_time() - cpu, time.perf_counter() - wall


def costs_of_noise(n: int, size: int, only: list[str], beside: Path) -> dict[str, Cost]:
    """Costs by task of ``n`` images in an array file, which is deleted again."""
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        path, found = Path(folder) / "images.npy", {}
        noise(path, n, size)
        env = os.environ | {"BASCULE_DATA": f"{folder}/data", "OMP_NUM_THREADS": "1"}
        for task in only:
            command = [sys.executable, __file__, "--task", task, str(path), f"--size={size}"]
            printed, cost = measured(command, env)
            cpu, wall = json.loads(printed)
            found[task] = cost._replace(cpu_s=cpu, wall_s=wall)
        return found


def costs(n: int, size: int, spectrum: str, only: list[str], beside: Path) -> dict[str, Cost]:
    """Costs by task of ``n`` images in a folder of their own, which is deleted again."""
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        data, name, found = Path(folder) / "data", f"scale-{n}", {}
        copies = make(Path(folder) / "pictures", n, size, SPECTRA[spectrum])
        env = os.environ | {"BASCULE_DATA": str(data), "OMP_NUM_THREADS": "1"}
        python, at = [sys.executable], f"--size={size}"
        command = [*python, "-m", "bascule", "data", "import", f"{folder}/pictures"]
        _, found["import"] = measured([*command, "--name", name, at], env)
        os.environ["BASCULE_DATA"] = str(data)
        twins = sum(len(group) - 1 for group in about(place(name, size))["near_duplicates"])
        print(f"{n:,} images: {copies} copies made, {twins} near duplicates found", flush=True)
        for task in only:
            if task != "import":
                printed, cost = measured([*python, __file__, "--task", task, name, at], env)
                cpu, wall = json.loads(printed)
                found[task] = cost._replace(cpu_s=cpu, wall_s=wall)
            print(f"  {task}: {found[task]}", file=sys.stderr, flush=True)
        return {task: found[task] for task in only}


def table(found: dict[int, dict[str, Cost]]) -> str:
    """Costs by number of images and task, as Markdown, with slopes."""
    lines = [
        "| task | images | CPU s | ms an image | slope | wall s | own MB | KB a further image |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in next(iter(found.values())):
        before: tuple[int, Cost] | None = None
        for n, by_task in found.items():
            cost, slope, further = by_task[task], "", ""
            if before:
                fewer, less = before
                slope = f"{math.log(cost.cpu_s / less.cpu_s) / math.log(n / fewer):.2f}"
                further = f"{1024 * (cost.own_mb - less.own_mb) / (n - fewer):.2f}"
            each = 1000 * cost.cpu_s / (STEPS * dcgan64_tiny.batch if task == "steps" else n)
            lines.append(
                f"| {task} | {n:,} | {cost.cpu_s:.2f} | {each:.3f} | {slope} | {cost.wall_s:.1f} "
                f"| {cost.own_mb:.0f} | {further} |"
            )
            before = n, cost
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="*", type=int, default=[1000, 10_000])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--spectrum", choices=SPECTRA, default="photograph")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--noise", action="store_true", help="sets of random numbers, not imported")
    parser.add_argument("--beside", type=Path, help="make the folders here; else in the system's")
    parser.add_argument("--task", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(do(*options.task, options.size)))
        return
    found = {}
    for n in sorted(options.images):
        if options.noise:
            only = [task for task in options.only if task in OF_NOISE]
            found[n] = costs_of_noise(n, options.size, only, options.beside)
        else:
            found[n] = costs(n, options.size, options.spectrum, options.only, options.beside)
    print(table(found))


if __name__ == "__main__":
    main()

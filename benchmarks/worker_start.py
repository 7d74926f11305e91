"""The time from the start of a worker to its first step, for two source trees.

    git worktree add /tmp/before HEAD~1
    python benchmarks/worker_start.py /tmp/before/src src -n 7

A run with one step per epoch is created in each tree, and a worker trains it from the start,
several times. The clock stops when its first row is on disk. The trees alternate, so that both have
the same load of the machine. ``import torch`` alone is timed in between. The output has medians of
wall time and of CPU time, and ratios with and without that import.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

RECIPE = ("data=Faces(n=8,size=32,held_out=0.25)", "model.size=32", "batch=6", "device=cpu")
RUN = (*RECIPE, "threads=1", "epochs=2")
LONGEST_S = 600


def environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}


def make_run(tree: Path, runs: Path) -> Path:
    """Create a run with the command line of ``tree``; returns its folder."""
    words = ["--runs", str(runs), "train", "dcgan64-tiny", "--set", *RUN]
    command = [sys.executable, "-m", "bascule", *words]
    subprocess.run(command, env=environment(tree), check=True, capture_output=True)
    return next(path.parent for path in runs.glob("*/recipe.json"))


def begin_again(run: Path) -> None:
    """Delete the results of training."""
    for name in ("status.json", "scalars.jsonl", "diagnostics.jsonl"):
        (run / name).unlink(missing_ok=True)
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()


def command_of(tree: Path, run: Path) -> list[str]:
    """The command that starts a worker of ``tree``; older trees use a subcommand of bascule."""
    if not (tree / "bascule" / "worker.py").exists():
        return [*("-m", "bascule", "--runs", str(run.parent), "resume", str(run)), "--worker"]
    job = run / "train.json"
    told = {"is": "TrainRun", "run": str(run), "runs": str(run.parent), "branches": []}
    job.write_text(json.dumps(told))
    return ["-m", "bascule.worker", str(job)]


class Seconds(NamedTuple):
    """``clock``: wall time. ``cpu``: CPU time of the process, which other load affects less."""

    clock: float
    cpu: float


def seconds_to_first_row(tree: Path, run: Path) -> Seconds:
    begin_again(run)
    command = [sys.executable, *command_of(tree, run)]
    began = time.perf_counter()
    worker = subprocess.Popen(command, env=environment(tree), stdout=subprocess.DEVNULL)
    while not (run / "scalars.jsonl").exists():
        if worker.poll() is not None or time.perf_counter() - began > LONGEST_S:
            raise SystemExit(f"the worker of {tree} wrote no row")
        time.sleep(0.002)
    return ended(worker, began)


def seconds_of(script: str) -> Seconds:
    began = time.perf_counter()
    return ended(subprocess.Popen([sys.executable, "-c", script]), began, kill=False)


def ended(process: subprocess.Popen[bytes], began: float, kill: bool = True) -> Seconds:
    """The time of a process, which is killed now or waited for."""
    clock = time.perf_counter() - began
    if kill:
        process.kill()
    used = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return Seconds(clock if kill else time.perf_counter() - began, used.ru_utime + used.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", type=Path, help="the folder above the package bascule")
    parser.add_argument("after", type=Path)
    parser.add_argument("-n", type=int, default=7, help="turns (default: 7)")
    args = parser.parse_args()
    trees = (args.before.resolve(), args.after.resolve())
    took: dict[str, list[Seconds]] = {"torch": [], "before": [], "after": []}
    with tempfile.TemporaryDirectory() as place:
        runs = [make_run(tree, Path(place, str(i))) for i, tree in enumerate(trees)]
        for tree, run in zip(trees, runs, strict=True):
            seconds_to_first_row(tree, run)  # byte code and file caches
        for _ in range(args.n):
            took["torch"].append(seconds_of("import torch"))
            for name, tree, run in zip(("before", "after"), trees, runs, strict=True):
                took[name].append(seconds_to_first_row(tree, run))
    print("|  | import torch | before | after | after / before | without torch |")
    print("|---|---|---|---|---|---|")
    for kind in Seconds._fields:
        torch, before, after = (
            median(getattr(each, kind) for each in took[name])
            for name in ("torch", "before", "after")
        )
        print(
            f"| {kind} | {torch:.2f} s | {before:.2f} s | {after:.2f} s | {after / before:.2f} "
            f"| {(after - torch) / (before - torch):.2f} |"
        )


if __name__ == "__main__":
    main()

"""Twenty steps of every preset, to test that a change of the program keeps every bit.

    python benchmarks/golden.py write before.json           at the commit to compare with
    python benchmarks/golden.py check before.json           after the change, on the same machine
    python benchmarks/golden.py check before.json dcgan64   some presets

Every preset is trained through the command line, on few images and small batches, with one thread.
The file has the scalars of every epoch and a hash of all tensors of the last checkpoint. Kernels of
different processors differ in the last bits, so the file is valid only on the machine that wrote
it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from bascule import presets

FACES = "Faces(n=50, held_out=0.2, size={size})"
TEN = "Faces(n=12, held_out=0.2, size={size}, style={style})"
CLOCK = ("seconds", "images_per_s")
COMMON = ["device=cpu", "threads=1"]
GAN = ["batch=4", "epochs=2"]


def commands() -> dict[str, list[str]]:
    """preset -> the command line that trains it for about 20 steps."""
    found = {}
    for name, recipe in (presets.PRESETS | presets.AAE_PRESETS).items():
        found[name] = ["train", name, "--data", FACES.format(size=recipe.data.size), "--set", *GAN]
    for name, recipe in presets.TRANSLATION_PRESETS.items():
        sets = (TEN.format(size=recipe.data.size, style=s) for s in ("adventurer", "micah"))
        data = f"TwoSets({', '.join(sets)})"
        if name == "pix2pix-light":
            data = "CartoonPair(n=12, paired=True)"
        found[name] = ["train", name, "--data", data, "--set", "epochs=1"]
    for name in presets.HYBRID_PRESETS:
        some = ["coding.epochs=1", "epochs=3", "batch=4"]
        found[name] = ["train", name, "--data", FACES.format(size=64), "--set", *some]
    for name in presets.SDPC_PRESETS:
        words = ["sdpc", "fit", FACES.format(size=64), "--preset", name, "--set", *GAN]
        found[name] = words
    return {name: [*words, *COMMON] for name, words in found.items()}


def traced(name: str, words: list[str]) -> dict[str, Any]:
    """The scalars of every epoch and the hash of the last checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bascule", "--runs", folder, *words]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        (run,) = (path for path in Path(folder).iterdir() if (path / "recipe.json").exists())
        rows = [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]
        saved = torch.load(run / "checkpoints" / "last.pt", weights_only=True)
    told = [{k: v for k, v in row.items() if not k.startswith(CLOCK)} for row in rows]
    return {"rows": told, "weights": hashed(saved["game"])}


def hashed(saved: Any) -> str:
    """A hash of all tensors and numbers in nested dictionaries and lists."""
    found = hashlib.blake2b(digest_size=8)

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            found.update(part.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        elif isinstance(part, dict):
            for key in sorted(part, key=str):
                found.update(str(key).encode())
                add(part[key])
        elif isinstance(part, list | tuple):
            for value in part:
                add(value)
        else:
            found.update(repr(part).encode())

    add(saved)
    return found.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("do", choices=("write", "check"))
    parser.add_argument("file", type=Path)
    parser.add_argument("presets", nargs="*")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    wanted = {n: w for n, w in commands().items() if not args.presets or n in args.presets}
    before = json.loads(args.file.read_text()) if args.do == "check" else {}
    found, changed = {}, []
    with ThreadPoolExecutor(args.jobs) as pool:
        for name, told in zip(wanted, pool.map(traced, wanted, wanted.values()), strict=True):
            found[name] = told
            if args.do == "write":
                print(f"{name}: {told['weights']}", flush=True)
                args.file.write_text(json.dumps(found, indent=1))
                continue
            same = all(told[part] == kept for part, kept in before[name].items())
            print(f"{name}: {'equal' if same else 'CHANGED'}", flush=True)
            changed += [] if same else [name]
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())

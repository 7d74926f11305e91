"""Whether a recipe trains faster in bfloat16 on this machine: a short trial, done once.

That a processor multiplies bfloat16 in hardware does not say that it is faster: it depends on the
layers. Grouped convolutions in channels_last, for example, are slower in bfloat16 on CPUs since
PyTorch 2.13.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

import torch

from bascule.core import atomic
from bascule.core.context import address
from bascule.core.reading import read_json
from bascule.core.shapes import shape_of
from bascule.core.trust import state_folder
from bascule.training.recipe import Recipe
from bascule.training.state import begin
from bascule.training.trainer import Batch, Trainer

IMAGES = 4  # in a step of the trial
SECONDS = 1.0  # after which no further round of steps begins
STEP = 1  # its number: lazy penalties are not due in it
FILE = "bf16.json"


@dataclass(frozen=True)
class Trial:
    """Seconds of the fastest step in each precision; infinite if bfloat16 does not work."""

    fp32: float
    bf16: float

    @property
    def is_faster(self) -> bool:
        return self.bf16 < self.fp32


def bf16_is_faster(recipe: Recipe, machine: str) -> bool:
    """Whether steps of ``recipe`` are faster in bfloat16 here.

    ``recipe`` has its device and threads. The answer is kept in the state folder for ``machine``
    and the kind of networks, so that equal recipes get equal answers. The first time that it is no,
    one line on standard error says so.
    """
    path, tried = state_folder() / FILE, recipe.for_trial()
    key = _key(tried, machine)
    kept = _read(path)
    if isinstance(kept.get(key), bool):
        return bool(kept[key])
    found = measured(tried)
    with suppress(OSError):  # then it is measured again the next time
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, json.dumps({**_read(path), key: found.is_faster}, indent=1))
    if not found.is_faster:
        why = f"takes {found.bf16 / found.fp32:.1f} times as long as fp32"
        why = why if found.bf16 < inf else "does not work"
        name = type(tried.model).__name__
        print(
            f"bascule: precision=auto becomes fp32, since bf16 {why} for {name} on this machine "
            f"(measured once; kept in {path})",
            file=sys.stderr,
        )
    return found.is_faster


def measured(recipe: Recipe) -> Trial:
    """Time steps of ``recipe`` on a few random images, in fp32 and in bf16 by turns.

    A round of two steps begins as long as less than :data:`SECONDS` are over. The first round is a
    warm-up, unless there is no other.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads or threads)
    began, best = time.perf_counter(), {"fp32": inf, "bf16": inf}
    try:
        with torch.random.fork_rng(devices=[]):
            play = recipe.replace(batch=min(recipe.batch, IMAGES))
            players = {name: begin(play.replace(precision=name)).trainer for name in best}
            batch = _batch(play)
            while True:
                best["fp32"] = min(best["fp32"], _seconds(players["fp32"], batch))
                try:
                    best["bf16"] = min(best["bf16"], _seconds(players["bf16"], batch))
                except RuntimeError:  # no such operation in bf16
                    break
                if time.perf_counter() - began > SECONDS:
                    break
    finally:
        torch.set_num_threads(threads)
    return Trial(**best)


def _seconds(trainer: Trainer[Any], batch: Batch) -> float:
    def now() -> float:
        if trainer.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    began = now()
    trainer.step(batch)
    return now() - began


def _batch(recipe: Recipe) -> Batch:
    """A step's input of random images; of two sets by turns, if the recipe trains on two."""
    rng = torch.Generator().manual_seed(address("trial"))
    n = recipe.batch * recipe.image_sets
    images = torch.randint(0, 256, (n, *shape_of(recipe.data)), dtype=torch.uint8, generator=rng)
    images = images.to(torch.device(recipe.device))
    labels = torch.arange(n) % recipe.image_sets
    return Batch(images, torch.arange(recipe.batch), 0, STEP, labels=labels)


def _key(recipe: Recipe, machine: str) -> str:
    """What the answer depends on, as a number: machine, networks and what is computed of them."""
    told = [repr(getattr(recipe, name, "")) for name in ("penalties", "channels_last", "threads")]
    kind = (type(recipe).__name__, repr(recipe.model), recipe.data.size, recipe.device, *told)
    return f"{address(torch.__version__, machine, *kind):016x}"


def _read(path: Any) -> dict[str, Any]:
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

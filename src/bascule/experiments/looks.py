"""The history of looks at an experiment's results.

Who looks at three seeds, then at five, then at eight, and stops when a verdict comes out, has three
chances of a false one. So every look has a narrower error than the one before
(:func:`bascule.experiments.inference.level_of`), and the runs folder remembers which sets of seeds
were judged, in ``looks/KEY.json``. The same set again is the same look. Packs carry the file.

The key is made of the arms alone: other predictions about the same runs are no fresh start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bascule.core import atomic
from bascule.core.errors import unreadable
from bascule.core.reading import read_json
from bascule.experiments.experiment import Experiment
from bascule.experiments.factors import with_seed
from bascule.runs import codec
from bascule.runs.pack import LOOKS


def looks_file(root: Path, experiment: Experiment, data_digests: Mapping[object, str]) -> Path:
    """The file in the runs folder ``root`` that holds the looks at an experiment."""
    arms = sorted(
        (codec.digest(with_seed(recipe, 0, experiment.vary)), data_digests.get(recipe.data, ""))
        for recipe in experiment.arms.values()
    )
    key = hashlib.sha256(json.dumps(arms).encode()).hexdigest()[:16]
    return root / LOOKS / f"{key}.json"


def looks_in(file: Path) -> list[list[int]]:
    """The sets of seeds that were judged, in order; empty if there is no such file."""
    return [look["seeds"] for look in _read(file)]


def look_at(file: Path, seeds: Sequence[int]) -> int:
    """Which look a look at these seeds is, from 1."""
    known, now = looks_in(file), sorted(seeds)
    return known.index(now) + 1 if now in known else len(known) + 1


def keep_look(file: Path, experiment: Experiment, seeds: Sequence[int]) -> None:
    """Remember that these seeds were judged, all of their runs being complete."""
    told = _read(file)
    if sorted(seeds) in [look["seeds"] for look in told]:
        return
    date = datetime.now(UTC).isoformat(timespec="seconds")
    told.append({"experiment": experiment.name, "seeds": sorted(seeds), "date": date})
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, json.dumps({"looks": told}, indent=1))


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    try:
        looks = [look | {"seeds": sorted(look["seeds"])} for look in read_json(file)["looks"]]
        if not all(type(seed) is int for look in looks for seed in look["seeds"]):
            raise ValueError("a seed is no whole number")
        return looks
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "expected JSON as bascule wrote it; put the file back"
        raise unreadable(f"the history of looks {file}", error, remedy) from None

"""Does noise in images count as diversity? Joint coverage of fakes, with three controls.

    python benchmarks/joint_coverage.py --seeds 1 2 3 4

For the runs of hybrids/verdict in the store: each generator of codes is compared with the DCGAN of
the same seed and number of faces. A classifier that knows only faces assigns some attributes even
to noise, so joint coverage (docs/measuring.md) could increase with noise. The controls: fakes out
of vocabulary are left out in both arms; the same number of fakes is kept in both arms; and white
noise is added to the DCGAN's fakes.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path

import numpy as np

from bascule.attributes.classifier import classifier
from bascule.attributes.reading import AttributeClassifier, Reading
from bascule.attributes.scores import joint_attributes
from bascule.core.context import address
from bascule.data.faces import Faces
from bascule.experiments.intervals import t_interval
from bascule.metrics.categories import joint_coverage
from bascule.runs.generate import generate
from bascule.runs.store import Store

FACES = ("", ", 500 faces", ", 200 faces")
NOISE = (5, 15)  # levels of 255
FAKES = 1000
REPEATS = 20  # of drawing equally many fakes from both arms


def joint(reading: Reading, rows: np.ndarray, train: Reading, over: tuple[str, ...]) -> float:
    """The share of training images whose attribute combination occurs in some fake of ``rows``."""
    fakes, reals = (np.stack([r.labels[name] for name in over], 1) for r in (reading, train))
    return joint_coverage(fakes[rows], reals).coverage


def noised(fakes: np.ndarray, sigma: float) -> np.ndarray:
    rng = np.random.default_rng(address("joint coverage", sigma))
    noise = sigma * rng.standard_normal(fakes.shape, np.float32)
    return np.rint(fakes + noise).clip(0, 255).astype(np.uint8)


@cache
def reader_of(data: Faces) -> tuple[AttributeClassifier, Reading]:
    """The attribute classifier for ``data``, and its reading of the training images."""
    images = data.load()
    reader = classifier(data.style, images.size)
    return reader, reader.read(images.pixels[images.indices("train")])


def told(store: Store, faces: str, seed: int) -> dict[str, float]:
    """Name -> number for one pair of runs."""
    runs = {
        arm: store.find(f"hybrids/verdict {arm}{faces} s{seed}") for arm in ("DCGAN", "sdpc-gan")
    }
    reader, train = reader_of(runs["DCGAN"].recipe.data)
    pictures = {arm: generate(run, FAKES).pictures for arm, run in runs.items()}
    readings = {arm: reader.read(fakes) for arm, fakes in pictures.items()}
    over = joint_attributes(train, FAKES)
    inside = {arm: np.flatnonzero(~r.out_of_vocabulary) for arm, r in readings.items()}
    n = min(map(len, inside.values()))
    rng = np.random.default_rng(address("joint coverage, as many", seed))
    found = {"in vocabulary, as many": float(n)}
    for arm, reading in readings.items():
        found[f"{arm}, all"] = joint(reading, np.arange(FAKES), train, over)
        again = [rng.choice(inside[arm], n, replace=False) for _ in range(REPEATS)]
        found[f"{arm}, in vocabulary"] = float(
            np.mean([joint(reading, rows, train, over) for rows in again])
        )
    for sigma in NOISE:
        dirty = reader.read(noised(pictures["DCGAN"], sigma))
        found[f"DCGAN, noise {sigma}"] = joint(dirty, np.arange(FAKES), train, over)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    store = Store(Path(os.environ.get("BASCULE_RUNS", "runs")))
    for faces in FACES:
        every = [told(store, faces, seed) for seed in seeds]
        print(f"\n{faces.removeprefix(', ') or '2000 faces'}, seeds {', '.join(map(str, seeds))}\n")
        print(f"| | mean | {' | '.join(f's{seed}' for seed in seeds)} |")
        print("|---" * (2 + len(seeds)) + "|")
        for name in every[0]:
            values = [one[name] for one in every]
            cells = " | ".join(f"{v:.3g}" for v in values)
            print(f"| {name} | {np.mean(values):.3g} | {cells} |")
        pairs = [
            *((f"sdpc-gan, {kind}", f"DCGAN, {kind}") for kind in ("all", "in vocabulary")),
            *((f"DCGAN, noise {sigma}", "DCGAN, all") for sigma in NOISE),
        ]
        for ours, theirs in pairs:
            apart = t_interval([one[ours] - one[theirs] for one in every])
            print(f"{ours} minus {theirs}: {apart.mean:+.3f} [{apart.low:+.3f}, {apart.high:+.3f}]")


if __name__ == "__main__":
    main()

"""The sensitivity of the feature extractors: at which damage do metrics react to worse images?

    python benchmarks/sensitivity.py            about 6 minutes on one free core
    python benchmarks/sensitivity.py --n 300    a quick test that writes no file

Cartoon faces are compared with others that are damaged in seven ways at four strengths, with equal
n. Strength 0 means undamaged images. There are three disjoint sets of them, whose differences show
the noise of a metric. Writes notes/sensitivity.md and keeps the hand-written section "Reading".
"""

from __future__ import annotations

import argparse
import datetime
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter1d
from scipy.stats import spearmanr

from bascule.core.context import address
from bascule.data.faces import Faces
from bascule.data.images import ImageSet
from bascule.features.extractors import extractor
from bascule.features.pyramid import descriptors, normalised
from bascule.metrics.frechet import frechet_distance
from bascule.metrics.manifold import manifold
from bascule.metrics.mmd import polynomial_mmd
from bascule.metrics.sliced import sliced_wasserstein
from bascule.metrics.vendi import vendi_score

NOTE = Path(__file__).parent.parent / "notes" / "sensitivity.md"
EXTRACTORS = ("efficientnet-lite0", "random-conv", "pixels")
READING = "## Reading"
COPIED = 10  # the number of copied images in the test of copies
PATCHES, DIRECTIONS = 16, 128


def rng(name: str) -> np.random.Generator:
    return np.random.default_rng(address("sensitivity", name))


def rounded(x: np.ndarray) -> np.ndarray:
    return np.rint(x).clip(0, 255).astype(np.uint8)


def blurred(x: np.ndarray, sigma: float) -> np.ndarray:
    smooth = gaussian_filter1d(x.astype(np.float32), sigma, axis=2, mode="nearest")
    return rounded(gaussian_filter1d(smooth, sigma, axis=3, mode="nearest"))


def noised(x: np.ndarray, sigma: float) -> np.ndarray:
    return rounded(x + sigma * rng("noise").standard_normal(x.shape, np.float32))


def compressed(x: np.ndarray, quality: int) -> np.ndarray:
    def one(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file)).transpose(2, 0, 1)

    return np.stack([one(image) for image in x])


def tinted(x: np.ndarray, levels: int) -> np.ndarray:
    return rounded(x + np.array([levels, 0.0, -levels])[:, None, None])


def copied(x: np.ndarray, percent: int) -> np.ndarray:
    """The images with the last ``percent`` replaced by copies of the first ten."""
    kept = len(x) - len(x) * percent // 100
    return np.concatenate([x[:kept], x[:COPIED][np.arange(len(x) - kept) % COPIED]])


@dataclass
class Sets:
    """Disjoint sets of n images of one style: the reals, three clean ones, and another style."""

    faces: ImageSet
    others: np.ndarray
    n: int

    def part(self, number: int) -> np.ndarray:
        return np.array(self.faces.pixels[number * self.n : (number + 1) * self.n])

    def dropped(self, x: np.ndarray, count: int) -> np.ndarray:
        """The images without the ``count`` most frequent kinds of hair, filled up with others."""
        hair = self.faces.labels["hairVariant"]
        kinds, frequency = np.unique(hair, return_counts=True)
        gone = kinds[np.argsort(-frequency, kind="stable")][:count]
        left = np.flatnonzero(~np.isin(hair, gone))
        left = left[left >= self.n][: self.n]  # not among the reals
        assert len(left) == self.n, "too few faces of the kinds that are left"
        return np.array(self.faces.pixels[left])

    def mixed(self, x: np.ndarray, percent: int) -> np.ndarray:
        kept = len(x) - len(x) * percent // 100
        return np.concatenate([x[:kept], self.others[: len(x) - kept]])


def ways(sets: Sets) -> dict[str, tuple[str, Callable, tuple[int | float, ...]]]:
    """Name -> (unit, damaging function, strengths from weak to strong)."""
    return {
        "blur": ("sigma, px", blurred, (0.5, 1, 2, 4)),
        "white noise": ("sigma, of 255", noised, (2, 5, 15, 45)),
        "JPEG": ("quality", compressed, (95, 75, 40, 10)),
        "colour shift": ("red +, blue -, of 255", tinted, (2, 5, 12, 30)),
        "copies of 10 images": ("%", copied, (10, 25, 50, 90)),
        "kinds of hair dropped": ("of 8", sets.dropped, (1, 2, 3, 5)),
        "another style mixed in": ("%", sets.mixed, (2, 10, 30, 100)),
    }


def statistics(real: np.ndarray, fake: np.ndarray, variety: float) -> dict[str, float]:
    """Name -> statistic. ``variety``: the Vendi score of the reals."""
    return {
        "KID x 1000": 1000 * polynomial_mmd(real, fake).value,
        "FD": frechet_distance(real, fake),
        "coverage": manifold(real, fake, k=5).coverage,
        "Vendi ratio": vendi_score(fake, real.mean(0)) / variety,
    }


class OfFeatures:
    """All statistics of one extractor, against the reals."""

    def __init__(self, name: str, real: np.ndarray) -> None:
        self.extract = extractor(name)
        self.name = self.extract.name
        self.real = self.extract(real).astype(np.float64)
        self.variety = vendi_score(self.real, self.real.mean(0))

    def __call__(self, fake: np.ndarray) -> dict[str, float]:
        return statistics(self.real, self.extract(fake).astype(np.float64), self.variety)


class OfPatches:
    """Sliced Wasserstein distances of pyramid patches, times 1000."""

    name = "laplacian, mean of levels"

    def __init__(self, real: np.ndarray) -> None:
        self.raw = descriptors(real, seed=0, patches=PATCHES)
        self.real = normalised(self.raw, self.raw)

    def __call__(self, fake: np.ndarray) -> dict[str, float]:
        given = normalised(descriptors(fake, seed=0, patches=PATCHES), self.raw)
        apart = {
            level: 1000 * sliced_wasserstein(x, given[level], rng("axes"), DIRECTIONS).w1
            for level, x in self.real.items()
        }
        return {"SWD x 1000": float(np.mean(list(apart.values())))}


FALLS = ("coverage", "Vendi ratio")
# Noise makes images differ more, so diversity should fall only if images are lost.
ONLY = {"Vendi ratio": ("copies of 10 images", "kinds of hair dropped")}


@dataclass
class Row:
    """One statistic of one extractor at increasing strengths of one kind of damage."""

    way: str
    strengths: tuple[float, ...]
    values: list[float]
    clean: list[float]
    sign: int

    @property
    def rho(self) -> float:
        """The rank correlation of strength and value, positive if the direction is right."""
        values = [np.mean(self.clean), *self.values]
        return self.sign * float(spearmanr(range(len(values)), values).statistic)

    @property
    def seen_from(self) -> str:
        """The weakest strength whose effect exceeds the noise, or "never"."""
        middle, width = np.mean(self.clean), np.ptp(self.clean)
        beyond = [self.sign * (v - middle) > 2 * width for v in self.values]
        return f"{self.strengths[beyond.index(True)]}" if any(beyond) else "never"

    @property
    def verdict(self) -> str:
        return f"{self.seen_from}" + ("" if self.rho > 0.999 else f" (rank {self.rho:+.2f})")


def number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def measure(sets: Sets) -> dict[str, list[Row]]:
    """Statistic with its extractor -> a row for each kind of damage that it should detect."""
    real, base = sets.part(0), sets.part(1)
    judges = [*(OfFeatures(name, real) for name in EXTRACTORS), OfPatches(real)]
    clean = [[judge(sets.part(i)) for i in (1, 2, 3)] for judge in judges]
    found: dict[str, list[Row]] = {}
    for way, (_, spoil, strengths) in ways(sets).items():
        began = time.perf_counter()
        spoiled = [spoil(base, strength) for strength in strengths]
        for judge, floor in zip(judges, clean, strict=True):
            measured = [judge(x) for x in spoiled]
            for name in floor[0]:
                if way in ONLY.get(name, (way,)):
                    values = [m[name] for m in measured]
                    sign = -1 if name in FALLS else 1
                    row = Row(way, strengths, values, [f[name] for f in floor], sign)
                    found.setdefault(f"{name} [{judge.name}]", []).append(row)
        print(f"{way}: {time.perf_counter() - began:.0f} s", flush=True)
    return found


def tables(sets: Sets) -> str:
    """A table of verdicts, then a table of all values."""
    found, kinds = measure(sets), ways(sets)
    units = [f"{way} ({unit})" for way, (unit, _, _) in kinds.items()]
    lines = ["", f"| seen from | {' | '.join(units)} |", "|---" * (1 + len(units)) + "|"]
    for name, rows in found.items():
        verdicts = {row.way: row.verdict for row in rows}
        lines.append(f"| {name} | {' | '.join(verdicts.get(way, '') for way in kinds)} |")
    strengths = [", ".join(map(str, each)) for _, _, each in kinds.values()]
    lines += ["", "## Values", "", f"| | clean | {' | '.join(units)} |"]
    lines += ["|---" * (2 + len(units)) + "|", f"| strength | | {' | '.join(strengths)} |"]
    for name, rows in found.items():
        values = {row.way: ", ".join(map(number, row.values)) for row in rows}
        clean = ", ".join(map(number, rows[0].clean))
        lines.append(f"| {name} | {clean} | {' | '.join(values.get(way, '') for way in kinds)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="How extractors react to spoiled pictures.")
    parser.add_argument("--n", type=int, default=1000, help="images a set")
    n = parser.parse_args().n
    others = Faces(n=n, style="adventurer").load().pixels
    sets = Sets(Faces(n=5 * n).load(), others, n)
    found = tables(sets)
    if n != 1000:
        print(found)
        return
    head = f"""# Sensitivity of the extractors

`python benchmarks/sensitivity.py`, {datetime.date.today()}, PyTorch {torch.__version__}, {n} faces
(micah, 64 px) as reals against {n} others, spoiled. A cell is the weakest strength that leaves the
mean of three clean sets by more than twice their range, in the direction that is right (KID, FD,
SWD up; coverage, Vendi down). Where the value does not go that way at every step, from the clean
mean to the strongest, Spearman's rank correlation with strength stands beside it (+1.0 is
monotone). Numbers are comparable within a row, never between rows. Vendi is judged only where
pictures are lost. SWD: mean of three levels, {PATCHES} patches an image, {DIRECTIONS} directions.
"""
    old = NOTE.read_text("utf-8") if NOTE.exists() else ""
    reading = old[old.index(READING) :] if READING in old else f"{READING}\n"
    NOTE.write_text(f"{head}{found}\n\n{reading}", "utf-8")


if __name__ == "__main__":
    main()

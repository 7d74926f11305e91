"""The numbers of experiments/public/digits.py, computed by other programs from exported pictures.

    bascule generate RUN -n 898 -o fakes
    python benchmarks/digits_outside.py fakes [--metrics RUN/metrics.json]

Nothing of bascule is imported. The 64 numbers of a picture are its grey levels / 15. They are
compared with the first half of scikit-learn's digits:

    FD, KID                torch-fidelity
    precision ... coverage prdc (k = 5 neighbours)

With ``metadata.csv`` also GAN-train and GAN-test (Shmelkov et al. 2018), with the classifier of
scikit-learn's example, ``SVC(gamma=0.001)``: trained on fakes and asked about the second half of
the digits; trained on the first half and asked about fakes. ``--metrics`` prints bascule's numbers
beside them. Needs the extra ``oracle``, and scikit-learn.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from prdc import compute_prdc
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

GREYS = 15  # grey levels for each of the 16 steps of ink
NEIGHBOURS = 5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("fakes", type=Path)
    arguments.add_argument("--metrics", type=Path)
    given = arguments.parse_args()
    numbers, digits = load_digits(return_X_y=True)
    half = len(numbers) // 2
    train, test = numbers[:half], numbers[half:]
    fakes = numbers_of(given.fakes)
    ours = read(given.metrics) if given.metrics else {}

    print("| number | other programs | bascule |\n|---|---|---|")
    for name, value in distances(fakes, train).items():
        told = f"{ours[name]:.6g}" if name in ours else ""
        print(f"| {name} | {value:.6g} | {told} |")
    half_of_reals, others = (train, digits[:half]), (test, digits[half:])
    print(f"| accuracy, reals on held-out reals | {accuracy(*half_of_reals, *others):.3f} | |")
    if (given.fakes / "metadata.csv").exists():
        with open(given.fakes / "metadata.csv", newline="") as file:
            asked = np.array([int(row["digit"]) for row in csv.DictReader(file)])
        print(f"| GAN-train | {accuracy(fakes, asked, *others):.3f} | |")
        print(f"| GAN-test | {accuracy(*half_of_reals, fakes, asked):.3f} | |")


def numbers_of(folder: Path) -> np.ndarray:
    """The 64 numbers of each picture in ``folder``, (N, 64), in the order of their names."""
    pictures = [np.asarray(Image.open(path), np.float64) for path in sorted(folder.glob("*.png"))]
    return np.stack(pictures).mean(3).reshape(len(pictures), -1) / GREYS


def distances(fakes: np.ndarray, train: np.ndarray) -> dict[str, float]:
    """FD, KID (needs as many fakes as reals), precision, recall, density and coverage."""
    x, y = torch.from_numpy(fakes), torch.from_numpy(train)
    statistics = [fid_features_to_statistics(part) for part in (x, y)]
    found = {
        "FD": fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    }
    if len(x) == len(y):  # then a single subset is the whole
        kid = kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=len(x), verbose=False)
        found["KID"] = kid["kernel_inception_distance_mean"]
    return found | compute_prdc(train, fakes, NEIGHBOURS)


def accuracy(x: np.ndarray, y: np.ndarray, asked: np.ndarray, right: np.ndarray) -> float:
    """The share of ``asked`` (m, 64) that a classifier trained on ``x``, ``y`` names ``right``."""
    return float((SVC(gamma=0.001).fit(x, y).predict(asked) == right).mean())


def read(path: Path) -> dict[str, float]:
    """The values of the last evaluation in bascule's ``metrics.json`` by name, without brackets."""
    values = json.loads(path.read_text("utf-8"))["evaluations"][-1]["values"]
    return {v["scale"]["label"].partition("[")[0]: v["measured"]["value"] for v in values}


if __name__ == "__main__":
    main()

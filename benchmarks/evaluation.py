"""The time of a complete default evaluation, compared with torch-fidelity on the same network.

    python benchmarks/evaluation.py [--n 5000]

``n`` fakes against ``n`` real faces at 64 px, as for the second evaluation of a set: what is cached
of the reals is there, on both sides. The first one here is timed, too. torch-fidelity computes FID,
KID, precision and recall with the same EfficientNet-Lite0 at the same size, in the same run.
Needs the extra ``oracle``.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from torch.utils.data import TensorDataset

from bascule.attributes.classifier import classifier, style_of
from bascule.cli.progress import counter
from bascule.core.processes import cores
from bascule.data.faces import Faces
from bascule.evaluation.evaluate import evaluate
from bascule.evaluation.of_reals import beside_features
from bascule.features.cache import features_of
from bascule.features.extractors import extractor
from bascule.metrics.measured import measure
from bascule.training.hardware import describe

BOTH = ("FD", "KID", "precision", "recall")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--n", type=int, default=5000)
    n = arguments.parse_args().n
    torch.set_num_threads(cores())
    with counter("drawing the faces") as tell:
        images = Faces(n=n).load(tell)
    net = extractor()
    with counter("features of the reals") as tell:
        features_of(images, net, tell)
    with counter("learning to read the attributes") as tell:
        reader = classifier(style_of(images) or "micah", images.size, tell)
    fakes = noisy(np.array(images.pixels))

    reader.read_set(images)
    with timed() as first:
        evaluate(fakes, images, [net], quiet, reader)
    with timed() as ours:
        found, _ = evaluate(fakes, images, [net], quiet, reader)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    train, held_out = (features_of(images, net)[images.indices(p)] for p in ("train", "held_out"))
    with timed() as same:
        measure(BOTH, net(fakes), train, held_out, keep=beside_features(images, net))
    rival = torch_fidelity(fakes, np.array(images.pixels))

    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    print(f"torch-fidelity {version('torch-fidelity')}; {n} fakes against {n} reals at 64 px")
    print(f"bascule, {len(found.values)} numbers with floors: {ours}; at most 60 s asked")
    print(f"the first evaluation here: {first}")
    print(f"peak memory of the process: {memory:.2f} GiB; under 3 GB asked")
    print(f"bascule, {', '.join(BOTH)} with floors: {same}")
    print(f"torch-fidelity, the same without floors: {rival}")
    print(f"ratio of these, torch-fidelity over bascule: {rival.wall / same.wall:.2f}, ", end="")
    print(f"and of the processor's seconds {rival.cpu / same.cpu:.2f}")


def noisy(pixels: np.ndarray) -> np.ndarray:
    """The reals in another order with a little noise, as fakes: only the time matters."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-8, 9, pixels.shape, np.int16)
    return (pixels[rng.permutation(len(pixels))] + noise).clip(0, 255).astype(np.uint8)


@contextmanager
def quiet(what: str):
    print(what, file=sys.stderr)
    yield lambda done, total: None


class Pictures(TensorDataset):
    """A data set of uint8 tensors, as torch-fidelity expects, instead of tuples."""

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.tensors[0][index]


@dataclass
class Seconds:
    wall: float = 0
    cpu: float = 0  # of all threads; does not depend on what else runs

    def __str__(self) -> str:
        return f"{self.wall:.1f} s, {self.cpu:.1f} s of the processor"


@contextmanager
def timed() -> Iterator[Seconds]:
    found, wall, cpu = Seconds(), time.perf_counter(), time.process_time()
    yield found
    found.wall, found.cpu = time.perf_counter() - wall, time.process_time() - cpu


def torch_fidelity(fakes: np.ndarray, reals: np.ndarray) -> Seconds:
    import torch_fidelity as tf

    net = extractor()

    class SameNet(tf.FeatureExtractorBase):
        def __init__(self, name, features_list, **rest):
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list():
            return ("features",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric):
            return "features"

        @staticmethod
        def can_be_compiled():
            return False

        @staticmethod
        def get_dummy_input_for_compile():
            return torch.zeros(1, 3, 64, 64, dtype=torch.uint8)

        def forward(self, x):
            return (torch.from_numpy(net(x.numpy())),)

    tf.register_feature_extractor("same-net", SameNet)
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "input2": Pictures(torch.from_numpy(reals)),
            "input2_cache_name": "reals",
            "cache_root": folder,
            "fid": True,
            "prc": True,
            "feature_extractor": "same-net",
            "cuda": False,
            "batch_size": 512,  # our extractor gives each thread 64 of them
            "verbose": False,
            "save_cpu_ram": True,
        }
        tf.calculate_metrics(input1=Pictures(torch.from_numpy(fakes[:64])), **given)
        with timed() as found:
            tf.calculate_metrics(input1=Pictures(torch.from_numpy(fakes)), kid=True, **given)
    return found


if __name__ == "__main__":
    main()

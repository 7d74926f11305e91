"""What many tests share: a data cache of their own, and the smallest run that is still a GAN."""

import io
import os
import shutil
import subprocess
import sys

import pytest
import torch
from PIL import Image

import quick_workers
from bascule.cli import main
from bascule.data.faces import Faces
from bascule.experiments.launchers import LocalLauncher
from bascule.gan.recipe import GANRecipe
from bascule.models.dcgan import DCGAN
from bascule.reports import figures
from bascule.runs.execute import execute
from bascule.runs.store import Run, Store
from bascule.sdpc.hybrid.model import SDPCGAN
from bascule.sdpc.hybrid.recipe import HybridRecipe
from bascule.sdpc.model import SDPC, Layer
from bascule.sdpc.preprocess.bands import Bands
from bascule.sdpc.preprocess.standard import Standardise
from bascule.sdpc.recipe import SDPCRecipe
from bascule.training.recipe import Recipe


@pytest.fixture(scope="session", autouse=True)
def data_cache(tmp_path_factory):
    """Every test draws and imports into a temporary cache, never the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASCULE_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setenv("BASCULE_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads that share a busy core wait for each other most of the time."""
    torch.set_num_threads(1)


# What is proved elsewhere, with workers that start as users' do, and with pages that are drawn:
# tests/test_worker.py, test_launchers.py, tests/reports/, tests/docs/, test_wheel.py.
QUICK_WORKERS = {"cli", "runs", "api", "examples", "experiments", "ladder", "tuning"}
NO_DRAWINGS = {"cli", "runs", "api", "examples"}


@pytest.fixture(autouse=True)
def workers_start_at_once(request, monkeypatch):
    """Unless a test is marked ``real_workers``, or the system cannot fork."""
    real = request.node.get_closest_marker("real_workers") or not hasattr(os, "fork")
    if QUICK_WORKERS & {request.path.parent.name} and not real:
        monkeypatch.setattr(LocalLauncher, "start", quick_workers.start)


@pytest.fixture(autouse=True)
def pages_are_not_drawn(request, monkeypatch):
    """Matplotlib needs seconds a page."""
    if not NO_DRAWINGS & {request.path.parent.name}:
        return
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    monkeypatch.setattr(figures, "png", lambda figure: file.getvalue())
    monkeypatch.setattr(figures, "svg", lambda figure, salt, legend=True: "<svg></svg>")


@pytest.fixture(autouse=True)
def nothing_waits_for_the_disk(monkeypatch):
    """No test cuts the power, so what is written need not have reached the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="session")
def tiny() -> GANRecipe:
    """4 epochs of 4 steps at 32 px on CPU, one thread: about a second."""
    return GANRecipe(
        data=Faces(n=40, size=32),
        model=DCGAN(width=4, z_dim=8, size=32),
        epochs=4,
        batch=8,
        threads=1,
        device="cpu",
        sample_every_epochs=2,
        keep_every_epochs=2,
    )


@pytest.fixture
def tiny_sdpc() -> SDPCRecipe:
    """4 epochs of 3 steps at 32 px on CPU, one thread: about a second."""
    layers = (
        Layer(8, kernel=8, stride=4, padding=2, threshold=0.5),
        Layer(12, kernel=4, stride=2, padding=1, threshold=0.5),
    )
    return SDPCRecipe(
        data=Faces(n=40, size=32, held_out=0.25),
        model=SDPC(layers, size=32),
        epochs=4,
        batch=10,
        threads=1,
        device="cpu",
        sample_every_epochs=2,
        keep_every_epochs=2,
    )


@pytest.fixture
def tiny_hybrid(tiny_sdpc) -> HybridRecipe:
    """An epoch of dictionaries, one of codes and two of pixels, of 3 steps each: some seconds."""
    return HybridRecipe(
        data=tiny_sdpc.data,
        model=SDPCGAN(width=2, z_dim=8, size=32),
        coding=tiny_sdpc.replace(epochs=1, preprocess=(Bands(4), Standardise())),
        code_epochs=1,
        epochs=4,
        batch=10,
        threads=1,
        device="cpu",
        sample_every_epochs=2,
        keep_every_epochs=2,
    )


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def make_run(store):
    """``make_run(recipe)``: a new run folder in the store, not yet trained."""

    def make(recipe: Recipe, name: str = "run"):
        return store.create(recipe, name, recipe.data.load().digest)

    return make


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    store, made = Store(tmp_path_factory.mktemp("trained")), {}

    def once(recipe: Recipe, name: str):
        if (recipe, name) not in made:
            made[recipe, name] = store.create(recipe, name, recipe.data.load().digest)
            assert execute(made[recipe, name], store) == "finished"
        return made[recipe, name]

    return once


@pytest.fixture
def finished_run(store, trained_once):
    """``finished_run(recipe)``: a run in the store, a copy of one that is trained once."""

    def copy(recipe: Recipe, name: str = "run"):
        folder = trained_once(recipe, name).folder
        return Run(shutil.copytree(folder, store.root / folder.name))

    return copy


def same_tensors(a, b) -> bool:
    """Whether two nested states are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_tensors(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same_tensors, a, b))
    return a == b


@pytest.fixture
def same():
    return same_tensors


@pytest.fixture
def printed_elsewhere():
    """``printed_elsewhere(script)``: the words that a process with another hash seed prints."""

    def run(script: str) -> list[str]:
        hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        return subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()

    return run


@pytest.fixture
def bascule(tmp_path, monkeypatch, capsys):
    """``bascule("train", ...)``: the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BASCULE_RUNS", raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        try:
            code = main(list(words))
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


# A metric, an extractor and a callback as a user writes them.
MINE = """
from dataclasses import dataclass

import numpy as np

from bascule.features import FeatureExtractor
from bascule.metrics import Metric
from bascule.training.loop import Callback


@dataclass(frozen=True)
class Bright(Metric):
    above: int = 100
    name = "bright"
    better = "higher"
    on = "pixels"
    limits = (0.0, 1.0)
    explained = "the share of bright pixels"

    def measure(self, fakes, reals):
        assert fakes.dtype == reals.dtype == np.uint8 and fakes.shape[1:] == reals.shape[1:]
        return float((fakes > self.above).mean())


class Apart(Metric):
    name = "apart"

    def measure(self, fakes, reals):
        return np.linalg.norm(fakes.mean(0) - reals.mean(0))


class Colours(FeatureExtractor):
    name = "colours"
    dim = 6

    def __call__(self, images):
        x = images.reshape(len(images), 3, -1) / 255
        return np.concatenate([x.mean(2), x.std(2)], 1)


class Steps(Callback):
    adds = ("steps",)

    def __init__(self):
        self.seen = 0

    def on_step_end(self, state, seconds):
        self.seen += 1

    def on_epoch_end(self, record):
        record.add("steps", self.seen)
"""


@pytest.fixture
def mine(tmp_path):
    """A file of the user's that defines them."""
    path = tmp_path / "mine.py"
    path.write_text(MINE, "utf-8")
    return path

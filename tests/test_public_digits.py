"""The digits of a public set: as scikit-learn has them, and measured as other programs measure."""

import csv
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bascule import jobs, worker
from bascule.core.context import generator
from bascule.core.user_code import load_file
from bascule.data.batches import as_uint8
from bascule.experiments.experiment import load
from bascule.jobs import TrainRun
from bascule.metrics.measured import measure
from bascule.runs.generate import restored
from counting import count

ROOT = Path(__file__).parents[1]
FILE = ROOT / "experiments" / "public" / "digits.py"
sklearn = pytest.importorskip("sklearn.datasets")


@pytest.fixture(scope="module")
def digits():
    return load_file(FILE)


@pytest.fixture(scope="module")
def outside():
    """The program that computes the numbers without bascule."""
    for package in ("prdc", "torch_fidelity"):
        pytest.importorskip(package)
    spec = importlib.util.spec_from_file_location(
        "digits_outside", ROOT / "benchmarks" / "digits_outside.py"
    )
    module = importlib.util.module_from_spec(spec)
    before = set(sys.modules)
    spec.loader.exec_module(module)
    assert not [name for name in set(sys.modules) - before if name.startswith("bascule")]
    return module


def test_pixels_are_fifteen_times_the_numbers_of_the_set(digits):
    numbers, labels = sklearn.load_digits(return_X_y=True)
    images = digits.Digits().load()
    assert (images.pixels[:, 1].reshape(-1, 64) == 15 * numbers).all()
    assert (digits.Numbers()(images.pixels) == numbers).all()
    assert (images.labels["digit"] == labels.astype(str)).all()
    assert images.indices("train").tolist() == list(range(898)) and "CC BY 4.0" in images.credit


@pytest.mark.parametrize("classes", [0, 10])
def test_networks_have_the_parameters_counted_by_hand(digits, classes):
    G, D = digits.Perceptrons(width=5, z_dim=3, classes=classes).players(generator("a test"))
    assert count(G) == (3 + 1) * 5 + classes * 5 + 2 * (2 * 5) + (5 + 1) * 5 + (5 + 1) * 64
    assert count(D) == (64 + 1) * 5 + (5 + 1) * 5 + (5 + 1) + classes * 5


@pytest.mark.parametrize("quick", [False, True])
def test_arms_differ_in_the_label_alone(quick):
    experiment = load(FILE, quick=quick)
    plain, told = experiment.arms.values()
    assert told == plain.replace(model=told.model, labels="digit")
    assert (plain.model.classes, told.model.classes) == (0, 10)
    assert experiment.seeds == (1, 2, 3, 4, 5)
    assert experiment.measure.fakes == (64 if quick else 898)


def test_exported_pictures_have_the_same_numbers_outside(digits, outside, tmp_path, capsys):
    """Noisy digits in place of fakes: all the six numbers, computed by both programs."""
    images = digits.Digits().load()
    rng = np.random.default_rng(0)
    pixels = images.pixels[:898] + rng.integers(0, 15, (898, 1, 8, 8), dtype=np.uint8)
    with open(tmp_path / "metadata.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "digit"])
        for k, picture in enumerate(pixels):
            Image.fromarray(picture.transpose(1, 2, 0)).save(tmp_path / f"{k:05d}.png")
            rows.writerow([f"{k:05d}.png", images.labels["digit"][k]])
    fakes = outside.numbers_of(tmp_path)
    assert np.allclose(fakes, digits.Numbers()(pixels))
    train, held_out = digits.Numbers()(images.pixels[:898]), digits.Numbers()(images.pixels[898:])
    theirs = outside.distances(fakes, train)
    ours = measure(theirs, digits.Numbers()(pixels), train, held_out)
    assert set(theirs) == {"FD", "KID", "precision", "recall", "density", "coverage"}
    for name, value in theirs.items():
        assert ours[name].value == pytest.approx(float(value), rel=1e-5, abs=1e-6), name

    sys_argv, sys.argv = sys.argv, ["digits_outside.py", str(tmp_path)]
    try:
        outside.main()
    finally:
        sys.argv = sys_argv
    told = capsys.readouterr().out
    # scikit-learn's example of a classifier reports 0.97 for these two halves.
    assert "| accuracy, reals on held-out reals | 0.969 |" in told
    named = re.findall(r"\| (GAN-\w+) \| (0\.9\d\d|1\.000) \|", told)
    assert [name for name, _ in named] == ["GAN-train", "GAN-test"]


def test_a_run_of_a_worker_is_exported_with_labels_and_measured_outside(
    bascule, make_run, store, outside
):
    """A worker loads the set by the file of the experiment, which is copied to the run."""
    recipe = load(FILE, quick=True).arms["labelled"]
    run = make_run(recipe, "labelled")
    job = run.folder / "job.json"
    jobs.write(TrainRun(str(store.root), str(run.folder)), job)
    assert worker.main([str(job)]) == 0
    code, out, err = bascule("generate", "labelled", "-n", "898", "-o", "fakes")
    assert code == 0 and "898 pictures: fakes" in out, err
    with open("fakes/metadata.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == [f"{k:05d}.png" for k in range(898)]

    # Drawn for these labels: the same latents with them give the same pictures.
    _, state = restored(run)
    z = torch.randn(250, 33, generator=generator("evaluation z", 0, 250))
    asked = torch.tensor([int(row["digit"]) for row in rows[250:500]])
    assert set(asked.tolist()) == set(range(10))
    with torch.no_grad():
        drawn = as_uint8(state.trainer.generator.eval().G(z[:, :-1], asked))
    shown = np.stack([np.asarray(Image.open(f"fakes/{k:05d}.png")) for k in range(250, 500)])
    assert np.array_equal(drawn.numpy().transpose(0, 2, 3, 1), shown)

    features = f"{FILE}:Numbers"
    code, _, err = bascule(
        "evaluate", "labelled", "-n", "898", "--no-attributes", "--features", features
    )
    assert code == 0, err
    ours = outside.read(run.folder / "metrics.json")
    numbers = sklearn.load_digits(return_X_y=True)[0]
    for name, value in outside.distances(outside.numbers_of(Path("fakes")), numbers[:898]).items():
        assert ours[name] == pytest.approx(float(value), rel=1e-5, abs=1e-6), name

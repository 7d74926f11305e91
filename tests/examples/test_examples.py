"""Every file of examples/ does what it says, from the command line, in a folder of its user."""

import hashlib
import io
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.linalg import sqrtm

from bascule.cli import main
from bascule.core import class_names
from bascule.data.imported import Imported
from bascule.runs.store import Run, Store

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FILES = sorted(path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py"))
TINY = ("--set", "epochs=2", "batch=8", "threads=1", "device=cpu")
SMALL = ("data=Faces(n=24, size=32, held_out=0.25)", "model.size=32")


def bascule(*words: str) -> str:
    """What a command prints that ends well."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(words))
    assert code == 0, err.getvalue()
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The examples in a folder of the user's, which all tests of this file share."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("examples")
        shutil.copytree(EXAMPLES, place, dirs_exist_ok=True)
        patch.chdir(place)
        patch.delenv("BASCULE_RUNS", raising=False)
        yield place


def run_named(name: str) -> Run:
    return Store(Path("runs")).find(name)


@pytest.fixture(scope="module")
def game(folder) -> Run:
    """A run of own nets, for an own objective, under an own penalty and an own rule, watched."""
    own = (
        "model=my_nets.py:Upsampling(width=4, size=32)",
        "objective=my_objective.py:Pearson()",
        "penalties=my_penalty.py:Drift(0.01)",
        "interventions=my_intervention.py:Grey(0.5, from_epoch=1)",
    )
    watched = ("--callback", "my_callback.py:Norm")
    bascule("train", "dcgan64-tiny", "--name", "game", *watched, *TINY, SMALL[0], *own)
    return run_named("game")


def test_nets_objective_penalty_and_rule_are_played_and_kept_with_the_run(game):
    kept = {path.name for path in game.code_folder.glob("*.py")}
    assert kept == {"my_nets.py", "my_objective.py", "my_penalty.py", "my_intervention.py"}
    assert "Upsampling(width=4" in repr(game.recipe.model)
    assert [row["Drift"] > 0 for row in game.rows()] == [True, True]
    assert game.rows()[0]["loss_D"] < 0.5  # Pearson's; cross-entropy begins at 2 ln 2


def test_the_rule_changes_nothing_before_its_first_epoch_and_then_does(game):
    bascule("fork", "game", "--at-epoch", "1", "--name", "plain", "--set", "interventions=[]")
    plain = run_named("plain")
    assert plain.rows()[0]["loss_D"] == game.rows()[0]["loss_D"]
    assert plain.rows()[1]["loss_D"] != game.rows()[1]["loss_D"]


def test_what_the_callback_adds_is_kept_and_shown(game):
    assert all(row["norm of D"] > 0 for row in game.rows())
    assert "| norm of D |" in (game.folder / "note.md").read_text("utf-8")


def test_the_metric_and_the_features_have_a_floor_in_an_evaluation(game):
    own = ("--metric", "my_metric.py:Asymmetry", "--features", "my_features.py:Colours")
    out = bascule("evaluate", "game", "-n", "20", "--no-attributes", *own)
    assert "asymmetry[pixels]" in out and "KID[colours]" in out
    kept = json.loads((game.folder / "metrics.json").read_text("utf-8"))["evaluations"][0]
    (own,) = (v for v in kept["values"] if v["scale"]["label"] == "asymmetry[pixels]")
    assert own["measured"]["value"] > 0 and own["measured"]["floor"] > 0
    assert "| asymmetry[pixels] |" in (game.folder / "note.md").read_text("utf-8")


def test_the_question_compares_own_nets_by_an_own_metric_on_two_jobs(folder):
    words = ("--jobs", "2", "--seeds", "0", *TINY, "epochs=1", SMALL[0])
    bascule("run", "my_question.py", *words, "model.size=32", "model.width=4")
    (note,) = Path("runs/notes").glob("my-question*/note.md")
    told = note.read_text("utf-8")
    assert "asymmetry[pixels] of “upsampling” is lower than of “dcgan”" in told
    assert "norm of D of “upsampling”" in told and "not measured" not in told
    assert "the mean difference of a picture and its mirror image" in told


def test_a_dataset_is_trained_on(folder):
    bascule("train", "dcgan64-tiny", "--name", "discs", "--data", "my_data.py:MySet", *TINY,
            "epochs=1", "batch=64", "model.width=4")  # fmt: skip
    run = run_named("discs")
    assert (run.code_folder / "my_data.py").exists() and run.status["state"] == "finished"


MEANS = """
from bascule.features import FeatureExtractor


class Means(FeatureExtractor):
    name = "means"
    dim = 3

    def __call__(self, images):
        return images.mean((2, 3))
"""


def cifar_like(folder: Path, monkeypatch) -> dict[bool, list[tuple[np.ndarray, int]]]:
    """Files in CIFAR-10's own format, 6 pictures each. By train or not: (picture, label)s."""
    datasets = pytest.importorskip("torchvision.datasets")
    rng, sums, made = np.random.default_rng(0), {}, {True: [], False: []}
    (folder / datasets.CIFAR10.base_folder).mkdir(parents=True)

    def write(name: str, content: dict) -> None:
        file = folder / datasets.CIFAR10.base_folder / name
        file.write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5(file.read_bytes()).hexdigest()

    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        pictures, labels = rng.integers(0, 256, (6, 3072), np.uint8), rng.integers(0, 10, 6)
        write(name, {"data": pictures, "labels": labels.tolist()})
        rows = zip(pictures.reshape(6, 3, 32, 32), labels.tolist(), strict=True)
        made[name != "test_batch"] += rows
    write("batches.meta", {"label_names": list("abcdefghij")})
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums.pop("batches.meta")}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    files = [list(one) for one in sums.items()]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", files[:2])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", files[2:])
    return made


def test_cifar10_is_imported_with_its_test_set_and_measured_as_published(folder, monkeypatch):
    made = cifar_like(Path("cifar10"), monkeypatch)
    monkeypatch.setenv("BASCULE_DATA", str(folder / "sets"))
    out = bascule("data", "import", "cifar10.py:train", "--held-out", "cifar10.py:test",
                  "--name", "cifar10", "--size", "32")  # fmt: skip
    assert "18 images imported, 6 of them held out" in out
    images = Imported("cifar10", 32).load()
    assert (images.pixels == np.stack([x for x, _ in made[True] + made[False]])).all()
    assert images.labels["label"].tolist() == [str(y) for _, y in made[True] + made[False]]

    bascule("train", "sngan32", "--name", "public", *TINY, "epochs=1", "model.width=2")
    Path("means.py").write_text(MEANS)
    own = ("--metric", "published_fid.py:FDOfAll", "--features", "means.py:Means")
    bascule("evaluate", "public", "-n", "30", "--no-attributes", *own)
    run = run_named("public")
    (found,) = json.loads((run.folder / "metrics.json").read_text("utf-8"))["evaluations"]
    (value,) = (v for v in found["values"] if v["scale"]["label"] == "FD of all[means]")
    bascule("generate", "public", "-n", "30", "-o", "public")
    drawn = [np.asarray(Image.open(path)) for path in sorted(Path("public").glob("*.png"))]
    fakes = np.stack(drawn).transpose(0, 3, 1, 2)
    of_fakes, train, test = (
        x.mean((2, 3)) for x in (fakes, images.pixels[:12], images.pixels[12:])
    )
    assert value["measured"]["value"] == pytest.approx(frechet(of_fakes, train), rel=1e-4)
    assert value["measured"]["floor"] == pytest.approx(frechet(test, train), rel=1e-4)
    assert (value["scale"]["n"], value["scale"]["m"]) == (30, 12)


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """Heusel et al. 2017, equation 6, as it stands there."""
    a, b = np.cov(x.T), np.cov(y.T)
    root = sqrtm(a @ b).real
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root))


def test_a_kind_of_recipe_is_trained_previewed_measured_and_forked(folder):
    bascule("train", "my_kind.py", "--name", "vae", *TINY, *SMALL)
    run = run_named("vae")
    first, last = (row["error"] for row in run.rows())
    assert last < first and run.sample(2).exists() and not run.shown(2).exists()
    note = (run.folder / "note.md").read_text("utf-8")
    assert "| divergence |" in note and "samples/epoch-0002.png" in note
    own = ("--metric", "my_metric.py:Asymmetry", "--features", "pixels")
    assert "asymmetry[pixels]" in bascule("evaluate", "vae", "-n", "20", "--no-attributes", *own)
    bascule("generate", "vae", "-n", "2", "-o", "drawn")
    assert len(list(Path("drawn").glob("*.png"))) == 2
    bascule("fork", "vae", "--at-epoch", "1", "--name", "slow", "--set", "lr=1e-5")
    assert run_named("slow").rows()[0]["error"] == first
    (page,) = re.findall("page: (.*)", bascule("compare", "vae", "slow"))
    told = Path(page).with_suffix(".html").read_text("utf-8")
    assert "divergence" in told and "lr" in told


def test_a_run_of_a_kind_is_looked_at_without_its_code(folder):
    if not Path("runs").exists() or not any(r.name == "vae" for r in Store(Path("runs")).runs()):
        bascule("train", "my_kind.py", "--name", "vae", *TINY, *SMALL)
    other = Path("others")
    shutil.copytree(run_named("vae").folder, other / run_named("vae").id)
    kind = next((other / run_named("vae").id).glob("code/my_kind.py"))
    kind.write_text("raise SystemExit('this was executed')\n")
    bascule("--runs", str(other), "list")
    recipe = Store(other).find("vae").recipe
    assert recipe.scalars == ("error", "divergence") and recipe.z_dim == 32
    assert recipe.gan_objective is None and recipe.evaluates == "fakes"


def test_a_killed_run_of_a_kind_goes_on_bit_for_bit(folder, same):
    long = ("--set", "epochs=30", "batch=8", "threads=1", "device=cpu", *SMALL)
    bascule("train", "my_kind.py", "--name", "whole", *long)
    whole = run_named("whole")
    words = [sys.executable, "-m", "bascule", "--runs", "killed"]
    process = subprocess.Popen(
        [*words, "train", "my_kind.py", "--name", "whole", *long],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    checkpoint = Path("killed") / whole.id / "checkpoints" / "last.pt"
    for _ in range(1200):
        if checkpoint.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    bascule("--runs", "killed", "resume", whole.id)
    again = Store(Path("killed")).find(whole.id)
    ours, theirs = (run.load_checkpoint()["game"] for run in (again, whole))
    assert set(ours) == {"encoder", "decoder", "optimizer"} and same(ours, theirs)


@pytest.fixture
def installed(folder, monkeypatch):
    """The plug-in as ``pip install ./my_plugin`` leaves it."""
    told = tomllib.loads(Path("my_plugin/pyproject.toml").read_text("utf-8"))["project"]
    site = folder / "site-packages"
    info = site / f"{told['name'].replace('-', '_')}-{told['version']}.dist-info"
    info.mkdir(parents=True)
    shutil.copy("my_plugin/my_plugin.py", site)
    groups = told["entry-points"]
    lines = [f"[{group}]\n{k} = {v}" for group, by in groups.items() for k, v in by.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    version = f"Name: {told['name']}\nVersion: {told['version']}\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{version}")
    monkeypatch.syspath_prepend(str(site))
    caches = ("plugins", "plugin_classes", "_plugin_packages", "_in_module")
    for name in caches:
        getattr(class_names, name).cache_clear()
    yield
    sys.modules.pop("my_plugin", None)
    for name in caches:
        getattr(class_names, name).cache_clear()


def test_a_plugin_brings_a_preset_and_a_rule_by_their_names(installed):
    assert "dcgan64-rested" in bascule("presets")
    assert "Rest  D learns in every" in bascule("interventions")
    small = (*TINY, "epochs=1", *SMALL, "model.width=4")
    bascule("train", "dcgan64-rested", "--name", "rested", *small, "interventions=Rest(3)")
    assert run_named("rested").recipe.interventions[0].every == 3


@pytest.mark.parametrize("file", FILES)
def test_an_example_says_what_it_shows_and_how_it_is_run(file):
    text = (EXAMPLES / file).read_text("utf-8")
    docstring = text.split('"""')[1]
    (command,) = re.findall(r"^    (.*bascule .*)$", docstring, re.MULTILINE)
    told = (ROOT / "docs" / "own-code.md").read_text("utf-8")
    assert command in told, f"docs/own-code.md lacks the command of {file}"


def test_code_in_the_page_is_that_of_the_examples():
    told = (ROOT / "docs" / "own-code.md").read_text("utf-8")
    blocks = re.findall(r"```python\n# ([\w/]+\.py)\n(.*?)```", told, re.DOTALL)
    assert {name for name, _ in blocks} >= set(FILES) - {"my_plugin/my_plugin.py"}
    for name, block in blocks:
        lines = iter((EXAMPLES / name).read_text("utf-8").splitlines())
        for line in filter(None, block.splitlines()):
            if line.strip() == "...":
                continue
            assert line in lines, f"{line!r} is not in examples/{name}, or not in this order"

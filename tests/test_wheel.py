"""The package as it is installed from a wheel, in an empty folder: its experiments are there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bascule.experiments.files import known_files

ROOT = Path(__file__).parents[1]
NAMES = "from bascule.experiments.files import known_files; print(*known_files())"
TINY = [
    *("--set", "data=Faces(n=80, size=32)", "model=DCGAN(width=4, z_dim=8, size=32)"),
    *("start=None", "batch=32", "threads=1", "precision=fp32"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which the wheel is unpacked."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "lib")
    return place / "lib"


@pytest.fixture
def python(installed, tmp_path):
    """``python("-m", "bascule")`` of the wheel, in an empty folder: what it prints."""

    def run(*words: str) -> str:
        env = {**os.environ, "PYTHONPATH": str(installed)}
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_what_is_no_code_is_in_the_wheel_too(installed):
    source = ROOT / "src" / "bascule"
    for path in source.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert (installed / "bascule" / path.relative_to(source)).is_file(), path


def test_it_finds_its_experiments(python, installed):
    where, *names = python("-c", f"import bascule; print(bascule.__file__); {NAMES}").split()
    assert where.startswith(str(installed))
    assert set(names) == set(known_files())


def test_an_experiment_of_the_package_runs(python, tmp_path):
    words = ("perfect-g", "--quick", "--seeds", "0", *TINY)
    out = python("-m", "bascule", "run", *words, "--arm", "plain")
    assert "perfect-g-quick" in out
    assert len(list((tmp_path / "runs" / "notes").glob("perfect-g-quick-*/note.html"))) == 1

"""Two processes, talking over loopback, play the game that one process plays."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bascule.cli import main
from bascule.core.distributed import process_group
from bascule.core.errors import UserError
from bascule.core.processes import processes, rank
from bascule.runs.execute import check_process_group
from bascule.runs.store import Store
from games_on_processes import GAMES

PLAYED = Path(__file__).parents[1] / "games_on_processes.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
TORCHRUN += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Path:
    """The ends of the games, played alone and by two."""
    folder = tmp_path_factory.mktemp("played")
    subprocess.run([sys.executable, PLAYED, folder], check=True, timeout=300)
    subprocess.run([*TORCHRUN, PLAYED, folder], check=True, timeout=300)
    return folder


@pytest.mark.parametrize("name", GAMES)
def test_two_processes_play_the_game_of_one(played, name):
    """Losses, penalties and weights after 4 steps, BatchNorm and batch-wide rules included."""
    alone, first, second = (torch.load(played / f"{name} {who}") for who in ("alone", 0, 1))
    assert len(alone["rows"]) == 4
    for mine, theirs in zip(alone["rows"], first["rows"], strict=True):
        assert mine.keys() == theirs.keys()
        for scalar, value in mine.items():
            assert theirs[scalar] == pytest.approx(value, rel=1e-4, abs=1e-5), scalar
    assert first["rows"] == second["rows"]
    for player in ("G", "D", "average"):
        if player not in alone["game"]:
            continue
        for weight, value in alone["game"][player].items():
            theirs = first["game"][player][weight]
            # Adam moves a bias that no loss feels, before BatchNorm, by rounding alone
            idle = weight.endswith(("bias", "running_mean"))
            idle = idle and (value - theirs).abs().max() <= 2 * 4 * 2e-4
            assert idle or torch.allclose(theirs, value, rtol=1e-4, atol=1e-5), weight
            assert torch.equal(theirs, second["game"][player][weight]), weight


def test_what_one_process_says_or_asks_all_hear(played):
    for who in (0, 1):
        told, asked = torch.load(played / f"said {who}")
        assert told == "the first one's word"
        assert asked == (True, False)


TRAIN = ["train", "dcgan64-tiny", "--name", "shared", "--set", "data=Faces(n=64,size=32)"]
TRAIN += ["model.size=32", "model.width=4", "batch=16", "threads=1", "device=cpu"]
TRAIN += ["keep_every_epochs=200", "sample_every_epochs=200"]


def torchrun(words: list[str], runs: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TORCHRUN, "-m", "bascule", "--runs", str(runs), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_shared_run_stops_and_goes_on_exactly(tmp_path):
    """SIGTERM to torchrun in the middle; resumed, the run ends where an undisturbed one does."""
    words = [*TRAIN, "epochs=60"]
    stopped = torchrun(words, tmp_path / "a")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "a").glob("*/scalars.jsonl")):
        assert stopped.poll() is None and time.monotonic() < deadline, stopped.communicate()[0]
        time.sleep(0.05)
    stopped.send_signal(signal.SIGTERM)
    stopped.communicate(timeout=120)
    (run,) = Store(tmp_path / "a").runs()
    assert run.status["state"] == "interrupted"
    assert 1 <= run.load_checkpoint()["epoch"] < 60

    resumed = torchrun(["resume", run.id], tmp_path / "a")
    whole = torchrun(words, tmp_path / "b")
    for process in (resumed, whole):
        told, _ = process.communicate(timeout=240)
        assert process.returncode == 0, told
        assert told.count("note: ") == 1  # by the first process alone
    (other,) = Store(tmp_path / "b").runs()
    assert run.status["state"] == other.status["state"] == "finished"
    mine, theirs = run.load_checkpoint()["game"], other.load_checkpoint()["game"]
    for player in ("G", "D"):
        for weight, value in theirs[player].items():
            assert torch.equal(mine[player][weight], value), weight
    assert len(run.diagnostics()) > 0
    assert json.loads((run.folder / "run.json").read_text())["processes"] == 2
    with pytest.raises(UserError, match="was started on 2 processes and cannot resume on 1"):
        check_process_group(run, None)


@pytest.fixture
def one_of_two(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "perfect-g"], "torchrun with `bascule run`: expected train, resume, fork"),
        ([*TRAIN, "batch=15"], "batch=15 on 2 processes: expected a multiple of 2"),
        ([*TRAIN, "compile=True"], "compile=True on several processes"),
        (["train", "aae64"], "torchrun with a AAERecipe: only a GANRecipe trains"),
    ],
)
def test_what_cannot_be_shared_is_refused_in_one_line(one_of_two, tmp_path, capsys, words, message):
    assert main(["--runs", str(tmp_path), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_alone_there_is_no_team(tiny):
    assert processes() == 1 and rank() == 0
    with process_group("cpu") as group:
        assert group is None
    tiny.replace(batch=15).check_processes(1)

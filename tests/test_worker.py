"""A worker as launchers start it: progress, exit codes, complaints, and how it stops."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bascule import jobs, worker
from bascule.core.user_code import load_file
from bascule.data.faces import Faces
from bascule.experiments import Measure, launchers
from bascule.jobs import MeasureRun, TrainRun
from bascule.runs.codec import encode
from bascule.runs.evaluations import evaluations
from bascule.runs.execute import execute


def written(store, run, kind=TrainRun, *more) -> Path:
    path = run.folder / "job.json"
    jobs.write(kind(str(store.root), str(run.folder), *more), path)
    return path


def command(path: Path) -> list[str]:
    return [sys.executable, "-m", "bascule.worker", str(path)]


def test_it_trains_and_keeps_what_others_fork_from(make_run, store, tiny, same):
    ours, theirs = make_run(tiny), make_run(tiny, "by hand")
    assert worker.main([str(written(store, ours, TrainRun, (1, 3)))]) == 0
    execute(theirs, store)
    assert same(ours.load_checkpoint()["game"], theirs.load_checkpoint()["game"])
    assert ours.kept_epochs() == [1, 2, 3, 4] and theirs.kept_epochs() == [2, 4]


SPARED = (
    "bascule.experiments.experiment",
    "matplotlib",
    "scipy",
    "sympy",
    "torch._dynamo",
    "tensorboard",
)
LOADED = """
import os, sys
from bascule import worker
from bascule.training.pace import Lines

def told_after_the_first_step(self, state, seconds):
    print(*(name for name in {names} if name in sys.modules), "end", flush=True)
    os._exit(0)

Lines.on_step_end = told_after_the_first_step
worker.main([{path!r}])
"""


def test_before_the_first_step_it_loads_only_what_a_step_needs(
    make_run, store, tiny, printed_elsewhere
):
    path = str(written(store, make_run(tiny)))
    assert printed_elsewhere(LOADED.format(names=SPARED, path=path)) == ["end"]


def test_without_the_compiler_steps_are_bit_for_bit_the_same(tiny, tiny_sdpc, printed_elsewhere):
    """In processes of their own: PyTorch's optimisers stay as they are in this one."""
    recipes = [encode(recipe.replace(epochs=2)) for recipe in (tiny, tiny_sdpc)]
    ways = [
        "",
        "from bascule.training import hardware; hardware.leave_compiler_unloaded()",
    ]
    one, other = (printed_elsewhere(TRAINED.format(way=way, recipes=recipes)) for way in ways)
    assert one[:-1] == other[:-1] and (one[-1], other[-1]) == ("True", "False")
    assert len(one) > 20


TRAINED = """
import hashlib, sys
import torch
from bascule.runs.codec import decode
from bascule.training.loop import train
from bascule.training.state import begin
{way}
torch.set_num_threads(1)

def told(value):
    if isinstance(value, torch.Tensor):
        print(hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest())
    elif isinstance(value, dict):
        for name in value:
            told(value[name])
    elif isinstance(value, list | tuple):
        for each in value:
            told(each)

for recipe in map(decode, {recipes}):
    state, images = begin(recipe), recipe.data.load()
    train(state, torch.from_numpy(images.pixels[images.indices("train")]))
    told(state.state_dict())
print("torch._dynamo" in sys.modules)
"""


def test_it_measures_at_every_epoch_that_is_asked_for(make_run, store, tiny):
    run = make_run(tiny)
    execute(run, store)
    path = written(store, run, MeasureRun, Measure(12, attributes=False), (2, 4))
    assert worker.main([str(path)]) == 0
    assert [(e.epoch, e.fakes) for e in evaluations(run.folder)] == [(2, 12), (4, 12)]


def test_it_measures_with_metrics_and_features_of_the_users(make_run, store, tiny, mine):
    run, own = make_run(tiny.replace(data=Faces(n=60, size=32, held_out=0.5))), load_file(mine)
    execute(run, store)
    asked = Measure(
        12, attributes=False, metrics=(own.Bright(above=90), own.Apart), features=own.Colours()
    )
    path = written(store, run, MeasureRun, asked.plain(), (4,), *asked.own_words())
    assert worker.main([str(path)]) == 0
    (found,) = evaluations(run.folder)
    assert {"bright[pixels]", "KID[colours]"} <= set(found.labels) and asked.is_done(found)


def test_features_of_which_too_few_images_leave_no_number_are_not_measured_again(
    make_run, store, tiny, mine
):
    run = make_run(tiny)
    execute(run, store)
    asked = Measure(12, attributes=False, features=load_file(mine).Colours())
    path = written(store, run, MeasureRun, asked.plain(), (4,), *asked.own_words())
    assert worker.main([str(path)]) == 0
    (found,) = evaluations(run.folder)
    assert not found.values and found.left_out and asked.is_done(found)


def test_callbacks_of_the_users_watch_what_it_trains(make_run, store, tiny, mine, capsys):
    run, broken = make_run(tiny.replace(epochs=2)), make_run(tiny.replace(epochs=3))
    assert worker.main([str(written(store, run, TrainRun, (), (f"{mine}:Steps",)))]) == 0
    assert all(row["steps"] > 0 for row in run.rows()) and len(run.rows()) == 2
    mine.write_text(mine.read_text("utf-8").replace("self.seen += 1", "1 / 0"), "utf-8")
    assert worker.main([str(written(store, broken, TrainRun, (), (f"{mine}:Steps",)))]) == 2
    told = "bascule: the callback Steps failed: ZeroDivisionError: division by zero"
    assert capsys.readouterr().err.splitlines()[-1] == told


def test_it_does_not_begin_if_who_started_it_is_gone(make_run, store, tiny):
    """The parent's number is handed over: asked for later, it would be that of another process."""
    run = make_run(tiny)
    with subprocess.Popen(["true"]) as gone:
        pass
    assert worker.main([str(written(store, run)), str(gone.pid)]) == 130
    assert run.status["state"] == "interrupted" and not run.rows()
    assert worker.main([str(written(store, run)), str(os.getppid())]) == 0


def test_launchers_hand_their_number_over(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **more: started.append(words))
    launchers.LocalLauncher().start(tmp_path / "a.json", tmp_path / "errors.log", 1)
    assert started[0][-2:] == [str(tmp_path / "a.json"), str(os.getpid())]


@pytest.mark.parametrize("arguments", [[], ["a.json", "b.json"], ["gone.json"]])
def test_what_it_cannot_do_is_one_line_and_exit_code_2(capsys, arguments):
    assert worker.main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("bascule: ") and said.err.count("\n") == 1 and not said.out


def test_what_no_run_of_its_kind_can_give_is_refused(make_run, store, tiny, capsys):
    run = make_run(tiny)
    execute(run, store)
    assert worker.main([str(written(store, run, MeasureRun, Measure(12, k_fb=(4.0,)), (4,)))]) == 2
    assert "are for SDPC" in capsys.readouterr().err


def test_it_tells_how_far_it_is_and_saves_at_a_signal(make_run, store, tiny):
    run = make_run(tiny.replace(epochs=9000))
    with subprocess.Popen(command(written(store, run)), stdout=subprocess.PIPE, text=True) as began:
        told = json.loads(began.stdout.readline())
        began.send_signal(signal.SIGTERM)
        assert began.wait(60) == 130
    assert told.keys() == {"epoch", "images_per_s", "scalars"} and "D_x" in told["scalars"]
    assert run.status["state"] == "interrupted"
    assert run.load_checkpoint()["step"] >= 1


PARENT = """
import subprocess, sys, time
subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, start_new_session=True)
time.sleep(600)
"""


def test_it_stops_when_who_started_it_is_killed(make_run, store, tiny):
    """At a checkpoint, although nobody reads what it says any more."""
    run = make_run(tiny.replace(epochs=9000))
    words = [sys.executable, "-c", PARENT, *command(written(store, run))]
    with subprocess.Popen(words) as parent:
        deadline = time.monotonic() + 120
        while not run.rows():
            assert parent.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        parent.kill()
    deadline = time.monotonic() + 60
    while run.status["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert run.status["state"] == "interrupted", run.status

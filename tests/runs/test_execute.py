"""Stop and resume equals no stop, bit for bit; nothing is ever half-written."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import pytest
import torch

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.diagnostics.callback import Diagnostics
from bascule.gan import recipe as gan
from bascule.gan.objectives import TopK
from bascule.interventions import (
    AdaptiveAugment,
    FakeHistory,
    InstanceNoise,
    PerfectG,
    PseudoAugmentation,
    RealsAmongFakes,
    ResetD,
    WarmStart,
)
from bascule.runs import execute as executing
from bascule.runs.execute import execute
from bascule.runs.fork import fork
from bascule.runs.store import Run
from bascule.training.loop import Callback


def final(run: Run):
    """All that a run computed, without timings."""
    rows = [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_s")} for row in run.rows()
    ]
    return run.load_checkpoint(), rows, run.diagnostics()


@pytest.mark.parametrize("stop_after", [1, 5, 8, 15])
def test_stop_and_resume_equals_no_stop(tiny, make_run, store, same, stop_after):
    whole, stopped = make_run(tiny, "whole"), make_run(tiny, "stopped")
    assert execute(whole, store) == "finished"
    calls = iter(range(1, 1000))
    assert execute(stopped, store, must_stop=lambda: next(calls) == stop_after) == "interrupted"
    assert stopped.load_checkpoint()["step"] == stop_after
    assert stopped.status["state"] == "interrupted"
    assert execute(stopped, store) == "finished"
    assert same(final(whole), final(stopped))
    for epoch in (1, 2, 4):
        assert whole.sample(epoch).read_bytes() == stopped.sample(epoch).read_bytes()


def test_augmentation_and_noise_resume_exactly_too(tiny, make_run, store, same):
    from bascule.data.augment import Affine, Flip

    recipe = tiny.replace(
        augment=(Flip(), Affine(degrees=10)), space="hsv", interventions=InstanceNoise(), epochs=2
    )
    whole, stopped = make_run(recipe, "whole"), make_run(recipe, "stopped")
    execute(whole, store)
    calls = iter(range(1, 1000))
    execute(stopped, store, must_stop=lambda: next(calls) == 6)
    execute(stopped, store)
    assert same(final(whole), final(stopped))


def test_another_process_may_ask_for_a_stop_without_knowing_who_trains(
    tiny, make_run, store, same, monkeypatch
):
    monkeypatch.setattr("bascule.runs.execute.ASK_EVERY_S", 0.0)
    whole, stopped = make_run(tiny, "whole"), make_run(tiny, "stopped")
    execute(whole, store)

    class Asks(Callback):
        def on_step_end(self, state, seconds):
            if state.step == 6:
                stopped.ask_to_stop()

    assert execute(stopped, store, (Asks(),)) == "interrupted"
    assert stopped.load_checkpoint()["step"] == 6 and stopped.is_asked_to_stop()
    assert execute(stopped, store) == "finished" and not stopped.is_asked_to_stop()
    assert same(final(whole), final(stopped))


# Rules that remember, so eager that they have something to remember at every stop.
STATEFUL = (
    FakeHistory(size=20),
    PseudoAugmentation(target=-1.0, speed_images=100),
    AdaptiveAugment(target=-1.0, speed_images=100),
    ResetD(0.5, 0.5, over_steps=2, wait=(0.5, 0.5)),
)
WARM = WarmStart(2, images=20, batch=8)  # it is over, and the game begins, after the stops


@pytest.mark.parametrize(
    "rules",
    [*((rule,) for rule in STATEFUL), (WARM,), STATEFUL],
    ids=[*(type(rule).__name__ for rule in STATEFUL), "WarmStart", "all of them"],
)
def test_rules_that_remember_resume_exactly_too(tiny, make_run, store, same, rules):
    """Stopped within an epoch and again at the end of one."""
    recipe = tiny.replace(interventions=rules, lr_D=2e-3, top_k=TopK(nu=0.5, gamma=0.8), epochs=3)
    whole, stopped = make_run(recipe, "whole"), make_run(recipe, "stopped")
    execute(whole, store)
    for stop_after, step in ((6, 6), (2, 8)):
        calls = iter(range(1, 1000))
        execute(stopped, store, must_stop=partial(lambda c, n: next(c) == n, calls, stop_after))
        saved = stopped.load_checkpoint()
        assert saved["step"] == step
        assert len(saved["game"]["memory"]) >= len(rules)
    execute(stopped, store)
    assert same(final(whole), final(stopped))
    memory = whole.load_checkpoint()["game"]["memory"]
    for name, value in memory.items():  # none of the rules slept
        if name.endswith(("/p", "/resets")):
            assert value > 0
            assert whole.rows()[-1][name] > 0


@pytest.mark.parametrize("at_epoch", [2, 3])  # 2 has a kept checkpoint, 3 is replayed from it
def test_a_fork_to_rules_that_remember_equals_the_run_that_had_them(
    tiny, make_run, store, same, at_epoch
):
    plain = tiny.replace(lr_D=2e-3)
    recipe = plain.replace(
        interventions=tuple(replace(rule, from_epoch=at_epoch) for rule in STATEFUL)
    )
    parent, scratch = make_run(plain, "parent"), make_run(recipe, "scratch")
    execute(parent, store)
    execute(scratch, store)
    branch = fork(store, parent, at_epoch, recipe, "branch")
    execute(branch, store)
    assert same(final(branch), final(scratch))
    assert branch.load_checkpoint()["game"]["memory"]
    assert not same(branch.load_checkpoint()["game"], parent.load_checkpoint()["game"])
    names = [row.keys() for row in branch.rows()]
    assert names[0] == names[at_epoch - 1] == parent.rows()[0].keys()


def test_a_fork_of_a_run_whose_rule_remembers_goes_on_with_its_memory(tiny, make_run, store, same):
    history = FakeHistory(size=20)
    parent = make_run(tiny.replace(interventions=history), "parent")
    execute(parent, store)
    recipe = tiny.replace(interventions=(history, RealsAmongFakes(t=2, from_epoch=3)))
    scratch = make_run(recipe, "scratch")
    execute(scratch, store)
    branch = fork(store, parent, 3, recipe, "branch")
    execute(branch, store)
    assert same(final(branch), final(scratch))
    assert not same(branch.load_checkpoint()["game"], parent.load_checkpoint()["game"])


def test_no_diagnostics_once_D_is_shown_what_is_held_out(tiny, make_run, store, same, monkeypatch):
    monkeypatch.setattr(executing, "Diagnostics", partial(Diagnostics, pace_images=1))
    runs = {}
    for of in ("other", "held_out"):
        runs[of] = make_run(tiny.replace(interventions=PerfectG(2, of=of)), of)
        assert execute(runs[of], store) == "finished"
        assert len(runs[of].rows()) == 4
    assert [row["epoch"] for row in runs["other"].diagnostics()] == [0, 1, 2, 3]
    assert runs["held_out"].diagnostics() == []

    parent = make_run(tiny, "parent")
    execute(parent, store)
    branch = fork(store, parent, 2, runs["held_out"].recipe, "branch")
    execute(branch, store)
    assert branch.diagnostics() == parent.diagnostics()[:2]  # those of its past
    assert same(branch.load_checkpoint()["game"], runs["held_out"].load_checkpoint()["game"])


def test_perfect_g_resumes_exactly_whosever_pictures_it_shows(tiny, make_run, store, same):
    changes = (PerfectG(1, of="other"), PerfectG(2, of="held_out"))
    recipe = tiny.replace(interventions=changes)
    whole, stopped = make_run(recipe, "whole"), make_run(recipe, "stopped")
    execute(whole, store)
    calls = iter(range(1, 1000))
    execute(stopped, store, must_stop=lambda: next(calls) in (6, 10))
    execute(stopped, store, must_stop=lambda: next(calls) in (6, 10))
    assert stopped.load_checkpoint()["step"] == 10
    execute(stopped, store)
    assert same(final(whole), final(stopped))


def test_a_run_of_a_device_that_is_not_here_is_refused(tiny, make_run, store, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = make_run(tiny.replace(device="cuda"))
    with pytest.raises(UserError, match="no CUDA device; use device=cpu, with `bascule fork`"):
        execute(run, store)
    assert not run.rows()


def test_a_finished_run_is_left_alone(tiny, make_run, store):
    run = make_run(tiny.replace(epochs=1))
    execute(run, store)
    before = {p: p.stat().st_mtime_ns for p in run.folder.rglob("*") if p.name != ".lock"}
    assert execute(run, store) == "finished"
    assert before == {p: p.stat().st_mtime_ns for p in run.folder.rglob("*") if p.name != ".lock"}


def test_callbacks_change_nothing(tiny, make_run, store, same):
    class Nosy(Callback):
        def on_step_end(self, state, seconds):
            state.trainer.game.D.training and state.partial["loss_D"][-1].item()

        def on_epoch_end(self, record):
            record.trainer.game.G.state_dict()

    watched = make_run(tiny.replace(sample_every_epochs=1), "watched")
    alone = make_run(tiny.replace(sample_every_epochs=4), "alone")
    execute(watched, store, (Nosy(),))
    execute(alone, store)
    assert same(final(watched), final(alone))


def test_signals_at_a_random_moment(tiny, make_run, store, same):
    recipe = tiny.replace(epochs=60, keep_every_epochs=1)
    whole = make_run(recipe, "whole")
    execute(whole, store)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        hit = make_run(recipe, number.name)
        command = [sys.executable, "-m", "bascule", "--runs", str(store.root), "resume", hit.id]
        worker = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while len(hit.rows()) < 3 and worker.poll() is None:
            time.sleep(0.005)
        worker.send_signal(number)
        said = worker.stderr.read()
        assert worker.wait() == (130 if number != signal.SIGKILL else -signal.SIGKILL), said
        assert hit.status["state"] == "interrupted"
        assert 3 <= len(hit.rows()) < 60
        hit.load_checkpoint()
        execute(hit, store)
        assert same(final(whole), final(hit)), number.name


def test_a_loss_that_is_not_finite_is_refused_and_the_good_checkpoint_stays(
    tiny, make_run, store, monkeypatch
):
    run = make_run(tiny)
    calls = iter(range(1, 1000))
    execute(run, store, must_stop=lambda: next(calls) == 6)
    good = run.checkpoint().read_bytes()

    def broken(game, real, now, change, rules, labels):
        return {"loss_D": real.mean() * float("nan")}

    monkeypatch.setattr(gan, "gan_step", broken)
    with pytest.raises(UserError, match=r"loss_D is not finite in epoch 1 .*checkpoint is kept"):
        execute(run, store)
    assert run.checkpoint().read_bytes() == good
    assert run.status["state"] == "failed"


def test_a_full_disk_keeps_the_last_good_checkpoint(tiny, make_run, store, monkeypatch, same):
    whole, run = make_run(tiny, "whole"), make_run(tiny, "run")
    execute(whole, store)
    calls = iter(range(1, 1000))
    execute(run, store, must_stop=lambda: next(calls) == 6)
    good = run.checkpoint().read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", full)
        with pytest.raises(UserError, match="no space left"):
            execute(run, store)
    assert run.checkpoint().read_bytes() == good
    assert not list(run.folder.rglob("*.partial"))
    execute(run, store)
    assert same(final(whole), final(run))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no room"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 4 GB"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_memory_left_names_batch_and_model(tiny, make_run, store, same, monkeypatch, error):
    run = make_run(tiny)
    real_step, calls = gan.gan_step, iter(range(100))

    def step(*args):
        if next(calls) == 5:
            raise error
        return real_step(*args)

    monkeypatch.setattr(gan, "gan_step", step)
    with pytest.raises(
        UserError, match=r"out of memory with batch=8 and model=DCGAN.width=4"
    ) as said:
        execute(run, store)
    assert "\n" not in str(said.value) and run.status["state"] == "failed"
    assert run.status["message"] == str(said.value)
    monkeypatch.setattr(gan, "gan_step", real_step)
    assert execute(run, store) == "finished"
    whole = make_run(tiny, "whole")
    execute(whole, store)
    assert same(final(whole), final(run))


def test_two_processes_cannot_train_one_run(tiny, make_run, store):
    run = make_run(tiny)
    with run.lock(), pytest.raises(UserError, match="another process"):
        execute(run, store)


def test_other_images_than_at_the_start_are_refused(tiny, store):
    run = store.create(tiny, "run", "0" * 64)
    with pytest.raises(UserError, match="other images"):
        execute(run, store)


def test_a_broken_checkpoint_is_named(tiny, make_run, store):
    run = make_run(tiny)
    run.checkpoint().write_bytes(b"torn")
    with pytest.raises(UserError, match=r"cannot read the checkpoint .*last\.pt"):
        execute(run, store)


def test_checkpoints_are_kept_where_a_change_acts(tiny, make_run, store):
    run = make_run(tiny.replace(interventions=PerfectG(at_epoch=3)))
    execute(run, store)
    assert run.kept_epochs() == [2, 3, 4]


def test_a_set_with_one_held_out_image_trains_without_diagnostics(tiny, make_run, store):
    run = make_run(tiny.replace(data=Faces(n=12, size=32), epochs=1))
    assert len(run.recipe.data.load().indices("held_out")) == 1
    assert execute(run, store) == "finished"
    assert run.diagnostics() == [] and len(run.rows()) == 1


def test_a_run_is_trained_in_a_thread_too_and_stops_with_the_main_one(tiny, make_run, store, same):
    whole, threaded = make_run(tiny, "whole"), make_run(tiny, "threaded")
    execute(whole, store)
    told = []

    def train():
        told.append(execute(threaded, store, (Interrupts(),)))

    class Interrupts(Callback):
        def on_epoch_end(self, record):
            if record.row["epoch"] == 1:
                signal.raise_signal(signal.SIGTERM)  # the main thread handles it

    with executing.stop_signals() as stopped:
        thread = threading.Thread(target=train)
        thread.start()
        while thread.is_alive():
            thread.join(0.01)
        assert stopped()
    assert told == ["interrupted"] and len(threaded.rows()) < 4
    thread = threading.Thread(target=lambda: told.append(execute(threaded, store)))
    thread.start()
    thread.join()
    assert told[1] == "finished" and same(final(whole), final(threaded))

"""Runs as jobs of a cluster: submitit on this machine, which needs no queue."""

import time
from pathlib import Path

import pytest

from bascule import jobs
from bascule.core.errors import UserError
from bascule.experiments import Experiment, Within, schedule
from bascule.experiments.launchers import LocalLauncher, SubmititLauncher, Work
from bascule.experiments.schedule import gather, plan, run_all
from bascule.runs.execute import execute, stop_signals
from bascule.training.hardware import resolve_auto

pytestmark = pytest.mark.real_workers


@pytest.fixture
def experiment(tiny):
    return Experiment(
        question="?",
        hypothesis="!",
        arms={"plain": tiny.replace(keep_every_epochs=tiny.epochs)},
        predictions=[Within("D_x", "plain", 0, 0.99)],
        seeds=(0,),
        name="clustered",
    )


@pytest.fixture
def cluster(tmp_path):
    return SubmititLauncher("local", tmp_path / "jobs", 2, {"timeout_min": "30"})


def run(experiment, store, launcher, watch=lambda jobs: None):
    planned = plan(experiment, experiment.seeds)
    digests = {planned[0].recipe.data: planned[0].recipe.data.load().digest}
    return planned, run_all(planned, experiment, store, digests, watch, launcher)


def test_jobs_train_what_processes_train(experiment, store, cluster, make_run, same):
    planned, word = run(experiment, store, cluster)
    assert word == "finished"
    results = gather(planned, experiment, experiment.seeds)
    assert set(results.runs["plain"]) == {0} and not results.failures
    lone = make_run(planned[0].recipe, "lone")
    assert execute(lone, store) == "finished"
    ours, theirs = (r.load_checkpoint()["game"] for r in (results.runs["plain"][0], lone))
    assert same(ours, theirs)


def test_a_job_that_is_cancelled_saves_its_run(experiment, store, cluster, tiny):
    """As Ctrl-C does with processes; the same call goes on from there."""
    from dataclasses import replace

    long = replace(experiment, arms={"plain": tiny.replace(epochs=9000)}, seeds=(0,))
    job = plan(long, (0,))[0]
    images = job.recipe.data.load()
    made = store.create(job.recipe, "clustered plain s0", images.digest)
    folder = made.folder.resolve()
    jobs.write(jobs.TrainRun(str(store.root.resolve()), str(folder)), folder / "train.json")
    with stop_signals():  # as a scheduler: what ignores SIGINT would hand that down to its jobs
        process = cluster.start(folder / "train.json", folder / "errors.log", 1)
    deadline = time.monotonic() + 90
    while not made.rows():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    process.wait()
    assert made.status["state"] == "interrupted"
    assert 1 <= made.load_checkpoint()["epoch"] < 9000


def test_a_failing_job_is_told(cluster, tmp_path):
    process = cluster.start(tmp_path / "gone.json", tmp_path / "log", 1)
    assert process.wait() == 2
    told = (tmp_path / "log").read_text()
    assert told.startswith(f"bascule: cannot read the job {tmp_path / 'gone.json'}")
    assert told.count("\n") == 1


def test_before_its_time_is_up_a_job_queues_itself_again():
    work = Work("job.json", "log", 1)
    assert work.checkpoint().function is work


@pytest.mark.parametrize(
    ("kind", "at_once", "settings", "message"),
    [
        ("slurms", 1, {}, "unknown cluster 'slurms': did you mean slurm"),
        ("local", 0, {}, "--jobs 0: expected at least 1"),
        ("local", 1, {"slrm_partition": "gpu"}, "the cluster 'local' cannot be used"),
        ("slurm", 1, {}, "the cluster 'slurm' cannot be used"),
    ],
)
def test_what_is_no_cluster_is_refused_in_one_line(tmp_path, kind, at_once, settings, message):
    with pytest.raises(UserError) as refused:
        SubmititLauncher(kind, tmp_path, at_once, settings)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_the_command_line_says_where(bascule, tmp_path):
    here = ("run", str(Path(__file__).parents[2] / "experiments" / "perfect_g.py"), "--quick")
    code, _, err = bascule(*here, "--job-set", "timeout_min=5")
    assert code == 2 and "--job-set timeout_min=5 needs --cluster" in err
    code, _, err = bascule(*here, "--cluster", "local", "--job-set", "timeout_min")
    assert code == 2 and "expected NAME=VALUE, e.g. --job-set timeout_min=60" in err
    code, _, err = bascule(*here, "--cluster", "local")
    assert code == 2 and "set both, e.g. --set device=cuda precision=bf16" in err


def test_what_a_cluster_offers_cannot_be_known_here(tiny):
    with pytest.raises(UserError, match="device=auto"):
        resolve_auto(tiny.replace(device="auto"), here=False)
    assert resolve_auto(tiny.replace(device="cuda"), here=False).device == "cuda"


@pytest.mark.parametrize(
    ("device", "at_once", "room_beside"),
    [("cpu", None, 1), ("cuda", None, 0), ("cuda", 3, 2), ("cpu", 1, 0)],
)
def test_cores_a_gpu_or_the_user_say_how_many_run_at_once(
    experiment, monkeypatch, device, at_once, room_beside
):
    monkeypatch.setattr(schedule, "cores", lambda: 2)
    all_of_them = plan(experiment, range(4))
    recipe = all_of_them[0].recipe.replace(device=device, threads=1)
    room = []
    for job in all_of_them:
        room.append(schedule._has_room(all_of_them, 0, recipe, LocalLauncher(at_once)))
        job.state = "running"
        job.recipe = recipe
    assert room.index(False) == 1 + room_beside


def test_no_job_at_once_is_refused():
    with pytest.raises(UserError, match="--jobs 0: expected at least 1"):
        LocalLauncher(0)

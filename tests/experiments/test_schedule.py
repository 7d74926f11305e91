"""Arms on matched seeds: what is shared, what runs, what happens when something fails."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bascule.core.errors import InUse, UserError
from bascule.core.user_code import load_file
from bascule.experiments import Experiment, Within
from bascule.experiments.schedule import (
    curve,
    find_runs,
    gather,
    plan,
    run_all,
    shared_epochs,
)
from bascule.interventions import InstanceNoise, NoiseOnReals, PerfectG
from bascule.runs.execute import execute


@pytest.fixture
def experiment(tiny):
    tiny = tiny.replace(keep_every_epochs=tiny.epochs)  # nothing on the way
    swap = PerfectG(at_epoch=2)
    return Experiment(
        question="?",
        hypothesis="!",
        arms={
            "plain": tiny,
            "swap": tiny.replace(interventions=swap),
            "noised": tiny.replace(interventions=[swap, InstanceNoise()]),
        },
        predictions=[Within("D_x", "plain", 0, 0.99)],
        seeds=(0, 1),
        name="small",
    )


def test_shared_epochs(tiny):
    swap, noise = PerfectG(at_epoch=3), NoiseOnReals(from_epoch=2)
    changed = tiny.replace(interventions=[swap, noise])
    assert shared_epochs(tiny, tiny.replace(interventions=swap)) == 3
    assert shared_epochs(tiny, changed) == 2
    assert shared_epochs(tiny.replace(interventions=swap), changed) == 2
    assert shared_epochs(tiny.replace(interventions=noise), changed) == 0  # not a mere addition
    assert shared_epochs(tiny, tiny.replace(interventions=InstanceNoise())) == 0  # acts at once
    assert shared_epochs(tiny, tiny.replace(interventions=swap, lr_D=1e-5)) == 0
    assert (
        shared_epochs(tiny.replace(epochs=2), tiny.replace(interventions=noise)) == 0
    )  # ends too soon
    assert shared_epochs(tiny, tiny) == 0
    cooled = tiny.replace(lr_decay=0.5)
    assert shared_epochs(cooled, cooled.replace(interventions=swap)) == 3
    assert shared_epochs(tiny.replace(interventions=swap), cooled.replace(interventions=swap)) == 3
    assert shared_epochs(cooled, tiny) == 3  # from the third epoch on rates are lower
    assert shared_epochs(tiny.replace(epochs=8), cooled.replace(epochs=8, interventions=swap)) == 3
    assert shared_epochs(tiny.replace(epochs=8), cooled.replace(epochs=8)) == 5
    assert shared_epochs(tiny, cooled.replace(lr_D=1e-5)) == 0


def test_recipes_that_cannot_have_each_other_s_length_share_nothing(tiny_hybrid):
    short, long = tiny_hybrid.replace(code_epochs=0, epochs=2), tiny_hybrid.replace(lr_decay=0.5)
    assert shared_epochs(short, long) == 0  # 2 epochs would leave `long` none for pixels
    assert shared_epochs(tiny_hybrid, long) == long.decays_from


def test_plan_matches_seeds_and_starts_with_trunks(experiment):
    jobs = plan(experiment, [3, 4])
    assert [(j.arm, j.seed) for j in jobs] == [
        ("plain", 3),
        ("noised", 3),
        ("plain", 4),
        ("noised", 4),
        ("swap", 3),
        ("swap", 4),
    ]
    assert [j.shared_epochs for j in jobs] == [0, 0, 0, 0, 2, 2]
    assert plan(experiment, [3], ["swap"])[0].trunk is None
    with pytest.raises(UserError, match="unknown arm 'swop': did you mean swap"):
        plan(experiment, [3], ["swop"])


def run(experiment, store, seeds):
    jobs = plan(experiment, seeds)
    digest = experiment.arms["plain"].data.load().digest
    digests = {job.recipe.data: digest for job in jobs}
    assert run_all(jobs, experiment, store, digests, lambda jobs: None) == "finished"
    return jobs, gather(jobs, experiment, seeds)


def test_the_scheduled_runs_equal_lone_ones_and_are_reused(experiment, store, make_run, same):
    jobs, results = run(experiment, store, [0, 1])
    assert not results.failures
    assert results.verdict.why.startswith("two seeds cannot tell")
    for arm, recipe in experiment.arms.items():
        lone = make_run(recipe.replace(seed=1), f"lone {arm}")
        execute(lone, store)
        assert same(lone.load_checkpoint(), results.runs[arm][1].load_checkpoint())
    assert results.runs["plain"][0].kept_epochs() == [2, 4]  # "swap" forks after 2
    shared = results.curves["plain"][0]["loss_D"][:2]
    assert np.array_equal(shared, results.curves["swap"][0]["loss_D"][:2])
    assert not np.array_equal(shared, results.curves["plain"][1]["loss_D"][:2])

    before = {r.id: (r.folder / "run.json").stat().st_mtime_ns for r in store.runs()}
    again, _ = run(experiment, store, [0, 1])
    assert [job.run for job in again] == [job.run for job in jobs]
    assert before == {r.id: (r.folder / "run.json").stat().st_mtime_ns for r in store.runs()}


def test_a_failed_run_is_told_and_the_others_finish(experiment, store, make_run):
    plain = plan(experiment, [1])[0]
    assert plain.arm == "plain"
    broken = make_run(plain.recipe, "small plain s1")
    broken.checkpoint().write_bytes(b"torn")
    _, results = run(experiment, store, [1])
    assert set(results.failures) == {"plain, seed 1", "swap, seed 1"}
    assert "cannot read the checkpoint" in results.failures["plain, seed 1"]
    assert "whose past it shares" in results.failures["swap, seed 1"]
    assert results.verdict.word == "inconclusive"
    assert set(results.runs["noised"]) == {1}


def test_one_process_at_a_time_runs_an_experiment(experiment, store):
    held = (
        "import sys; from pathlib import Path; from bascule.runs.store import Store\n"
        "with Store(Path(sys.argv[1])).lock(sys.argv[2]): print('held', flush=True); input()"
    )
    words = [sys.executable, "-c", held, str(store.root), experiment.name]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InUse, match=f"the experiment {experiment.name} is being run by an"):
            run(experiment, store, [0])
        assert store.runs() == []
        other.kill()
    _, results = run(experiment, store, [0])
    assert not results.failures


OWN = """
from dataclasses import dataclass

from bascule.interventions import Intervention

@dataclass(frozen=True)
class Dim(Intervention):
    def augment(self, x, now):
        return x * 0.5
"""


def test_a_run_of_another_machine_is_found_with_code_of_the_users_and_not_with_other_code(
    experiment, store, tiny, tmp_path
):
    def asked(source):
        (tmp_path / "own.py").write_text(source, "utf-8")
        recipe = tiny.replace(interventions=load_file(tmp_path / "own.py").Dim())
        return replace(experiment, arms={"plain": recipe.replace(device="auto", threads=None)})

    def found(one):
        (job,) = jobs = plan(one, [0])
        find_runs(jobs, one, store, {job.recipe.data: "d"})
        return job.state == "finished" and job.run.id

    one = asked(OWN)
    there = one.arms["plain"].replace(device="cuda", threads=7, precision="fp32")
    run = store.create(there, "small plain s0", "d")
    assert not found(one)  # not finished
    run.set_status("finished")
    assert found(one) == run.id
    assert not found(asked(OWN.replace("0.5", "0.4")))


def test_each_arm_shares_the_longest_past_of_any_arm_before_it(experiment, tiny):
    other = tiny.replace(lr_D=1e-5)
    arms = {
        **experiment.arms,
        "other": other,
        "other, swapped": other.replace(interventions=PerfectG(at_epoch=3), epochs=5),
    }
    jobs = {job.arm: job for job in plan(replace(experiment, arms=arms), [0])}
    assert jobs["swap"].trunk is jobs["plain"]
    assert jobs["other"].trunk is None
    assert jobs["other, swapped"].trunk is jobs["other"]
    assert jobs["other, swapped"].shared_epochs == 3


def test_runs_are_found_and_never_made(experiment, store, make_run, tiny):
    digest = tiny.data.load().digest
    jobs = plan(experiment, [0])
    name = "small plain s0"
    execute(store.create(jobs[0].recipe, name, digest), store)
    store.create(jobs[1].recipe, "small noised s0", digest)
    before = len(store.runs())
    find_runs(jobs, experiment, store, {job.recipe.data: digest for job in jobs})
    told = {job.arm: (job.state, job.message) for job in jobs}
    assert told == {
        "plain": ("finished", ""),
        "noised": ("failed", "not finished yet"),
        "swap": ("failed", "not started yet"),
    }
    assert len(store.runs()) == before


def test_a_curve_holds_all_that_was_measured_and_nan_where_nothing_was(make_run, tiny):
    run = make_run(tiny)
    run.set_rows([{"epoch": e, "step": e, "D_x": 0.5 + e / 10, "D_Gz": 0.25} for e in range(3)])
    run.set_diagnostics([{"epoch": 1, "step": 9, "mmd": 0.75, "D_x": 9.0}])
    found = curve(run)
    assert found["lead"] == pytest.approx([0.25, 0.35, 0.45])
    assert np.array_equal(found["mmd"], [np.nan, 0.75, np.nan], equal_nan=True)
    assert found["D_x"].max() < 1  # the game's own row counts
    assert list(found["step"]) == [0, 1, 2]


def test_a_run_that_a_person_stops_is_not_started_again(experiment, store, tiny):
    slow = tiny.replace(epochs=200, keep_every_epochs=200)
    one = replace(experiment, arms={"plain": slow})
    jobs = plan(one, [0])

    def watch(jobs):
        if jobs[0].run is not None and jobs[0].run.status["state"] == "running":
            jobs[0].run.ask_to_stop()

    assert run_all(jobs, one, store, {tiny.data: tiny.data.load().digest}, watch) == "finished"
    assert jobs[0].state == "failed" and "bascule resume" in jobs[0].message
    assert jobs[0].run.status["state"] == "interrupted"

"""A fork shares everything with its parent but the change."""

from pathlib import Path

import pytest

from bascule.core.errors import UserError
from bascule.interventions import InstanceNoise, PerfectG
from bascule.runs.execute import execute
from bascule.runs.fork import fork, lengthened, longer
from bascule.runs.store import Fork, Store


def weights(run):
    return run.load_checkpoint()["game"]


@pytest.mark.parametrize("at_epoch", [2, 3])  # 2 has a kept checkpoint, 3 is replayed from it
def test_a_fork_equals_the_run_that_had_the_rule_from_the_start(
    tiny, make_run, store, same, at_epoch
):
    parent = make_run(tiny, "parent")
    execute(parent, store)
    recipe = tiny.replace(interventions=PerfectG(at_epoch))
    scratch = make_run(recipe, "scratch")
    execute(scratch, store)
    branch = fork(store, parent, at_epoch, recipe, "branch")
    assert len(branch.rows()) == 2
    execute(branch, store)
    assert same(weights(branch), weights(scratch))
    assert not same(weights(branch), weights(parent))
    assert [r["loss_D"] for r in branch.rows()] == [r["loss_D"] for r in scratch.rows()]
    assert branch.fork is not None and branch.fork.parent == parent.id
    assert branch.diagnostics() == scratch.diagnostics()
    assert "old_fakes_epoch_1" in branch.diagnostics()[-1]  # drawn before the branch


def test_a_fork_before_any_checkpoint_replays_its_parent(tiny, make_run, store, same):
    parent = make_run(tiny.replace(keep_every_epochs=4), "parent")
    execute(parent, store)
    noise = parent.recipe.replace(
        interventions=InstanceNoise()
    )  # would act from the start, if it could
    branch = fork(store, parent, 1, noise, "branch")
    execute(branch, store)
    assert branch.rows()[0]["loss_D"] == parent.rows()[0]["loss_D"]
    assert branch.rows()[1]["loss_D"] != parent.rows()[1]["loss_D"]


def test_a_replayed_past_has_its_parents_rates_and_arithmetic(tiny, make_run, store, same):
    recipes = (
        tiny,
        tiny.replace(keep_every_epochs=4),
    )  # the second keeps no checkpoint to fork from
    forks = []
    for name, recipe in zip(("kept", "replayed"), recipes, strict=True):
        parent = make_run(recipe, name)
        execute(parent, store)
        changed = recipe.replace(lr_D=1e-6, beta2=0.9, precision="bf16", fused_adam=False)
        branch = fork(store, parent, 2, changed, f"{name} branch")
        execute(branch, store)
        for ours, theirs in zip(branch.rows()[:2], parent.rows()[:2], strict=True):
            assert ours["loss_D"] == theirs["loss_D"]
        assert branch.rows()[2]["loss_D"] != parent.rows()[2]["loss_D"]
        forks.append(branch)
    assert same(weights(forks[0])["D"], weights(forks[1])["D"])


def test_a_fork_may_last_longer_and_learn_at_another_rate(tiny, make_run, store):
    parent = make_run(tiny, "parent")
    execute(parent, store)
    longer = fork(store, parent, 4, tiny.replace(epochs=5), "longer")
    execute(longer, store)
    assert len(longer.rows()) == 5
    slower = fork(store, parent, 2, tiny.replace(lr_D=1e-6), "slower")
    execute(slower, store)
    assert slower.load_checkpoint()["game"]["opt_D"]["param_groups"][0]["lr"] == 1e-6
    assert slower.rows()[2]["loss_D"] != parent.rows()[2]["loss_D"]


def test_of_a_running_or_stopped_parent(tiny, make_run, store):
    parent = make_run(tiny, "parent")
    calls = iter(range(1, 1000))
    execute(parent, store, must_stop=lambda: next(calls) == 10)
    fork(store, parent, 2, tiny.replace(interventions=PerfectG(2)), "branch")
    with pytest.raises(UserError, match="has 2 complete epochs; expected 1 to 2"):
        fork(store, parent, 3, tiny.replace(interventions=PerfectG(3)), "branch")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"batch": 4}, "keeps its parent's batch"),
        ({"seed": 3}, "keeps its parent's seed"),
        ({"epochs": 2}, "needs more than 2 epochs"),
    ],
)
def test_what_a_fork_cannot_change(tiny, make_run, store, change, told):
    parent = make_run(tiny, "parent")
    execute(parent, store)
    with pytest.raises(UserError, match=told):
        fork(store, parent, 2, tiny.replace(**change), "branch")


def test_a_fork_of_a_fork(tiny, make_run, store, same):
    trunk = make_run(tiny.replace(keep_every_epochs=4), "trunk")
    execute(trunk, store)
    swapped = tiny.replace(interventions=PerfectG(2), keep_every_epochs=4)
    noised = swapped.replace(interventions=[PerfectG(2), InstanceNoise(from_epoch=3)])
    first = fork(store, trunk, 2, swapped, "first")
    execute(first, store)
    second = fork(store, first, 3, noised, "second")
    execute(second, store)
    scratch = make_run(noised, "scratch")
    execute(scratch, store)
    assert second.fork == Fork(first.id, 3)
    assert same(weights(second), weights(scratch))

    before = fork(store, first, 1, tiny.replace(interventions=PerfectG(1)), "before its branch")
    assert before.fork == Fork(trunk.id, 1)


@pytest.mark.parametrize(("decay", "shared"), [(0.0, 4), (0.5, 3), (1.0, 1)])
def test_a_longer_run_is_that_of_its_length_from_the_start(
    tiny, make_run, store, same, tmp_path, decay, shared
):
    """It leaves the shorter one before the rates fall there."""
    tiny = tiny.replace(lr_decay=decay)
    short = make_run(tiny, "short")
    execute(short, store)
    recipe, at_epoch = longer(short, 6)
    assert at_epoch == shared and recipe == tiny.replace(epochs=6)
    run = lengthened(store, short, recipe, at_epoch)
    execute(run, store)
    other = Store(tmp_path / "elsewhere")
    scratch = other.create(recipe, "scratch", recipe.data.load().digest)
    execute(scratch, other)
    assert same(weights(run), weights(scratch))
    assert [r["loss_D"] for r in run.rows()] == [r["loss_D"] for r in scratch.rows()]
    assert len(short.rows()) == 4  # the shorter one stays as it is
    assert lengthened(store, short, recipe, at_epoch).id == run.id  # and it is found again


def test_a_run_is_not_made_shorter_and_not_begun(tiny, make_run, store):
    run = make_run(tiny)
    with pytest.raises(UserError, match="has no complete epoch"):
        longer(run, 6)
    execute(run, store)
    for epochs in (3, 4):
        with pytest.raises(UserError, match=f"--epochs {epochs}: .* has 4 epochs; expected more"):
            longer(run, epochs)


def test_the_verb_goes_on_with_more_epochs(bascule):
    small = ("data=Faces(n=40, size=32)", "model.width=4", "batch=8", "epochs=4", "lr_decay=0.5")
    small = (*small, "threads=1", "device=cpu", "precision=fp32")
    assert bascule("train", "dcgan64-tiny", "--name", "mine", "--set", *small)[0] == 0
    code, _, err = bascule("resume", "mine", "--epochs", "6")
    assert code == 0 and "the longer run leaves it after 3 epochs" in err, err
    runs = Store(Path("runs")).runs()
    assert sorted(len(run.rows()) for run in runs) == [4, 6]

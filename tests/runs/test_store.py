"""A run is a folder: whole or absent, found by name, and enough to know all about the run."""

import errno
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import time
from datetime import datetime
from typing import Any

import pytest
import torch

import bascule
from bascule.core import trust
from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.schedules import Uniform
from bascule.core.user_code import classes_in_file
from bascule.interventions import NoiseOnReals, PerfectG
from bascule.interventions.foreign import Foreign
from bascule.runs import codec
from bascule.runs import store as store_module
from bascule.runs.store import Fork, Run, Store, code_version, slug

UNIX = pytest.mark.skipif(os.name == "nt", reason="needs fork and flock")
DATA = "d" * 64

BROUGHT = '''
from dataclasses import dataclass
from bascule.interventions import Intervention
from bascule.core.schedules import Schedule, Uniform

@dataclass(frozen=True)
class Dim(Intervention):
    """D sees everything darker: été, 暗い."""
    factor: Schedule = Uniform(0.25, 0.75)

    def augment(self, x, now):
        return x * FACTOR
'''


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def refusal(call, *args) -> str:
    with pytest.raises(UserError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def experiment_file(tmp_path):
    path = tmp_path / "my_experiment.py"
    path.write_text(BROUGHT.replace("FACTOR", "0.5"), "utf-8")
    return path


# creation


def test_a_run_folder_holds_the_whole_recipe(tiny, store):
    recipe = tiny.replace(interventions=[PerfectG(2, Uniform(0.0, 0.5)), NoiseOnReals(0.25)])
    run = store.create(recipe, "run", DATA)
    written = json.loads((run.folder / "recipe.json").read_text("utf-8"))
    assert written == {"recipe_format": 1} | codec.encode(recipe)
    assert Run(run.folder).recipe == recipe
    assert names(run.folder) == {"recipe.json", "run.json", "samples", "checkpoints"}


def test_a_run_folder_says_where_it_comes_from(tiny, store):
    before = datetime.now().astimezone().replace(microsecond=0)
    run = store.create(tiny, "a name", DATA)
    about = json.loads((run.folder / "run.json").read_text("utf-8"))
    assert set(about) == {"name", "created", "code", "machine", "data_digest", "fork"}
    assert (about["name"], about["data_digest"], about["fork"]) == ("a name", DATA, None)
    assert before <= datetime.fromisoformat(about["created"]) <= datetime.now().astimezone()
    assert about["code"].startswith(bascule.__version__)
    assert about["machine"]["torch"] == torch.__version__
    assert about["machine"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (run.name, run.fork) == ("a name", None)


def test_an_id_is_date_slug_and_digest(tiny, store):
    run = store.create(tiny, "Perfect G, seed 3", DATA)
    key = codec.digest((tiny, DATA, None))
    assert run.id == f"{datetime.now():%Y%m%d}-perfect-g-seed-3-{key}"
    assert run.folder == store.root / run.id


def test_the_same_run_is_created_once(tiny, store):
    first = store.create(tiny, "run", DATA)
    before = first.folder.stat().st_mtime_ns
    again = store.create(tiny.replace(), "run", DATA)
    assert again.folder == first.folder and names(store.root) == {first.id}
    assert first.folder.stat().st_mtime_ns == before


def test_the_same_run_is_found_again_on_another_day(tiny, store):
    first = store.create(tiny, "run", DATA)
    old = first.folder.with_name("20200229-" + first.id.partition("-")[2])
    first.folder.rename(old)
    assert store.create(tiny, "run", DATA).folder == old


def test_another_recipe_data_or_name_is_another_run(tiny, store):
    ids = [
        store.create(tiny, "run", DATA).id,
        store.create(tiny.replace(seed=1), "run", DATA).id,
        store.create(tiny, "run", "e" * 64).id,
        store.create(tiny, "run 2", DATA).id,
    ]
    assert len(set(ids)) == 4 and names(store.root) == set(ids)


def test_a_fork_is_another_run_unless_its_past_is_its_recipes_own(tiny, store):
    plain = store.create(tiny, "run", DATA)
    branch = store.create(tiny, "run", DATA, Fork(plain.id, 2))
    later = store.create(tiny, "run", DATA, Fork(plain.id, 3))
    assert len({plain.id, branch.id, later.id}) == 3
    assert Run(branch.folder).fork == Fork(plain.id, 2)
    assert store.create(tiny, "run", DATA, Fork(plain.id, 2)) == branch
    assert store.create(tiny, "run", DATA, Fork(plain.id, 2), keyed=False) == plain


def test_an_unkeyed_fork_is_where_its_plain_recipe_is_looked_for(tiny, store):
    branch = store.create(tiny, "run", DATA, Fork("parent", 2), keyed=False)
    assert branch.fork == Fork("parent", 2)
    assert store.create(tiny, "run", DATA) == branch


def full(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "mkdir"])
def test_a_full_disk_leaves_no_run(tiny, store, monkeypatch, call):
    store.root.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        assert "no space left" in refusal(store.create, tiny, "run", DATA)
    assert store.runs() == []
    assert not [name for name in names(store.root) if not name.startswith(".")]


@pytest.mark.parametrize("call", ["fsync", "rename"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, PermissionError])
def test_a_creation_that_breaks_off_leaves_no_run(tiny, store, monkeypatch, call, error):
    def broken(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, call, broken)
        with pytest.raises(error):
            store.create(tiny, "run", DATA)
    assert store.runs() == []


def test_a_creation_after_one_that_broke_off(tiny, store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refusal(store.create, tiny, "run", DATA)
    run = store.create(tiny, "run", DATA)
    assert names(store.root) == {run.id}


@UNIX
def test_a_creation_after_one_that_was_killed(tiny, store, monkeypatch):
    """In a container every process may have the number 1."""
    monkeypatch.setattr(os, "getpid", lambda: 1)

    def create_and_die() -> None:
        os.fsync = lambda handle: signal.raise_signal(signal.SIGKILL)
        store.create(tiny, "run", DATA)

    worker = multiprocessing.get_context("fork").Process(target=create_and_die)
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert store.runs() == []
    assert store.create(tiny, "run", DATA).recipe == tiny


# names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Perfect G, every input noised", "perfect-g-every-input-noised"),
        ("  a/b\\c:d*e?  ", "a-b-c-d-e"),
        ("../../etc", "etc"),
        ("Réglage à l'été", "réglage-à-l-été"),
        ("完璧なG、ノイズ付き", "完璧なg-ノイズ付き"),
        ("λ=0.5", "λ-0-5"),
    ],
)
def test_slugs_are_fit_for_files(name, expected):
    assert slug(name) == expected


@pytest.mark.parametrize("name", ["Réglage à l'été", "完璧なG、ノイズ付き", "!?", "a\tb 'c' \"d\""])
def test_any_name_is_kept_letter_for_letter(tiny, store, name):
    run = store.create(tiny, name, DATA)
    run.set_status("failed", message=f"raté : {name}")
    (again,) = store.runs()
    assert again.name == name
    assert again.status["message"] == f"raté : {name}"
    assert store.find(name) == again
    assert store.create(tiny, name, DATA) == run


@pytest.mark.parametrize("name", ["a very long arm " * 20, "ノイズ" * 40])
def test_a_long_name_is_no_trouble(tiny, store, name):
    assert store.find(store.create(tiny, name, DATA).id).name == name


# finding


@pytest.fixture
def three(tiny, store) -> dict[str, Run]:
    names = ["Perfect G", "Perfect G, noised", "plain"]
    return {name: store.create(tiny, name, DATA) for name in names}


def test_a_run_is_found_by_id_name_folder_or_a_part(three, store):
    for name, run in three.items():
        assert store.find(run.id) == run
        assert store.find(name) == run
        assert store.find(str(run.folder)) == run
        assert store.find(run.id[9:]) == run
    assert store.find("noised") == three["Perfect G, noised"]
    assert store.find("plai") == three["plain"]
    assert store.find("G, noi") == three["Perfect G, noised"]


def test_a_run_is_found_by_a_relative_path_from_anywhere(three, store, monkeypatch):
    run = three["plain"]
    monkeypatch.chdir(run.folder.parent)
    assert Store(store.root / "elsewhere").find(run.id) == run
    monkeypatch.chdir(run.folder)
    assert store.find(".") == run


def test_an_ambiguous_part_is_refused_with_the_ids_that_it_names(three, store):
    said = refusal(store.find, "perfect-g")
    assert said.startswith("'perfect-g' names 2 runs: ") and said.endswith("; give one id")
    assert three["Perfect G"].id in said and three["Perfect G, noised"].id in said
    assert three["plain"].id not in said


def test_two_runs_of_one_name_are_ambiguous(tiny, store):
    for seed in (0, 1):
        store.create(tiny.replace(seed=seed), "run", DATA)
    assert "names 2 runs" in refusal(store.find, "run")


def test_an_unknown_run_is_refused_with_the_nearest(three, store):
    said = refusal(store.find, three["plain"].id[:-3] + "xyz")
    assert f"did you mean {three['plain'].id}?" in said


def test_an_empty_store_has_no_runs(store):
    assert store.runs() == []
    assert refusal(store.find, "x") == "unknown run 'x': known: none"


def test_runs_come_oldest_first_and_nothing_else_counts(tiny, store):
    runs = [store.create(tiny.replace(seed=seed), "run", DATA) for seed in range(3)]
    for run, created in zip(runs, ("2026-03-01T00", "2024-01-01T00", "2025-02-01T00"), strict=True):
        about = json.loads((run.folder / "run.json").read_text()) | {"created": created}
        (run.folder / "run.json").write_text(json.dumps(about))
    (store.root / "notes").mkdir()
    (store.root / "a file").write_text("x")
    shutil.copytree(runs[0].folder, store.root / ".hidden.partial")
    assert [run.recipe.seed for run in store.runs()] == [1, 2, 0]


# damage


@pytest.mark.parametrize("text", ['{"is": "Rec', "", "\xff not utf-8", None])
@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("recipe.json", lambda run: run.recipe),
        ("run.json", lambda run: run.about),
        ("status.json", lambda run: run.status),
    ],
)
def test_a_broken_file_is_named_in_one_line(tiny, store, file, read, text):
    run = store.create(tiny, "run", DATA)
    run.set_status("finished")
    path = run.folder / file
    path.unlink()
    if text is None:
        path.mkdir()
    else:
        path.write_bytes(text.encode("latin-1"))
    assert refusal(read, Run(run.folder)).startswith(f"cannot read {path}: ")


@pytest.mark.parametrize(
    ("file", "read"),
    [("run.json", lambda run: run.name), ("status.json", lambda run: run.status)],
)
def test_a_file_that_says_nothing_is_named_in_one_line(tiny, store, file, read):
    run = store.create(tiny, "run", DATA)
    (run.folder / file).write_text("{}")
    assert str(run.folder / file) in refusal(read, Run(run.folder))


def test_damaged_scalars_are_named_in_one_line(tiny, store):
    run = store.create(tiny, "run", DATA)
    (run.folder / "scalars.jsonl").write_text('{"epoch": 0}\n{"epo')
    assert "scalars.jsonl" in refusal(run.rows)


def test_a_recipe_with_an_unknown_field_is_refused(tiny, store):
    run = store.create(tiny, "run", DATA)
    plain = codec.encode(tiny) | {"epoch": 3}
    (run.folder / "recipe.json").write_text(json.dumps(plain))
    said = refusal(lambda: Run(run.folder).recipe)
    assert "unknown field of GANRecipe 'epoch': did you mean epochs?" in said


# scalars and checkpoints


def test_scalars_come_back_exactly(tiny, store):
    run = store.create(tiny, "run", DATA)
    assert run.rows() == []
    rows = [{"epoch": k, "loss_D": 0.1 * k + 1e-17, "D_x": 1 / 3} for k in range(3)]
    run.set_rows(rows)
    assert Run(run.folder).rows() == rows
    run.set_rows(rows[:1])
    assert run.rows() == rows[:1]


def test_checkpoints_last_and_kept(tiny, store, same):
    run = store.create(tiny, "run", DATA)
    assert run.kept_epochs() == [] and not run.checkpoint().exists()
    saved = [checkpoint(epoch, step) for step, epoch in enumerate((10, 2, 12345, 12346))]
    run.save_checkpoint(saved[0], 10)
    run.save_checkpoint(saved[1], 2)
    run.save_checkpoint(saved[2], 12345)
    run.save_checkpoint(saved[3])
    assert run.kept_epochs() == [2, 10, 12345]
    assert same(run.load_checkpoint(), saved[3])
    assert [run.load_checkpoint(epoch)["step"] for epoch in (10, 2, 12345)] == [0, 1, 2]
    assert {p.name for p in (run.folder / "checkpoints").iterdir()} == {
        "last.pt",
        "epoch-0002.pt",
        "epoch-0010.pt",
        "epoch-12345.pt",
    }


def checkpoint(epoch: int, step: int) -> dict[str, Any]:
    game = {"weights": torch.full((3,), float(step))}
    return {"game": game, "epoch": epoch, "step": step, "partial": {}}


def test_a_kept_checkpoint_is_the_last_one_too_until_the_next(tiny, store, same):
    run = store.create(tiny, "run", DATA)
    run.save_checkpoint(checkpoint(1, 1))
    run.save_checkpoint(checkpoint(2, 2), 2)
    assert same(run.load_checkpoint(), checkpoint(2, 2))
    assert same(run.load_checkpoint(2), checkpoint(2, 2))
    run.save_checkpoint(checkpoint(3, 3))
    assert (run.load_checkpoint()["step"], run.load_checkpoint(2)["step"]) == (3, 2)


def test_a_checkpoint_that_would_run_code_is_refused(tiny, store, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    run = store.create(tiny, "run", DATA)
    torch.save(Evil(), run.checkpoint())
    assert "cannot read the checkpoint" in refusal(run.load_checkpoint)
    assert not (tmp_path / "made").exists()


def test_a_missing_checkpoint_is_named(tiny, store):
    run = store.create(tiny, "run", DATA)
    assert "epoch-0007.pt (No such file or directory)" in refusal(run.load_checkpoint, 7)


# status and lock


def test_the_status_is_what_was_said_last(tiny, store):
    run = store.create(tiny, "run", DATA)
    run.set_status("failed", message="why", epoch=3)
    assert Run(run.folder).status == {"state": "failed", "message": "why", "epoch": 3}
    run.set_status("finished", epoch=4)
    assert run.status == {"state": "finished", "epoch": 4}


@UNIX
def test_a_run_is_running_only_while_a_process_holds_it(tiny, store):
    run = store.create(tiny, "run", DATA)
    assert run.status["state"] == "interrupted"
    with run.lock():
        assert run.is_locked()
        assert run.status["state"] == "running"  # locked, and not yet said
        run.set_status("running")
        assert run.status["state"] == "running"
        with pytest.raises(UserError, match="is being trained by another process"), run.lock():
            pass
    assert not run.is_locked()
    assert run.status["state"] == "interrupted"


@UNIX
def test_a_killed_run_is_interrupted_and_can_be_taken_up(tiny, store):
    run = store.create(tiny, "run", DATA)

    def train(run: Run) -> None:
        with run.lock():
            run.set_status("running")
            time.sleep(60)

    worker = multiprocessing.get_context("fork").Process(target=train, args=(run,))
    worker.start()
    deadline = time.monotonic() + 30
    while not (run.folder / "status.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert run.status["state"] == "running"
    with pytest.raises(UserError, match="another process"), run.lock():
        pass
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert json.loads((run.folder / "status.json").read_text())["state"] == "running"
    assert run.status["state"] == "interrupted"
    with run.lock():
        pass


# classes that an experiment brings


def dim(file):
    (cls,) = classes_in_file(file)
    return cls


def test_a_brought_rule_survives_in_the_folder_alone(tiny, store, experiment_file, tmp_path):
    rule = dim(experiment_file)(factor=0.125)
    recipe = tiny.replace(interventions=[PerfectG(2), rule])
    run = store.create(recipe, "run", DATA)
    kept = run.folder / "code" / "my_experiment.py"
    assert kept.read_bytes() == experiment_file.read_bytes()
    experiment_file.unlink()
    moved = tmp_path / "elsewhere"
    shutil.move(run.folder, moved)
    again = Run(moved).playable
    assert codec.encode(again) == codec.encode(recipe)
    assert again.interventions[0] == PerfectG(2)
    x = torch.ones(1, 3, 2, 2)
    assert torch.equal(again.interventions[1].augment(x, StepContext(0, 0, 0)), x / 2)
    assert again.interventions[1].__doc__ == "D sees everything darker: été, 暗い."


def test_two_runs_with_rules_of_one_name_keep_their_own(tiny, store, experiment_file):
    runs = []
    for factor in ("0.5", "3.0"):
        experiment_file.write_text(BROUGHT.replace("FACTOR", factor), "utf-8")
        recipe = tiny.replace(interventions=dim(experiment_file)())
        name = f"times {factor}"
        runs.append(store.create(recipe, name, DATA))
    x = torch.ones(1, 3, 2, 2)
    rules = [Run(run.folder).playable.interventions[0] for run in runs]
    assert [rule.augment(x, StepContext(0, 0, 0))[0, 0, 0, 0].item() for rule in rules] == [
        0.5,
        3.0,
    ]


def test_the_file_is_kept_only_where_it_is_needed(tiny, store, experiment_file):
    plain = store.create(tiny.replace(interventions=PerfectG(2)), "a", DATA)
    assert not (plain.folder / "code").exists()


def test_a_broken_experiment_file_is_named(tiny, store, experiment_file):
    recipe = tiny.replace(interventions=dim(experiment_file)())
    run = store.create(recipe, "run", DATA)
    (run.folder / "code" / "my_experiment.py").write_text("1 / 0")
    trust.mark(*run._own_files())
    assert "my_experiment.py does not load: ZeroDivisionError" in refusal(
        lambda: Run(run.folder).playable
    )


def test_a_rule_that_was_edited_is_another_run(tiny, store, experiment_file):
    """Otherwise `bascule run` shows the old rule's results as those of the new one."""
    runs = []
    for factor in ("0.5", "3.0"):
        experiment_file.write_text(BROUGHT.replace("FACTOR", factor), "utf-8")
        recipe = tiny.replace(interventions=dim(experiment_file)())
        runs.append(store.create(recipe, "run", DATA))
    assert runs[0].id != runs[1].id


def test_a_brought_rule_may_bear_the_name_of_a_built_in_one(tiny, store, experiment_file):
    """Otherwise the run is silently trained with the built-in rule."""
    text = BROUGHT.replace("FACTOR", "0.5").replace("Dim", "InstanceNoise")
    experiment_file.write_text(text.replace("factor", "sigma"), "utf-8")
    rule = dim(experiment_file)(sigma=0.125)
    run = store.create(tiny.replace(interventions=rule), "run", DATA)
    x = torch.ones(1, 3, 2, 2)
    assert isinstance(Run(run.folder).recipe.interventions[0], Foreign)  # nor is that one shown
    shown = Run(run.folder).playable.interventions[0].augment(x, StepContext(0, 0, 0))
    assert torch.equal(shown, rule.augment(x, StepContext(0, 0, 0)))


def test_runs_that_share_a_brought_rule_do_not_differ_in_it(tiny, store, experiment_file):
    recipe = tiny.replace(interventions=dim(experiment_file)())
    runs = [store.create(recipe.replace(seed=seed), "run", DATA) for seed in (0, 1)]
    a, b = (Run(run.folder).recipe for run in runs)
    assert codec.differences(a, b) == {"seed": (0, 1)}


# the code's version


def test_the_code_version_is_the_packages_and_the_commits():
    version = re.escape(bascule.__version__)
    assert re.fullmatch(version + r"( \([0-9a-f]{12}(, changed)?\))?", code_version())


def test_without_git_the_version_is_the_packages(monkeypatch):
    def no_git(*args, **more):
        raise FileNotFoundError("git")

    monkeypatch.setattr(store_module.subprocess, "run", no_git)
    assert code_version() == bascule.__version__


def test_an_installed_copy_in_another_repository_does_not_claim_its_commit(monkeypatch, tmp_path):
    class Told:
        stdout = f"{tmp_path}\n"

    monkeypatch.setattr(store_module.subprocess, "run", lambda *args, **more: Told)
    assert code_version() == bascule.__version__


def test_runs_of_a_name_are_found(store, tiny):
    mine = store.create(tiny, "small plain s0", "d")
    again = store.create(tiny.replace(seed=1), "small plain s0", "d")
    store.create(tiny, "small plain s0 longer", "d")
    store.create(tiny, "other", "d")
    assert {run.id for run in store.named("small plain s0")} == {mine.id, again.id}
    assert store.named("small") == [] and Store(store.root / "nowhere").named("other") == []


def test_a_store_may_be_named_by_a_text(store, tiny, make_run):
    run = make_run(tiny)
    assert [found.id for found in Store(str(store.root)).runs()] == [run.id]

"""Code that comes with a run is executed only where this user made it or allows it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from bascule.core import trust
from bascule.core.errors import UserError
from bascule.core.user_code import load_file
from bascule.runs import codec
from bascule.runs.store import Run, Store

DATA = "0" * 64
RULE = """
from dataclasses import dataclass
from pathlib import Path
from bascule.interventions import Intervention

@dataclass(frozen=True)
class Dim(Intervention):
    factor: float = 0.5
"""


@pytest.fixture
def own(tmp_path, store, tiny) -> Run:
    """A run with a rule of the user's, made here."""
    path = tmp_path / "rules.py"
    path.write_text(RULE)
    return store.create(tiny.replace(interventions=load_file(path).Dim()), "own", DATA)


@pytest.fixture(autouse=True)
def nothing_allowed(monkeypatch):
    monkeypatch.setattr(trust, "_allowed", [])


def trap(run: Run, tmp_path) -> Path:
    """Somebody else's line in the run's code; returns what it would leave behind."""
    marker = tmp_path / "sprung"
    (run.code_folder / "rules.py").write_text(f"{RULE}\nPath({str(marker)!r}).touch()\n")
    return marker


def test_what_was_made_here_runs(own):
    assert type(Run(own.folder).playable.interventions[0]).__name__ == "Dim"


def test_what_was_changed_by_others_does_not_run(own, tmp_path):
    marker = trap(own, tmp_path)
    run = Run(own.folder)
    assert run.recipe.interventions[0].factor == 0.5
    with pytest.raises(UserError) as refusal:
        _ = run.playable
    told = str(refusal.value)
    assert "rules.py would run for rules.py:Dim" in told and "--trust" in told and "\n" not in told
    assert not marker.exists()


def test_a_file_that_is_added_or_a_mark_of_another_user_is_worth_nothing(
    own, monkeypatch, tmp_path
):
    (own.code_folder / "torch.py").write_text("1 / 0")
    with pytest.raises(UserError, match=r"rules.py, torch.py would run"):
        _ = Run(own.folder).playable
    (own.code_folder / "torch.py").unlink()
    _ = Run(own.folder).playable
    monkeypatch.setenv("BASCULE_STATE", str(tmp_path / "another user"))
    with pytest.raises(UserError, match="not made here"):
        _ = Run(own.folder).playable
    assert (tmp_path / "another user" / "trust.key").stat().st_mode & 0o77 == 0


def test_what_is_allowed_once_is_trusted_as_it_is(own, tmp_path):
    marker = trap(own, tmp_path)
    trust.allow()
    _ = Run(own.folder).playable
    assert marker.exists()
    trust._allowed.clear()
    _ = Run(own.folder).playable


def test_the_users_own_experiment_trusts_a_copy_that_is_the_same(own, store, tiny, tmp_path):
    (own.code_folder / trust.MARK).unlink()
    with pytest.raises(UserError, match="not made here"):
        _ = Run(own.folder).playable
    recipe = tiny.replace(interventions=load_file(tmp_path / "rules.py").Dim())
    assert store.create(recipe, "own", DATA) == own
    _ = Run(own.folder).playable


def test_a_pack_brings_code_and_no_trust(own, bascule, tmp_path):
    own.set_status("finished")
    own.set_rows([{"epoch": 0, "step": 4, "loss_D": 1.0}])
    marker = trap(own, tmp_path)
    trust.mark(*own._own_files())
    from bascule.runs.pack import pack

    pack([own], tmp_path / "own.tar.xz")
    assert bascule("--runs", "there", "unpack", "own.tar.xz")[0] == 0
    (run,) = Store(tmp_path / "there").runs()
    assert (run.code_folder / "rules.py").exists()
    assert not (run.code_folder / trust.MARK).exists()
    there = ("--runs", "there")
    assert bascule(*there, "list")[0] == 0
    (run.folder / "status.json").unlink()
    for words in (["resume", run.id], ["fork", run.id, "--at-epoch", "1", "--epochs", "1"]):
        code, _, err = bascule(*there, *words)
        assert code == 2 and "rules.py would run" in err and err.count("\n") == 1
    code, _, err = bascule(*there, "train", str(run.folder / "recipe.json"))
    assert code == 2 and "rules.py:Dim in" in err and "--trust" in err
    assert bascule(*there, "rm", run.id, "--yes")[0] in (0, 2)
    assert not marker.exists()


def test_a_name_that_leads_out_of_the_folder_is_no_code(own, tmp_path):
    outside = tmp_path / "outside.py"
    outside.write_text(RULE)
    told = (
        (own.folder / "recipe.json").read_text().replace("rules.py:Dim", "../../../outside.py:Dim")
    )
    (own.folder / "recipe.json").write_text(told)
    with pytest.raises(UserError, match="is not a Python file"):
        _ = Run(own.folder).playable
    shutil.copy(outside, own.code_folder)
    (own.code_folder / "link.py").symlink_to(os.devnull)
    assert "link to a place outside" in str(_refusal(lambda: own.check()))


def _refusal(call) -> UserError:
    with pytest.raises(UserError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("name", ["os:system", "subprocess:Popen", "bascule.__main__:main", "a:b"])
def test_a_recipe_names_no_class_but_values_of_the_package(name):
    with pytest.raises(UserError, match="unknown class in a recipe"):
        codec.decode({"is": name})


def test_a_run_whose_code_is_cut_off_is_listed_and_named(own, bascule, store):
    (own.code_folder / "rules.py").write_text("class Dim(")
    assert own.id in [run.id for run in store.runs()]
    shutil.rmtree(own.code_folder)
    with pytest.raises(UserError, match=r"needs rules.py:Dim, and its folder holds no code"):
        _ = Run(own.folder).playable
    told = json.loads((own.folder / "recipe.json").read_text())
    (own.folder / "recipe.json").write_text(json.dumps(told | {"change": [{"is": "gone:Rule"}]}))
    with pytest.raises(UserError, match=r"gone:Rule.*install the plug-in"):
        _ = Run(own.folder).playable

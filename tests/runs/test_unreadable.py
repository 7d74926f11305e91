"""One run that cannot be read stops nothing, and is named with the reason."""

import json
import shutil
from pathlib import Path

import pytest

from bascule.core.errors import UserError

ROW = '{"epoch": 0, "step": 4, "loss_D": 1.0}\n'


def damaged(name: str, text: str):
    return lambda folder: (folder / name).write_text(text)


def changed(file: str, **values):
    def change(folder: Path) -> None:
        told = json.loads((folder / file).read_text("utf-8")) | values
        (folder / file).write_text(json.dumps(told))

    return change


def linked(folder: Path) -> None:
    secret = folder.parent.parent / "secret.json"
    (folder / "status.json").unlink(missing_ok=True)
    secret.write_text('{"state": "finished"}')
    (folder / "status.json").symlink_to(secret)


def linked_whole(folder: Path) -> None:
    elsewhere = folder.parent.parent / "elsewhere"
    shutil.move(folder, elsewhere)
    folder.symlink_to(elsewhere)


def a_folder(folder: Path) -> None:
    (folder / "recipe.json").unlink()
    (folder / "recipe.json").mkdir()


DAMAGES = {
    "recipe cut": damaged("recipe.json", '{"is": "Recipe", "epo'),
    "recipe a list": damaged("recipe.json", "[]"),
    "recipe a number": damaged("recipe.json", "3"),
    "recipe deep": damaged("recipe.json", "[" * 100_000),
    "recipe a folder": a_folder,
    "recipe of no epochs": damaged("recipe.json", '{"is": "Recipe"}'),
    "recipe of many epochs": damaged("recipe.json", '{"is": "Recipe", "epochs": "many"}'),
    "no text": lambda folder: (folder / "recipe.json").write_bytes(b"\xff\xfe\x00"),
    "run a list": damaged("run.json", "[]"),
    "run missing": lambda folder: (folder / "run.json").unlink(),
    "run without a name": damaged("run.json", '{"created": "2026", "data_digest": "0"}'),
    "a name that is a number": changed("run.json", name=3),
    "a date that is none": changed("run.json", created=None),
    "a fork of nothing": changed("run.json", fork={"parent": 3}),
    "a fork that is a word": changed("run.json", fork="ed"),
    "status cut": damaged("status.json", '{"sta'),
    "status null": damaged("status.json", '{"state": null}'),
    "scalars cut": damaged("scalars.jsonl", ROW + '{"epoch": 1, "lo'),
    "scalars of words": damaged("scalars.jsonl", '{"loss_D": "high"}\n'),
    "scalars of lists": damaged("scalars.jsonl", "[1, 2]\n"),
    "scalars beyond reason": damaged("scalars.jsonl", '{"loss_D": 1' + "0" * 400 + "}\n"),
    "a link out of the store": linked,
    "all of it a link": linked_whole,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_unreadable_run_is_listed_with_its_reason_and_stops_nothing(
    damage, bascule, make_run, tiny, store
):
    whole, broken = make_run(tiny, "whole"), make_run(tiny.replace(seed=1), "broken")
    DAMAGES[damage](broken.folder)
    assert [run.id for run in store.runs()] == [whole.id]
    assert store.find("whole") == whole
    digest = whole.about["data_digest"]
    assert store.same(tiny, "whole", digest) == whole
    assert store.same(tiny.replace(seed=1), "broken", digest) is None
    with pytest.raises(UserError, match=f"^{broken.id} is unreadable: "):
        store.find(broken.id)

    code, out, err = bascule("list")
    assert code == 0, err
    assert whole.id in out and "unreadable" in out
    told = f"{broken.id} is unreadable: "
    assert [line for line in out.splitlines() if line.startswith(told) and len(line) > len(told)]
    code, _, err = bascule("compare", broken.id, whole.id)
    assert code == 2 and f"{broken.id} is unreadable: " in err and err.count("\n") == 1


def test_no_right_to_read_a_folder(bascule, make_run, tiny, store, monkeypatch):
    """Tests may run as root, who may read all."""
    whole, hidden = make_run(tiny, "whole"), make_run(tiny.replace(seed=1), "hidden")
    exists = Path.exists

    def refused(path: Path) -> bool:
        if hidden.id in path.parent.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    read = Path.read_text

    def unread(path: Path, *words: str) -> str:
        if hidden.id in path.parent.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *words)

    monkeypatch.setattr(Path, "exists", refused)
    monkeypatch.setattr(Path, "read_text", unread)
    assert [run.id for run in store.runs()] == [whole.id]
    code, out, _ = bascule("list")
    assert code == 0 and f"{hidden.id} is unreadable: cannot read" in out
    assert "Permission denied" in out


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"is": "Nobody", "epochs": 3}, "it holds no recipe"),
        ({"is": "Faces", "epochs": 3}, "unknown field of Faces"),
        ({"is": ["Recipe"], "epochs": 3}, "unknown class in a recipe"),
        (
            {"is": "Recipe", "epochs": 3, "model": {"is": "Nobody"}},
            "Nobody is not loaded: size is not known",
        ),
        (
            {"is": "Recipe", "epochs": 3, "change": [{"is": "a b"}]},
            "'a b' is not the class of a value",
        ),
        (
            {"is": "Recipe", "epochs": 3, "change": [{"is": "A", "x y": 1}]},
            "is not the class of a value",
        ),
        (
            {"is": "Recipe", "epochs": 3, "change": [{"is": "A", "first_epoch": 1}]},
            "is not the class of a value",
        ),
    ],
)
def test_a_recipe_of_classes_that_nobody_knows_is_refused_when_it_is_asked_for(
    recipe, told, make_run, tiny, store
):
    run = make_run(tiny)
    (run.folder / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(UserError) as refusal:
        _ = store.find(run.id).recipe
    assert f"cannot read {run.folder / 'recipe.json'}: " in str(refusal.value)
    assert told in str(refusal.value)


def test_looking_whether_a_run_is_trained_writes_nothing(make_run, tiny):
    run = make_run(tiny)
    before = sorted(run.folder.rglob("*"))
    assert run.status["state"] == "interrupted"
    assert sorted(run.folder.rglob("*")) == before
    with run.lock():
        assert run.status["state"] == "running"
    assert run.status["state"] == "interrupted"

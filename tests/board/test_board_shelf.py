"""Titles, tags and the trash never touch what a run is."""

import json

import pytest

from bascule.board.summary import labels
from bascule.core.errors import UserError


def everything(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_title_and_tags_change_nothing_else(board, fake):
    run = fake()
    before = everything(run.folder)
    board.shelf.label(run, title="  Fooled\tby noise ")
    board.shelf.label(run, tags=["nice", " nice", "", "paper 2"])
    assert labels(run) == ("Fooled by noise", ("nice", "paper 2"))
    after = everything(run.folder)
    assert json.loads(after.pop(next(p for p in after if p.name == "board.json")))
    assert after == before and run.name == "a run"
    assert board.summaries.all()[0].title == "Fooled by noise"
    board.shelf.label(run, title="")
    assert board.summaries.all()[0].title == "a run"


@pytest.mark.parametrize(
    "more", [{"title": "x" * 201}, {"tags": ["x"] * 1 + [str(k) for k in range(30)]}, {"tags": "x"}]
)
def test_too_much_is_refused(board, fake, more):
    run = fake()
    with pytest.raises(UserError):
        board.shelf.label(run, **more)
    assert not (run.folder / "board.json").exists()


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"title": 7, "tags": [1, "a"]}', '{"tags": {"a": 1}}']
)
def test_a_damaged_label_is_none(board, fake, text):
    run = fake()
    (run.folder / "board.json").write_text(text)
    assert labels(run)[0] == "" and set(labels(run)[1]) <= {"a"}
    assert board.summaries.all()[0].title == "a run"


def test_delete_and_undo_leave_every_byte(board, fake, store):
    run = fake()
    before = everything(run.folder)
    board.shelf.delete(run, board.summaries.all())
    assert not run.folder.exists() and store.runs() == [] and board.summaries.all() == []
    assert board.shelf.names() == ["a-run"]
    board.shelf.restore("a-run")
    after = everything(run.folder)
    after.pop(next((p for p in after if p.name == ".lock"), None), None)
    assert after == before and board.shelf.names() == []


def test_a_run_in_training_and_the_parent_of_a_fork_stay(board, fake):
    parent = fake("parent")
    child = fake("child", fork={"parent": "parent", "epoch": 12})
    with pytest.raises(UserError, match="fork"):
        board.shelf.delete(parent, board.summaries.all())
    with child.lock(), pytest.raises(UserError, match="stop it first"):
        board.shelf.delete(child, board.summaries.all())
    board.shelf.delete(child, board.summaries.all())
    board.shelf.delete(parent, board.summaries.all())
    assert board.shelf.names() == ["child", "parent"]


def test_a_closing_board_destroys_only_what_it_deleted(board, fake):
    (board.shelf.trash / "older").mkdir(parents=True)
    run = fake()
    board.shelf.delete(run, [])
    assert board.shelf.purge(only_mine=True) > 0
    assert board.shelf.names() == ["older"]
    board.shelf.purge()
    assert not board.shelf.trash.exists()


@pytest.mark.parametrize("name", ["..", ".", "", "../a-run", "/etc", "a-run"])
def test_only_what_is_in_the_trash_comes_back(board, fake, name):
    fake()
    with pytest.raises(UserError, match="not in the trash"):
        board.shelf.restore(name)


def test_a_link_in_the_trash_is_not_followed(board, tmp_path):
    board.shelf.trash.mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (board.shelf.trash / "link").symlink_to(tmp_path / "precious")
    board.shelf.purge()
    assert board.shelf.names() == [] and (tmp_path / "precious").is_dir()

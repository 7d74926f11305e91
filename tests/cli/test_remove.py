"""`bascule rm`: what it deletes, and what it never does."""

import io
import json
import sys

import pytest

from bascule.runs.store import Fork, Store


@pytest.fixture
def runs(tiny, store):
    """A run, a fork of it, and another."""
    digest = tiny.data.load().digest
    one = store.create(tiny, "one", digest)
    (one.folder / "samples" / "epoch-0001.png").write_bytes(bytes(2_000_000))
    fork = store.create(tiny.replace(epochs=5), "branch", digest, fork=Fork(one.id, 2))
    other = store.create(tiny.replace(epochs=6), "other", digest)
    return one, fork, other


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_run_is_deleted_with_what_it_freed_told(bascule, runs):
    one, _, other = runs
    code, out, err = bascule("rm", "other", "--yes")
    assert code == 0 and f"deleted {other.id} (0.0 MB)" in out, err
    assert not other.folder.exists() and one.folder.exists()
    code, out, _ = bascule("rm", one.id, "branch", "branch", "--yes")
    assert code == 0 and f"{one.id} (2.0 MB)" in out and out.count("\n") == 2
    assert not list(one.folder.parent.iterdir())


def test_it_asks_on_a_terminal_and_refuses_elsewhere(bascule, runs, monkeypatch):
    other = runs[2]
    code, _, err = bascule("rm", "other")
    assert code == 2 and "--yes" in err and err.count("\n") == 1
    for answer in ("n\n", "\n", ""):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        code, _, err = bascule("rm", "other")
        assert code == 2 and "nothing is deleted" in err and other.folder.exists()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert bascule("rm", "other")[0] == 0 and not other.folder.exists()


def test_a_run_with_forks_or_in_training_stays(bascule, runs):
    one, fork, other = runs
    code, _, err = bascule("rm", "one", "other", "--yes")
    assert code == 2 and f"{fork.id} is a fork of {one.id}" in err
    with other.lock():
        code, _, err = bascule("rm", "other", "--yes")
        assert code == 2 and "is being trained" in err
    assert all(run.folder.exists() for run in runs)


def test_only_what_is_in_the_store_is_deleted_and_links_are_not_followed(
    bascule, runs, tiny, tmp_path
):
    elsewhere = Store(tmp_path / "elsewhere").create(tiny, "theirs", "digest")
    link = tmp_path / "runs" / "20260101-linked-00000000"
    link.symlink_to(elsewhere.folder)
    for text in (str(elsewhere.folder), link.name, str(link), "linked"):
        code, _, err = bascule("rm", text, "--yes")
        assert code == 2 and err.count("\n") == 1, err
    assert (elsewhere.folder / "recipe.json").exists() and link.is_symlink()
    link.unlink()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("kept")
    (runs[2].folder / "precious").symlink_to(tmp_path / "precious")
    code, _, err = bascule("rm", runs[2].id, "--yes")
    assert code == 0, err
    assert (tmp_path / "precious" / "file").read_text() == "kept"
    code, _, err = bascule("rm", "..", "--yes")
    assert code == 2 and err.count("\n") == 1


def test_a_run_that_cannot_be_read_is_deleted_by_its_id(bascule, runs):
    other = runs[2]
    about = json.loads((other.folder / "run.json").read_text())
    (other.folder / "recipe.json").write_text("[]")
    assert about["name"] == "other"
    code, _, err = bascule("rm", other.id, "--yes")
    assert code == 0 and not other.folder.exists(), err

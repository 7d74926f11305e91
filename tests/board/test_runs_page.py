"""The list of runs: what an open page is told, and what its buttons do."""

import pytest
from asking import first_event

import fakes
from bascule.board.pages.runs import News
from bascule.core.errors import UserError


def test_an_open_page_is_told_everything_once_and_then_what_changed(board, fake):
    one, _ = fake("one"), fake("two")
    news = News(board)
    told = first_event(news.look)
    assert {row["id"] for row in told["runs"]} == {"one", "two"} and told["trash"] == []
    while (told := first_event(news.look)) is not None:  # sizes on disk
        assert set(told) == {"runs"} and all(row["bytes"] for row in told["runs"])
    one.set_rows(one.rows()[:3])
    told = first_event(news.look)
    assert [(row["id"], row["done"]) for row in told["runs"]] == [("one", 3)]
    board.shelf.delete(one, [])
    told = first_event(news.look)
    assert told["gone"] == ["one"] and told["trash"] == ["one"] and "runs" not in told


def test_no_runs_folder_is_an_empty_list(board):
    board.root.rmdir()
    assert first_event(News(board).look)["runs"] == []


def test_experiments_show_their_verdict(board, store, tmp_path):
    from bascule.reports.note import write_experiment_note

    results = fakes.fake_results(store.root)
    write_experiment_note(results, store.root / "notes" / "fake", "a credit")
    (told,) = first_event(News(board).look)["experiments"]
    assert told["word"] == results.verdict.word.lower() and told["name"] == "fake-quick"
    assert set(told["runs"]) == {run.id for run in results.every_run}
    assert told["finding"]


def test_a_note_is_read_again_only_when_it_changes_and_never_from_elsewhere(board, tmp_path):
    note = board.root / "notes" / "a" / "b" / "note.md"
    note.parent.mkdir(parents=True)
    note.write_text("# one\n\n**found**\n\n**Verdict: SUPPORTED** (all)\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note.md").write_text("# secret\n")
    (board.root / "notes" / "link").symlink_to(tmp_path / "out")
    (first,) = board.experiments.all()
    assert (first.name, first.word, first.finding) == ("one", "supported", "found")
    assert board.experiments.all()[0] is first
    note.write_text("# two, longer\n")
    (second,) = board.experiments.all()
    assert (second.name, second.word, second.finding) == ("two, longer", "", "")
    note.unlink()
    assert board.experiments.all() == []


def test_a_link_that_would_be_written_to_is_refused(board, client, fake, tmp_path):
    run = fake(rows=fakes.fake_rows(0, False)[:3])
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (run.folder / "errors.log").symlink_to(precious)
    answer = client.post("/do/resume", json={"run": run.id})
    assert answer.status_code == 400 and "not followed" in answer.json()["error"]
    assert precious.read_text() == "precious"


def test_buttons_change_titles_tags_and_the_trash(board, client, fake):
    run = fake()
    assert client.post("/do/rename", json={"run": run.id, "title": "<b>new</b>"}).json() == {}
    assert client.post("/do/tag", json={"run": run.id, "tags": ["a"]}).status_code == 200
    row = board.summaries.all()[0]
    assert (row.title, row.tags) == ("<b>new</b>", ("a",))
    assert client.post("/do/delete", json={"run": run.id}).status_code == 200
    assert client.post("/do/restore", json={"run": run.id}).status_code == 200
    client.post("/do/delete", json={"run": run.id})
    assert client.post("/do/purge", json={}).json()["freed"] > 0
    assert not run.folder.exists() and board.shelf.names() == []


def test_stop_and_resume_of_a_run_that_is_finished_are_refused(client, fake):
    run = fake()
    for verb in ("stop", "resume"):
        answer = client.post(f"/do/{verb}", json={"run": run.id})
        assert answer.status_code == 400 and "a-run" in answer.json()["error"]


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "../a-run",
        "a-run/../a-run",
        "/etc",
        "no-such",
        ".trash",
        "link",
        "a\0b",
        "notes",
    ],
)
def test_only_plain_names_of_runs_in_the_folder_are_found(board, client, fake, tmp_path, name):
    fake()
    (board.root / "notes").mkdir()
    outside = fakes.write_fake(tmp_path / "outside", fakes.plain, "secret", [])
    (board.root / "link").symlink_to(outside.folder)
    with pytest.raises(UserError, match="no run"):
        board.run(name)
    answer = client.post("/do/delete", json={"run": name})
    assert answer.status_code == 400 and outside.folder.exists()


def test_no_file_outside_the_run_is_opened(board, fake, tmp_path):
    run = fake()
    (tmp_path / "secret.png").write_bytes(b"x")
    (run.folder / "samples" / "epoch-0099.png").symlink_to(tmp_path / "secret.png")
    other = fake("other")
    (run.folder / "linked").symlink_to(other.folder)
    assert board.file(run, "samples", "epoch-0001.png").is_file()
    for parts in (
        ("samples", "epoch-0099.png"),
        ("..", "other", "run.json"),
        ("linked", "run.json"),
        ("/etc/passwd",),
        ("samples",),
        ("no-such",),
    ):
        with pytest.raises(UserError, match="has no file"):
            board.file(run, *parts)


@pytest.mark.parametrize(
    "sent", [b"", b"[]", b"{", b"7", b"[" * 10_000, b'{"run": 7}', b"x" * 2**21]
)
def test_nonsense_is_refused_in_one_line(client, sent):
    answer = client.post("/do/rename", content=sent)
    assert answer.status_code == 400 and "\n" not in answer.json()["error"]


def test_a_page_that_is_not_there_says_so(client):
    told = client.get("/no-such", headers={"Accept": "text/html"})
    assert told.status_code == 404 and "no such page" in told.text and "<nav" in told.text

"""The note of one run."""

from fakes import CREDIT, fake_parent_and_fork, fake_rows, plain, write_fake

from bascule.reports.run_note import write_run_note


def test_a_fork_is_told_with_its_parent(tmp_path):
    parent, child = fake_parent_and_fork(tmp_path)
    page = write_run_note(child, CREDIT, [parent])
    assert page == child.folder / "note.html"
    for text in (page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")):
        assert "the first 12 epochs are those of parent-id" in text
        assert "change = PerfectG(at_epoch=12" in text
        assert "Micah Lanier" in text and "finished, 20 of 20 epochs" in text
        assert str(tmp_path) not in text
    assert "(samples/epoch-0020.png)" in page.with_suffix(".md").read_text("utf-8")
    assert (child.folder / "figures" / "note-curves.png").is_file()


def test_interrupted_and_new_runs_have_notes(tmp_path):
    half = write_fake(tmp_path / "half", plain, "half", fake_rows(0, False, n=7), samples=(1, 5))
    new = write_fake(tmp_path / "new", plain, "new", [])
    assert "interrupted, 7 of 20 epochs" in write_run_note(half, CREDIT).read_text("utf-8")
    assert "No epoch is complete yet" in write_run_note(new, CREDIT).read_text("utf-8")

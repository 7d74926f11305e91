"""Trackers are told what a run does; they change nothing in it and never stop it."""

import pytest

from bascule.core.errors import UserError
from bascule.runs.execute import execute
from bascule.runs.own import tracker_named, tracker_words
from bascule.runs.tracked import flat
from bascule.tracking.tracker import Tracker

OWN = """
from bascule.tracking.tracker import Tracker

class Diary(Tracker):
    def __init__(self, title="diary"):
        self.title = title

    def end(self, state):
        print(self.title, state)
"""


class Notes(Tracker):
    """Keeps what it is told; fails in the method ``fails``."""

    def __init__(self, fails=""):
        self.fails, self.told = fails, []

    def _note(self, what, *given):
        if what == self.fails:
            raise OSError("the server\nis away")
        self.told.append((what, *given))

    def start(self, run):
        self._note("start", run)

    def log(self, epoch, values):
        self._note("log", epoch, dict(values))

    def pictures(self, epoch, files):
        self._note("pictures", epoch, dict(files))

    def end(self, state):
        self._note("end", state)


def test_a_tracker_is_told_of_every_epoch(make_run, store, tiny):
    run, notes = make_run(tiny), Notes()
    assert execute(run, store, trackers=[notes]) == "finished"
    kinds = [what[0] for what in notes.told]
    assert kinds == ["start", "log", "pictures", "log", "pictures", "log", "log", "pictures", "end"]
    facts = notes.told[0][1]
    assert (facts.id, facts.name, facts.epochs_done) == (run.id, "run", 0)
    assert facts.recipe["model.width"] == 4 and facts.recipe["data.n"] == 40
    logged = {what[1]: what[2] for what in notes.told if what[0] == "log"}
    rows = {n + 1: row for n, row in enumerate(run.rows())}
    assert logged.keys() == rows.keys()
    for epoch, row in rows.items():
        assert logged[epoch] == {n: v for n, v in row.items() if n not in ("epoch", "step")}
    assert notes.told[2] == ("pictures", 1, {"samples": run.sample(1), "shown": run.shown(1)})
    assert notes.told[-1] == ("end", "finished")


def test_a_run_that_goes_on_says_where(make_run, store, tiny):
    run, first, second = make_run(tiny), Notes(), Notes()
    steps = iter(range(100))
    assert (
        execute(run, store, must_stop=lambda: next(steps) == 9, trackers=[first]) == "interrupted"
    )
    assert first.told[-1] == ("end", "interrupted")
    execute(run, store, trackers=[second])
    assert second.told[0][1].epochs_done == 2
    assert [what[1] for what in second.told if what[0] == "log"] == [3, 4]


@pytest.mark.parametrize("fails", ["start", "log", "pictures", "end"])
def test_one_that_fails_is_told_once_and_the_run_is_the_same(
    make_run, store, tiny, same, capsys, fails
):
    ours, theirs, broken, whole = make_run(tiny), make_run(tiny, "bare"), Notes(fails), Notes()
    assert execute(ours, store, trackers=[broken, whole]) == "finished"
    execute(theirs, store)
    assert same(ours.load_checkpoint(), theirs.load_checkpoint())
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("warning: the tracker Notes failed") and "the server is away" in line
    assert [what[0] for what in broken.told].count(fails) == 0
    assert whole.told[-1] == ("end", "finished")  # the other one is told on


def test_a_run_that_fails_ends_as_failed(make_run, store, tiny):
    def full():
        raise UserError("no space left")

    run, notes = make_run(tiny), Notes()
    with pytest.raises(UserError, match="no space"):
        execute(run, store, must_stop=full, trackers=[notes])
    assert notes.told[-1] == ("end", "failed")


def test_names(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN, "utf-8")
    assert tracker_words("tensorboard") == "tensorboard"
    assert tracker_words("tensorboard:there") == f"tensorboard:{tmp_path / 'there'}"
    words = tracker_words('mine.py:Diary(title="a: b")')
    assert words == f'{tmp_path / "mine.py"}:Diary(title="a: b")'
    monkeypatch.chdir("/")
    assert tracker_named(words).title == "a: b"
    assert tracker_words(words) == words


@pytest.mark.parametrize("text", ["tensorbord", "", "nowhere.py:Diary", ":there"])
def test_an_unknown_name_is_refused_in_one_line(text):
    with pytest.raises(UserError, match=r"--track|nowhere\.py"):
        tracker_named(text)


def test_nested_values_have_dotted_names():
    nested = {"a": 1, "b": {"c": [2.5, {"d": "x"}]}, "e": [], "f": None}
    assert flat(nested) == {"a": 1, "b.c.0": 2.5, "b.c.1.d": "x", "f": None}

"""A run in one row: what it says, that it is read again only when it changed, and damaged runs."""

import json
from dataclasses import replace

import pytest

import fakes
from bascule.board import summary
from bascule.board.summary import Mark, Summaries
from bascule.experiments.paired import arms_of
from bascule.interventions import Compose, InstanceNoise, PerfectG
from bascule.runs import codec


@pytest.fixture
def summaries(store):
    store.root.mkdir(exist_ok=True)
    return Summaries(store.root)


def one(summaries):
    (row,) = summaries.all()
    return row


def test_a_row_tells_what_the_run_tells(summaries, fake):
    run = fake(fork={"parent": "other", "epoch": 12})
    row = one(summaries)
    assert (row.id, row.name, row.title, row.state) == (run.id, "a run", "a run", "finished")
    assert (row.done, row.epochs) == (20, 20) == (len(run.rows()), run.epochs)
    assert row.images_per_s == run.rows()[-1]["images_per_s"]
    assert (row.parent, row.branch, row.seed) == ("other", 12, run.recipe.seed)
    assert row.seconds_left is None


def test_time_left_is_that_of_the_epochs_left(summaries, fake, monkeypatch):
    monkeypatch.setattr(summary, "LOCK_S", 0.0)
    run = fake(rows=[row | {"seconds": 3.0} for row in fakes.fake_rows(0, False)[:5]])
    run.set_status("running")
    with run.lock():
        row = one(summaries)
    assert row.state == "running" and row.seconds_left == 3.0 * 15
    assert one(summaries).state == "interrupted"  # nobody holds the lock any more


def test_arms_are_those_of_comparisons(summaries, store):
    results = fakes.fake_results(store.root)
    expected = arms_of(results.every_run)
    rows = summaries.all()
    groups = {}
    for row in rows:
        groups.setdefault(row.arm, set()).add(row.id)
    theirs = {frozenset(run.id for run in by_seed.values()) for by_seed in expected.values()}
    assert {frozenset(ids) for ids in groups.values()} == theirs


def test_marks_are_where_rules_begin_to_act(summaries, fake):
    rules = (InstanceNoise(0.1), PerfectG(12), Compose((InstanceNoise(from_epoch=7),)))
    run = fake(recipe=fakes.plain.replace(interventions=rules))
    marks = one(summaries).marks
    expected = sorted(r.first_epoch() for r in run.recipe.interventions if r.first_epoch())
    assert [mark.epoch for mark in marks] == expected == [7, 12]
    assert marks[1] == Mark(12, marks[1].what) and "PerfectG(at_epoch=12" in marks[1].what


def test_files_of_older_versions_have_marks_too(summaries, fake):
    recipe = fakes.plain.replace(interventions=PerfectG(12))
    run = fake(recipe=recipe)
    (run.folder / "recipe.json").write_text(json.dumps(codec.encode(recipe, brief=True)))
    assert run.recipe == recipe and "change" in json.loads((run.folder / "recipe.json").read_text())
    assert [mark.epoch for mark in one(summaries).marks] == [12]


def test_a_row_is_read_again_only_when_its_files_change(summaries, fake, monkeypatch):
    run = fake()
    read = []

    def reading(run, plain):
        read.append(run.id)
        return row_of(run, plain)

    row_of = summary._row
    monkeypatch.setattr(summary, "_row", reading)
    first = one(summaries)
    assert one(summaries) == first and len(read) == 1
    run.set_rows(run.rows()[:7])
    assert one(summaries).done == 7 and len(read) == 2


def test_sizes_are_measured_later_and_again_when_files_change(summaries, fake):
    run = fake()
    assert one(summaries).bytes is None
    summaries.measure()
    size = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    assert one(summaries).bytes == size


BROKEN = {
    "no run.json": lambda run: (run.folder / "run.json").unlink(),
    "recipe is no JSON": lambda run: (run.folder / "recipe.json").write_text("{"),
    "recipe is a list": lambda run: (run.folder / "recipe.json").write_text("[]"),
    "epochs is a text": lambda run: (run.folder / "recipe.json").write_text(
        '{"is":"x","epochs":"y"}'
    ),
    "interventions is a number": lambda run: (run.folder / "recipe.json").write_text(
        json.dumps(json.loads((run.folder / "recipe.json").read_text()) | {"interventions": 7})
    ),
    "status is a list": lambda run: (run.folder / "status.json").write_text("[]"),
    "fork is a text": lambda run: (run.folder / "run.json").write_text(
        json.dumps(run.about | {"fork": "x"})
    ),
    "a row is a list": lambda run: (run.folder / "scalars.jsonl").write_text("[1]\n"),
    "scalars is a folder": lambda run: (
        (run.folder / "scalars.jsonl").unlink(),
        (run.folder / "scalars.jsonl").mkdir(),
    ),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_damaged_run_stands_in_the_list_with_the_reason(summaries, fake, damage):
    fake("whole")
    run = fake("broken")
    BROKEN[damage](run)
    rows = {row.id: row for row in summaries.all()}
    assert rows["whole"].state == "finished"
    assert rows["broken"].state == "unreadable" and rows["broken"].why


def test_half_a_line_and_nan_and_no_rows_are_no_damage(summaries, fake):
    fake("half").folder.joinpath("scalars.jsonl").write_text('{"epoch": 0, "loss_D": 1.5}\n{"epo')
    fake("nan", rows=[{"epoch": 0, "loss_D": float("nan"), "images_per_s": float("inf")}])
    fake("none", rows=[])
    rows = {row.id: row for row in summaries.all()}
    assert [rows[name].done for name in ("half", "nan", "none")] == [1, 1, 0]
    assert rows["nan"].images_per_s is None


def test_what_is_no_run_is_left_out(summaries, store, fake, tmp_path):
    fake()
    (store.root / "notes").mkdir()
    (store.root / "file").write_text("")
    (store.root / ".trash" / "x").mkdir(parents=True)
    elsewhere = fakes.write_fake(tmp_path / "elsewhere", fakes.plain, "secret", [])
    (store.root / "link").symlink_to(elsewhere.folder)
    assert [row.id for row in summaries.all()] == ["a-run"]


@pytest.mark.parametrize("name", summary.FILES)
def test_a_link_out_of_the_runs_is_not_followed(summaries, fake, tmp_path, name):
    run = fake()
    outside = tmp_path / "outside"
    outside.write_text('{"state": "secret", "title": "secret", "name": "secret"}')
    (run.folder / name).unlink(missing_ok=True)
    (run.folder / name).symlink_to(outside)
    row = one(summaries)
    assert row.state == "unreadable" and "not followed" in row.why and "secret" not in row.title


def test_a_run_that_vanishes_is_gone(summaries, fake):
    run = fake()
    first = one(summaries)
    assert replace(first) == first
    run.folder.rename(run.folder.with_name(".gone"))
    assert summaries.all() == [] and summaries.one("a-run") is None

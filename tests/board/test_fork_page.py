"""A fork that is started by clicks is that of the command line, bit for bit."""

import json
import shlex
import time

import pytest

from bascule.board.pages.fork import known_rules
from bascule.cli import main
from bascule.interventions import INTERVENTIONS, Compose
from bascule.runs import codec
from bascule.runs.execute import execute


def plan(client, **asked):
    return client.get("/fork/plan", params={"asked": json.dumps(asked)}).json()


def wait_until_finished(run, board, seconds=120):
    until = time.monotonic() + seconds
    while run.status["state"] != "finished":
        assert time.monotonic() < until, (run.status, board.workers.complaint(run.id))
        assert board.workers.is_at_work(run.id) or run.status["state"] == "finished", (
            board.workers.complaint(run.id)
        )
        time.sleep(0.1)


def computed(run):
    rows = [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_s")} for row in run.rows()
    ]
    pictures = {path.name: path.read_bytes() for path in (run.folder / "samples").iterdir()}
    return rows, run.diagnostics(), pictures, codec.encode(run.recipe), run.name, run.fork


def test_the_fork_of_the_form_equals_that_of_its_command(
    board, client, store, tiny, make_run, same, tmp_path, monkeypatch
):
    parent = make_run(tiny, "parent")
    execute(parent, store)
    asked = {"run": parent.id, "at_epoch": 2, "rule": "PerfectG", "epochs": 3}
    asked["fields"] = {"at_epoch": "2", "sigma": "Uniform(0.0, 0.2)", "of": "'same'"}
    told = plan(client, **asked)
    assert told["problem"] == ""

    made = client.post("/do/fork", json=asked).json()["run"]
    clicked = board.run(made)
    wait_until_finished(clicked, board)
    clicks, checkpoint = computed(clicked), clicked.load_checkpoint()
    clicked.folder.rename(tmp_path / "clicked")

    words = shlex.split(told["command"])
    assert words[0] == "bascule" and main(words[1:]) == 0
    typed = board.run(made)  # the same id: the same name, recipe and origin
    assert computed(typed) == clicks
    assert same(typed.load_checkpoint(), checkpoint)
    assert len(typed.rows()) == 5


def test_more_epochs_alone_are_a_fork_too(board, client, store, tiny, make_run):
    parent = make_run(tiny.replace(epochs=2), "parent")
    execute(parent, store)
    told = plan(client, run=parent.id, at_epoch=2, epochs=1)
    assert told["command"].endswith(f"fork {parent.id} --at-epoch 2 --epochs 1")
    assert (
        "last epoch"
        in plan(client, run=parent.id, at_epoch=2, rule="NormaliseGradients")["problem"]
    )


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"at_epoch": 21, "epochs": 1}, "20 complete epochs"),
        ({}, "choose a rule"),
        ({"rule": "PerfectX"}, "did you mean PerfectG"),
        ({"rule": "PerfectG"}, "needs at_epoch"),
        ({"rule": "PerfectG", "fields": {"at_epoch": "-3"}}, "expected an epoch >= 0"),
        ({"rule": "PerfectG", "fields": {"at_epoch": "2", "sigma": "much"}}, "sigma"),
        ({"rule": "PerfectG", "fields": {"at_epoch": "2", "sigma": "evil.py:S()"}}, "command line"),
        ({"rule": "PerfectG", "fields": {"at_epoch": "2", "colour": "1"}}, "unknown field"),
        ({"rule": "PerfectG", "fields": {"at_epoch": "2), Evil("}}, ""),
    ],
)
def test_what_cannot_be_forked_is_said_before(client, fake, more, problem):
    run = fake()
    told = plan(client, **{"run": run.id, "at_epoch": 12, **more})
    assert told["command"] == "" and told["problem"] and problem in told["problem"]
    answer = client.post("/do/fork", json={"run": run.id, "at_epoch": 12, **more})
    assert answer.status_code == 400 and answer.json()["error"]


@pytest.mark.parametrize(
    "asked", ["", "[]", "{}", '{"run": 7}', '{"run": "a-run", "at_epoch": "x"}']
)
def test_nonsense_is_refused(client, fake, asked):
    fake()
    answer = client.get("/fork/plan", params={"asked": asked})
    assert answer.status_code == 400 and answer.json()["error"]


def test_the_form_offers_every_rule_but_those_that_hold_others():
    rules = {rule["name"]: rule for rule in known_rules()}
    assert set(rules) == {kind.__name__ for kind in INTERVENTIONS} - {Compose.__name__}
    fields = {field["name"]: field for field in rules["PerfectG"]["fields"]}
    assert list(fields) == ["at_epoch", "sigma", "of"]
    assert fields["at_epoch"]["default"] is None and "epoch >= 0" in fields["at_epoch"]["allowed"]
    assert fields["of"]["choices"] == ("'same'", "'other'", "'held_out'")
    assert "standard deviation" in fields["sigma"]["about"]


def test_every_default_of_every_field_can_be_written_and_read():
    for rule in known_rules():
        given = ", ".join(f"{f['name']}={f['default'] or 1}" for f in rule["fields"])
        assert type(codec.parse(f"{rule['name']}({given})")).__name__ == rule["name"]


def test_stop_and_resume_by_buttons(board, client, store, tiny, make_run, same):
    slow = tiny.replace(epochs=300, sample_every_epochs=300, keep_every_epochs=300)
    run = make_run(slow, "slow")
    assert client.post("/do/resume", json={"run": run.id}).status_code == 200
    until = time.monotonic() + 60
    while run.status["state"] != "running" or not run.rows():
        assert time.monotonic() < until, board.workers.complaint(run.id)
        time.sleep(0.05)
    assert client.post("/do/resume", json={"run": run.id}).status_code == 400  # it runs already
    assert client.post("/do/delete", json={"run": run.id}).status_code == 400
    assert client.post("/do/stop", json={"run": run.id}).status_code == 200
    while board.workers.is_at_work(run.id):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert run.status["state"] == "interrupted" and run.checkpoint().exists()
    done = len(run.rows())
    assert 0 < done < 300
    assert client.post("/do/resume", json={"run": run.id}).status_code == 200
    while run.status["state"] != "running" or len(run.rows()) <= done:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert board.workers.close() == [run.id]
    assert run.status["state"] == "interrupted"


def test_a_worker_that_cannot_train_is_told_on_the_page(board, client, tiny, make_run):
    from bascule.board.row import seen

    run = make_run(tiny, "broken")
    run.checkpoint().write_bytes(b"torn")
    client.post("/do/resume", json={"run": run.id})
    until = time.monotonic() + 60
    while board.workers.is_at_work(run.id):
        assert time.monotonic() < until
        time.sleep(0.05)
    row = seen(board, board.summaries.all()[0])
    assert "cannot read the checkpoint" in row.why

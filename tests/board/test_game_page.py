"""What an open page is told of some runs: everything once, then only what is new."""

import json
import os

import pytest
from asking import first_event

import fakes
from bascule.board.pages.game import relatives_of, seeds_of
from bascule.board.watch import Judge, Watch, columns, light
from bascule.diagnostics.rules import Finding, diagnose, silence

HIDDEN = ("_std", "_min", "_max")


def asked(epoch, **more):
    """A row of diagnostics in which D has won."""
    row = {"epoch": epoch, "every_epochs": 2, "auc_held_out": 1.0, "mmd": 0.5, "mmd_se": 0.01}
    row |= {"mmd_floor": 0.01, "coverage": 0.5, "coverage_floor": 0.9, "vendi_ratio": 0.9}
    row |= {"auc_train_vs_held_out": 0.5, "logit_std": 1.0, "D_fake": 0.01, "fake_mean": 0.5}
    return row | {"logit_held_out": 2.0, "rank_ratio": 0.9, "distance_ratio": 0.9} | more


def news(watch, id="a-run"):
    told = first_event(watch.look)
    return told["runs"][id] if told else None


def test_everything_once_and_then_what_is_new(board, fake):
    rows = fakes.fake_rows(0, False)
    run = fake(rows=rows[:5])
    watch = Watch(board, ["a-run"])
    told = news(watch)
    assert told["scalars"]["epoch"] == [0, 1, 2, 3, 4]
    expected = [float(f"{row['loss_D']:.6g}") for row in rows[:5]]
    assert told["scalars"]["loss_D"] == expected
    assert not [n for n in told["scalars"] if n.endswith(HIDDEN) and n[:-4] in told["scalars"]]
    assert told["samples"] == [1, 5, 10, 12, 15, 20] and told["row"]["done"] == 5
    assert news(watch) is None
    run.set_rows(rows[:7])
    told = news(watch)
    assert told["scalars"]["epoch"] == [5, 6] and told["row"]["done"] == 7
    assert set(told) == {"scalars", "row"}


def test_an_update_costs_what_is_new_however_long_the_run_is(board, fake):
    rows = [fakes.fake_rows(0, False)[0] | {"epoch": epoch} for epoch in range(1001)]
    run = fake(rows=rows[:1000])
    watch = Watch(board, ["a-run"])
    first = len(json.dumps(first_event(watch.look)))
    run.set_rows(rows)
    update = len(json.dumps(first_event(watch.look)))
    assert update < 1500 < 50 * update < first * 2


def test_a_connection_that_broke_goes_on_where_it_was(board, fake):
    rows = fakes.fake_rows(0, False)
    run = fake(rows=rows[:5])
    run.set_diagnostics([asked(e) for e in range(6)])
    watch = Watch(board, ["a-run"])
    cursor = watch.look().cursor
    while event := watch.look():
        cursor = event.cursor
    run.set_rows(rows[:6])
    run.set_diagnostics([asked(e) for e in range(8)])
    again = Watch(board, ["a-run"], cursor=cursor)
    told = news(again)
    assert told["scalars"]["epoch"] == [5] and "samples" not in told
    diagnoses = news(again)["diagnoses"]
    whole = Judge()
    assert diagnoses == [whole.next(asked(e)) for e in range(8)][6:]


@pytest.mark.parametrize("cursor", ["nonsense", "a-run=1", "a-run=x~y~z~w", "a-run=" + "9" * 500])
def test_a_wrong_cursor_is_the_start(board, fake, cursor):
    fake()
    assert len(news(Watch(board, ["a-run"], cursor=cursor))["scalars"]["epoch"]) == 20


def test_a_resumed_run_that_lost_rows_is_told_again(board, fake):
    rows = fakes.fake_rows(0, False)
    run = fake(rows=rows[:9])
    watch = Watch(board, ["a-run"])
    news(watch)
    run.set_rows([row | {"seconds": 9.0} for row in rows[:4]])
    told = news(watch)
    assert told["again"] and told["scalars"]["epoch"] == [0, 1, 2, 3]


def test_diagnoses_are_those_of_the_program_at_that_moment(board, fake):
    run = fake()
    rows = [asked(2 * k + 1, mmd=0.5 + k / 100) for k in range(9)]
    run.set_diagnostics(rows)
    watch = Watch(board, ["a-run"])
    assert "diagnoses" not in news(watch)  # curves and pictures come first
    told = news(watch)["diagnoses"]
    for k, diagnosis in enumerate(told):
        found = diagnose(rows[: k + 1])
        assert [each["name"] for each in diagnosis["findings"]] == [each.name for each in found]
        assert diagnosis["said"] == silence(rows[: k + 1]) and diagnosis["epoch"] == 2 * k + 2
        assert all(each["advice"] and each["evidence"] for each in diagnosis["findings"])
    assert told[-1]["light"] == "trouble" and told[0]["light"] == "unknown"


def test_lights():
    def of(name, calibrated=True):
        return Finding(name, 0, "", {}, calibrated)

    assert light([]) == "unknown" and light([of("healthy")]) == "healthy"
    assert light([of("forgetting", False)]) == "watch"
    assert light([of("forgetting", False), of("D wins")]) == "trouble"


def test_every_failure_has_an_advice():
    from bascule.diagnostics.advice import ADVICE
    from bascule.diagnostics.rules import NAMES

    assert list(ADVICE) == list(NAMES)


@pytest.mark.parametrize(
    "row", [{"epoch": 3}, {"epoch": "x", "mmd": None}, asked(1, asked=2), asked(1, every_epochs=0)]
)
def test_rows_that_cannot_be_judged_are_told(row):
    from bascule.board.tail import numbers

    told = Judge().next(numbers(json.dumps(row).encode()))
    assert told["light"] == "unknown" and isinstance(told["said"], str)


def test_only_nan_half_a_line_and_nonsense_are_told(board, fake):
    nan = {"epoch": 0, "loss_D": float("nan"), "D_x": float("inf")}
    run = fake(rows=[nan])
    watch = Watch(board, ["a-run"])
    assert news(watch)["scalars"] == {"epoch": [0], "loss_D": [None], "D_x": [None]}
    with (run.folder / "scalars.jsonl").open("a") as file:
        file.write('{"epoch": 1, "loss')
    assert "scalars" not in (news(watch) or {})
    with (run.folder / "scalars.jsonl").open("a") as file:
        file.write('_D": oops}\n')
    told = news(watch)
    assert "not a row" in told["problem"]
    assert news(watch) is None  # it is said once


def test_a_run_that_vanishes_and_comes_back_is_told(board, fake):
    run = fake()
    watch = Watch(board, ["a-run"])
    news(watch)
    os.rename(run.folder, board.root / ".away")
    assert news(watch) == {"gone": True}
    assert news(watch) is None
    os.rename(board.root / ".away", run.folder)
    assert len(news(watch)["scalars"]["epoch"]) == 20


def test_files_behind_links_are_not_read(board, fake, tmp_path):
    run = fake()
    (tmp_path / "secret").write_text('{"epoch": 0, "secret": 1}\n')
    for name in ("scalars.jsonl", "diagnostics.jsonl"):
        (run.folder / name).unlink(missing_ok=True)
        (run.folder / name).symlink_to(tmp_path / "secret")
    watch = Watch(board, ["a-run"])
    told = [first_event(watch.look) for _ in range(3)]
    assert "secret" not in json.dumps([t["runs"]["a-run"].get("scalars") for t in told if t])
    assert "not followed" in told[0]["runs"]["a-run"]["problem"]


def test_a_row_with_a_thousand_scalars_does_not_choke_the_page():
    row = {"epoch": 0} | {f"s{k}": 1.0 for k in range(1000)}
    assert len(columns([row])) == 100


def test_seeds_and_relatives_are_found(board, store):
    fakes.fake_results(store.root)
    every = board.summaries.all()
    by_id = {each.id: each for each in every}
    chosen = [by_id["run-1-0"]]
    assert {each.id for each in seeds_of(chosen, every)} == {"run-1-1", "run-1-2"}
    found = {each.id for each in relatives_of(chosen, every)}
    assert found == {"run-0-0", "run-2-0", "run-1-1", "run-1-2"}  # parent, sister, other seeds


def test_the_page_and_its_pictures(client, fake, tmp_path):
    run = fake(title='<script>alert("x")</script>')
    page = client.get("/game", params={"run": run.id})
    assert page.status_code == 200 and "<script>alert" not in page.text
    told = client.get(f"/run/{run.id}/epoch/5.png")
    assert told.content == run.sample(5).read_bytes()
    assert told.headers["content-type"] == "image/png"
    (tmp_path / "secret.png").write_bytes(b"secret")
    run.sample(7).symlink_to(tmp_path / "secret.png")
    for path in (
        f"/run/{run.id}/epoch/6.png",
        f"/run/{run.id}/epoch/7.png",
        f"/run/{run.id}/recipe/5.png",
        f"/run/{run.id}/epoch/-1.png",
        "/run/..%2f..%2fetc/epoch/5.png",
        "/run/.trash/epoch/5.png",
        "/game",
        "/game?run=..",
        "/events/game?run=no-such",
    ):
        answer = client.get(path)
        assert answer.status_code in (400, 404) and b"secret" not in answer.content, path


def test_too_many_runs_at_once_are_refused(client, fake):
    ids = [fake(f"run-{k}").id for k in range(13)]
    answer = client.get("/game", params={"run": ids})
    assert answer.status_code == 400 and "at most 12" in answer.json()["error"]

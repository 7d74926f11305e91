"""What a page was made from, and that an emptier one never takes its place."""

import json

import pytest

from bascule.core.errors import UserError
from bascule.reports.made import Made, found_made, keep_made, made_of, protect
from fakes import fake_ladder

HOW = "give --force"
OLD = """# q

## Runs

| fact | value |
| --- | --- |
| time | 3 s |

| run | arm | seed | epochs | images/s |
| --- | --- | --- | --- | --- |
| 2026-a | plain | 0 | 20 | 200 |
| 2026-b | plain | 1 | 20 | 200 |

*images/s: mean.*
"""


def test_runs_and_their_measurements_are_counted_and_read_back(tmp_path):
    results = fake_ladder(tmp_path / "runs")
    made = made_of(results.every_run)
    assert made.runs == 4 and made.measurements == 2 * 3 + 2 * 6  # "new" was measured twice
    assert found_made(tmp_path, "note") is None
    (tmp_path / "note.md").write_text("x")
    keep_made(tmp_path, "note", made)
    assert found_made(tmp_path, "note") == made


@pytest.mark.parametrize(
    ("there", "now", "after_training", "kept"),
    [
        (Made(3, 9), Made(2, 9), False, True),
        (Made(3, 9), Made(3, 0), False, True),
        (Made(3, 9), Made(3, 9), False, False),
        (Made(3, 9), Made(4, 12), False, False),
        (Made(3, 9), Made(2, 9), True, False),  # what was just trained is told
        (Made(3, 9), Made(0), True, True),
        (Made(0), Made(0), True, False),
    ],
)
def test_less_never_replaces_more(tmp_path, there, now, after_training, kept):
    (tmp_path / "note.md").write_text("x")
    told = {"runs": [str(k) for k in range(there.runs)], "measurements": there.measurements}
    (tmp_path / "note.json").write_text(json.dumps(told))
    if not kept:
        return protect(tmp_path, "note", now, HOW, after_training)
    with pytest.raises(
        UserError, match=r"was made from 3 finished runs, 9 measurements; found now"
    ):
        protect(tmp_path, "note", now, HOW, after_training)


def test_of_older_pages_the_runs_are_counted_in_what_they_say(tmp_path):
    (tmp_path / "note.md").write_text(OLD, "utf-8")
    assert found_made(tmp_path, "note") == Made(2)
    (tmp_path / "note.md").unlink()
    (tmp_path / "note.html").write_text("?", "utf-8")
    assert found_made(tmp_path, "note") == Made(1)  # unknown: kept from one of nothing
    with pytest.raises(UserError, match="1 finished run; found now: 0 finished runs"):
        protect(tmp_path, "note", Made(0), HOW)


def test_committed_notes_say_how_many_runs_they_are_of():
    from pathlib import Path

    notes = Path(__file__).parents[2] / "notes"
    assert found_made(notes / "perfect-g", "note").runs == 15
    assert found_made(notes / "notebook", "summary").runs > 100

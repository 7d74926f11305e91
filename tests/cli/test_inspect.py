"""`bascule list` at 80 columns and in a file."""

import io

import pytest

from bascule.reports import terminal
from bascule.runs.store import Fork


@pytest.fixture
def runs(tiny, store):
    digest = tiny.data.load().digest
    one = store.create(tiny, "notebook/lying reals among fakes, a long name for an arm s0", digest)
    row = {"epoch": 0, "images_per_s": 700.0, "loss_D": 1.1, "loss_G": 0.9, "D_x": 0.7, "D_Gz": 0.3}
    one.set_rows([row])
    return one, store.create(tiny.replace(epochs=5), "branch", digest, fork=Fork(one.id, 2))


def listed(bascule, monkeypatch, width):
    """What a terminal of ``width`` columns shows."""
    from rich.console import Console

    shown = io.StringIO()
    if width:
        made = Console(file=shown, width=width, force_terminal=True, color_system=None)
        monkeypatch.setattr(terminal, "console", lambda: made)
    code, out, err = bascule("list")
    assert code == 0, err
    return (shown.getvalue() or out).splitlines()


def test_at_80_columns_every_run_is_one_line_with_an_id_that_finds_it(
    bascule, monkeypatch, runs, store
):
    lines = listed(bascule, monkeypatch, 80)
    assert max(map(len, lines)) <= 80 and len(lines) == 6
    short = [line.split("│")[1].strip() for line in lines[3:5]]
    assert [len(id) for id in short] == [8, 8]
    assert {store.find(id).id for id in short} == {run.id for run in runs}
    (long,) = (line for line in lines if "…" in line)
    assert "D_x" in lines[1] and "0.700" in long and "arm s0" in long


@pytest.mark.parametrize("width", [260, None])
def test_wide_terminals_and_files_show_whole_ids(bascule, monkeypatch, runs, width):
    text = "\n".join(listed(bascule, monkeypatch, width))
    assert all(run.id in text for run in runs) and "loss_G" in text
    assert f"{runs[0].id} at 2" in text


def test_an_id_that_is_not_unique_stays_whole():
    from types import SimpleNamespace

    from bascule.cli.inspect import short_id

    one, two = (SimpleNamespace(id=f"2026-{n}-1a2b3c4d", name=n) for n in ("a", "b"))
    assert short_id(one, [one, two]) == one.id and short_id(one, [one]) == "1a2b3c4d"

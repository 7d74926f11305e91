"""Runs side by side."""

import io

import pytest
from fakes import CREDIT, fake_parent_and_fork, plain, write_fake
from rich.console import Console

from bascule.errors import Refusal
from bascule.reports.compare import comparison_table, curves_of, write_comparison


def test_a_fork_and_its_parent(tmp_path):
    runs = fake_parent_and_fork(tmp_path)
    page = write_comparison(runs, tmp_path / "compare", CREDIT)
    for text in (page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")):
        assert "PerfectG(at_epoch=12" in text and "parent-id at 12" in text
        assert "Micah Lanier" in text and str(tmp_path) not in text
    pictures = sorted(p.name for p in (tmp_path / "compare" / "samples").iterdir())
    assert pictures == ["0-parent-epoch-0020.png", "1-child-epoch-0020.png"]


def test_the_shared_past_is_drawn_once_and_the_branch_is_marked(tmp_path):
    drawn = curves_of(fake_parent_and_fork(tmp_path), ["parent", "child"])
    ax = drawn.wide.axes[0]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [11.5]
    assert "branch: PerfectG" in [text.get_text() for text in ax.texts]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"] == [11]


def test_the_terminal_shows_the_same(tmp_path):
    console = Console(file=io.StringIO(), width=160)
    console.print(comparison_table(fake_parent_and_fork(tmp_path)))
    shown = console.file.getvalue()
    assert "PerfectG" in shown and "20/20" in shown and "loss_D" in shown


def test_one_run_or_one_twice_is_refused(tmp_path):
    parent, _ = fake_parent_and_fork(tmp_path)
    for runs in ([], [parent], [parent, parent]):
        with pytest.raises(Refusal, match="at least two"):
            write_comparison(runs, tmp_path / "compare", CREDIT)
        with pytest.raises(Refusal, match="at least two"):
            comparison_table(runs)


def test_runs_without_rows_and_of_one_name_are_compared(tmp_path):
    runs = [write_fake(tmp_path / f"id-{k}", plain.but(batch=8 + k), "twin", []) for k in (0, 1)]
    page = write_comparison(runs, tmp_path / "compare", CREDIT)
    text = page.with_suffix(".md").read_text("utf-8")
    assert "0/20" in text and "No sample grid yet" in text and "id-1" in text
    comparison_table(runs)

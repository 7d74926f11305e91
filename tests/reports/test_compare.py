"""Runs side by side."""

import io

import pytest
from rich.console import Console

from bascule.core.errors import UserError
from bascule.experiments.paired import arms_of
from bascule.reports.compare import comparison_tables, curves_of, write_comparison
from bascule.reports.terminal import rich_table
from fakes import (
    ARMS,
    CREDIT,
    SWITCH,
    fake_parent_and_fork,
    fake_rows,
    plain,
    write_fake,
)


def printed(runs, width=80) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in comparison_tables(runs):
        console.print(rich_table(table))
    return console.file.getvalue()


@pytest.fixture
def twelve(tmp_path):
    """Four arms on three seeds; the second leaves the first at SWITCH."""
    arms = {**ARMS, "small batches": plain.replace(batch=8)}
    found = []
    for place, (arm, recipe) in enumerate(arms.items()):
        for seed in (0, 1, 2):
            fork = {"parent": f"run-0-{seed}", "epoch": SWITCH} if place == 1 else None
            rows = fake_rows(seed, place in (1, 2))
            folder = tmp_path / f"run-{place}-{seed}"
            found.append(
                write_fake(folder, recipe.replace(seed=seed), f"q {arm} s{seed}", rows, fork)
            )
    return found


def test_of_twelve_runs_four_arms_are_compared_with_the_first(twelve, tmp_path):
    page = write_comparison(twelve, tmp_path / "compare", CREDIT, "bascule compare a b")
    text = page.with_suffix(".md").read_text("utf-8")
    header = next(line for line in text.splitlines() if line.startswith("| number |"))
    assert header == (
        "| number | plain (control) | perfect G | perfect G, every input noised | small batches |"
    )
    row = next(line for line in text.splitlines() if line.startswith("| D_Gz |"))
    assert row.count("±") == 4 and row.count("(+0.3") == 2 and row.count("(") == 3
    assert all(run.id in text for run in twelve) and "bascule compare a b" in text
    assert sorted(p.name[:1] for p in (tmp_path / "compare/samples").iterdir()) == list("0123")


def test_arms_are_the_colours_and_seeds_are_thin_lines(twelve):
    ax = curves_of(arms_of(twelve)).wide.axes[0]
    bold = [line for line in ax.lines if line.get_linewidth() == 2]
    assert len({line.get_color() for line in bold}) == len(bold) == 4
    assert len([line for line in ax.lines if line.get_linewidth() == 0.6]) == 12
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"] == [SWITCH - 1]


def test_nothing_is_cut_off_at_80_columns(twelve):
    shown = printed(twelve)
    assert "…" not in shown and max(map(len, shown.splitlines())) <= 80
    for part in ("PerfectG", "InstanceNoise", "batches", "minus", "D_Gz", "20/20", "[0."):
        assert part in shown


def test_a_fork_and_its_parent(tmp_path):
    runs = fake_parent_and_fork(tmp_path)
    page = write_comparison(runs, tmp_path / "compare", CREDIT, "bascule compare")
    for text in (page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")):
        assert "PerfectG(at_epoch=12" in text and "parent-id at 12" in text
        assert "Micah Lanier" in text and str(tmp_path) not in text
    pictures = sorted(p.name for p in (tmp_path / "compare" / "samples").iterdir())
    assert pictures == ["0-parent-epoch-0020.png", "1-child-epoch-0020.png"]


def test_the_shared_past_is_drawn_once_and_the_branch_is_marked(tmp_path):
    parent, child = fake_parent_and_fork(tmp_path)
    drawn = curves_of({"parent": {0: parent}, "child": {0: child}})
    ax = drawn.wide.axes[0]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [11.5]
    assert "branch: PerfectG" in [text.get_text() for text in ax.texts]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"] == [11]


def test_the_terminal_shows_the_same(tmp_path):
    shown = printed(fake_parent_and_fork(tmp_path), width=160)
    assert "PerfectG" in shown and "20/20" in shown and "loss_D" in shown


def test_one_run_or_one_twice_is_refused(tmp_path):
    parent, _ = fake_parent_and_fork(tmp_path)
    for runs in ([], [parent], [parent, parent]):
        with pytest.raises(UserError, match="at least two"):
            write_comparison(runs, tmp_path / "compare", CREDIT, "bascule compare")
        with pytest.raises(UserError, match="at least two"):
            comparison_tables(runs)


def test_runs_without_rows_and_of_one_name_are_compared(tmp_path):
    runs = [
        write_fake(tmp_path / f"id-{k}", plain.replace(batch=8 + k), "twin", []) for k in (0, 1)
    ]
    page = write_comparison(runs, tmp_path / "compare", CREDIT, "bascule compare")
    text = page.with_suffix(".md").read_text("utf-8")
    assert "0/20" in text and "No sample grid yet" in text and "id-1" in text
    comparison_tables(runs)

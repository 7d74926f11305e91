"""Tables for a terminal of 80 columns."""

import io

from rich.console import Console

from bascule.reports.page import Table
from bascule.reports.terminal import fitted, on_terminal


def printed(table, width):
    out = Console(file=io.StringIO(), width=width)
    out.print(table)
    return out.file.getvalue().splitlines()


ROWS = [
    {"run": "1a2b3c4d", "name": "a name", "D_x": "0.71", "note": "", "images/s": "700"},
    {"run": "5e6f7a8b", "name": "n" * 40, "D_x": "0.52", "note": "", "images/s": "71"},
]


def test_columns_give_way_in_order_and_empty_ones_are_left_out():
    lines = printed(fitted(ROWS, 100, ("images/s", "D_x"), cut="name"), 100)
    assert "images/s" in lines[1] and "note" not in lines[1] and "n" * 40 in lines[4]
    lines = printed(fitted(ROWS, 45, ("images/s", "D_x"), cut="name"), 45)
    assert "images/s" not in lines[1] and "D_x" in lines[1]
    lines = printed(fitted(ROWS, 30, ("images/s", "D_x"), cut="name"), 30)
    assert "D_x" not in lines[1]


def test_the_longest_cell_is_cut_and_never_wrapped():
    lines = printed(fitted(ROWS, 50, ("images/s",), cut="name"), 50)
    assert len(lines) == 6 and max(map(len, lines)) <= 50
    assert "5e6f7a8b" in lines[4] and "nn…nn" in lines[4] and "0.52" in lines[4]


MEASURES = Table(
    ("measure", "value", "floor", "better", "n", "reading"),
    [
        (
            "KID[lite0,128px]",
            "0.80 ± 0.03",
            "0.01 ± 0.03",
            "lower",
            "5 000",
            "worse than the floor",
        ),
        ("1-NN accuracy[lite0,128px]", "0.98", "0.50", "floor", "5 000", "above the floor"),
        ("SWD[laplacian,64px]", "12.0", "1.3", "lower", "5 000", "no standard error"),
    ],
    "Floor: of reals.",
)


def test_the_scale_and_its_n_stand_once_in_a_title_and_rows_have_short_names():
    lines = [line for table in on_terminal(MEASURES, 80) for line in printed(table, 80)]
    text = "\n".join(lines)
    assert text.count("lite0,128px") == 1 and "measured with lite0,128px, n 5 000" in text
    assert "SWD[laplacian,64px]" in text and text.count("Floor: of reals.") == 1
    assert any("│ KID " in line and "worse than the floor" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_other_tables_stay_as_they_are():
    plain = Table(("measure", "value"), [("A[one]", "1"), ("B[two]", "2")])
    (table,) = on_terminal(plain, 80)
    assert "A[one]" in "".join(printed(table, 80))

"""The forest plot: one axis a finding, whatever was measured."""

import io

import matplotlib.colors as mcolors
from PIL import Image

from bascule.experiments.predictions import Lower, Within
from bascule.experiments.verdict import verdict
from bascule.reports.figures import COLOURS, png
from bascule.reports.forest import WORD_COLOURS, findings_drawing, findings_figure


def answer(seeds):
    import numpy as np

    curves = {"a": {s: {"D_x": np.full(5, 0.5 + s / 100)} for s in seeds}}
    curves["b"] = {s: {"D_x": np.full(5, 0.9 + s / 50)} for s in seeds}
    claims = [Within("D_x", "a", 0.45, 0.55), Lower("D_x", "b", than="a")]
    return verdict(claims, [Within("D_x", "b", 0, 1)], curves, seeds)


def test_one_axis_a_finding_in_the_colour_of_its_word():
    figure = findings_figure(answer((0, 1, 2)))
    told = [(ax.get_title(loc="left"), ax.get_title(loc="right")) for ax in figure.axes]
    assert [word for _, word in told] == ["supported", "refuted", "supported"]
    assert told[2][0].startswith("check: ")
    assert figure.axes[1].lines[-2].get_color() == WORD_COLOURS["refuted"]
    assert list(figure.axes[0].lines[-1].get_xdata()) == [0.5, 0.51, 0.52]
    assert Image.open(io.BytesIO(png(figure))).format == "PNG"


def test_a_claimed_region_has_a_frame_that_is_seen():
    within, lower, _ = findings_figure(answer((0, 1, 2))).axes
    for ax, edges in ((within, (0.45, 0.55)), (lower, (None, 0.0))):
        _, frame = ax.patches
        assert frame.get_edgecolor()[3] == 1 and frame.get_linewidth() >= 1
        assert mcolors.to_hex(frame.get_edgecolor()) == COLOURS[0].lower()
        left, right = frame.get_x(), frame.get_x() + frame.get_width()
        low, high = ax.get_xlim()
        assert (left > low, right < high) == (edges[0] is not None, True)  # open: leaves the panel
        for edge, drawn in zip(edges, (left, right), strict=True):
            assert edge is None or abs(drawn - edge) < 1e-9


def test_the_numbers_of_every_finding_are_a_row_a_seed():
    told = answer((0, 1, 2))
    drawing = findings_drawing(told, "caption")
    rows = [dict(zip(drawing.data.columns, row, strict=True)) for row in drawing.data.rows]
    assert [row["kind"] for row in rows] == ["prediction"] * 6 + ["check"] * 3
    assert [row["value"] for row in rows[:3]] == list(told.findings[0].values.values())
    assert (rows[0]["claimed_low"], rows[0]["claimed_high"]) == (0.45, 0.55)
    assert rows[3]["word"] == told.findings[1].word


def test_one_seed_and_no_seed_are_drawn():
    one = findings_figure(answer((0,)))
    assert one.axes[0].get_title(loc="right") == "inconclusive"
    none = findings_figure(answer(()), columns=1)
    assert "not measured" in [text.get_text() for text in none.axes[0].texts]
    png(none)

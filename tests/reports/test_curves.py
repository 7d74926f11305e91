"""Learning curves: changes, branches, and a scale that hides nothing."""

import io

import numpy as np
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from bascule.reports.curves import BEST, Change, curves_figure, panels_of
from bascule.reports.figures import HANDLE, png, style, svg, wrapped
from bascule.theory.noise import BLIND, CERTAIN


def curves(loss_D, seeds=1, arms=("a", "b")):
    n = len(loss_D)
    one = {"loss_D": np.array(loss_D), "loss_G": np.ones(n), "D_x": np.ones(n) / 2}
    one["D_Gz"] = np.linspace(0, 1, n)
    return {arm: dict.fromkeys(range(seeds), one) for arm in arms}


def titles(figure):
    return " ".join(ax.get_title(loc="right") for ax in figure.axes)


def dashed(ax):
    return [line for line in ax.lines if line.get_linestyle() == "--"]


def test_each_change_is_one_labelled_dashed_line_before_its_epoch():
    figure = curves_figure(curves([1.0] * 9), [Change(3, "PerfectG"), Change(5, "Other")])
    for ax in figure.axes:
        assert [line.get_xdata()[0] for line in dashed(ax)] == [2.5, 4.5]
        assert {"PerfectG", "Other"} <= {text.get_text() for text in ax.texts}


def test_it_is_a_picture_and_an_svg_of_its_own_ink():
    figure = curves_figure(curves([1.0] * 9, seeds=3))
    assert Image.open(io.BytesIO(png(figure))).format == "PNG"
    drawn = svg(figure, "x")
    assert drawn.startswith("<svg") and "currentColor" in drawn


def test_a_dominant_spike_is_shown_on_a_scale_that_says_so():
    spiked = curves_figure(curves([1.0, 1.1, 1.2, 1.1] * 10 + [50.0]))
    assert "logarithmic above" in titles(spiked) and "highest 50" in titles(spiked)
    low, high = spiked.axes[0].get_ylim()
    assert low <= 1 and high >= 50
    assert titles(curves_figure(curves([1.0, 1.1, 1.2, 1.1] * 10 + [1.3]))).strip() == ""


def test_the_panels_of_probabilities_span_them():
    figure = curves_figure(curves([1.0] * 4))
    assert all(ax.get_ylim() == (-0.02, 1.02) for ax in figure.axes[2:])


def test_a_branch_is_drawn_from_its_branch_on_with_a_dot():
    figure = curves_figure(curves(np.arange(10.0)), branches={"b": 4})
    parent, child, dot = figure.axes[1].lines[:3]
    assert np.isfinite(parent.get_ydata()).all()
    assert child.get_xdata().tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert child.get_ydata().tolist() == [1.0] * 7
    assert dot.get_marker() == "o" and dot.get_xdata()[0] == 3


def test_a_bound_is_one_line_of_its_arm_from_its_epoch_on_where_the_best_D_stands():
    plain = curves_figure(curves([1.0] * 9))
    figure = curves_figure(curves([1.0] * 9), bounds={"b": (4, CERTAIN)})
    for ax, without, level in zip(figure.axes, plain.axes, (0.0, None, 1.0, 0.0), strict=True):
        thin = [line for line in ax.lines if line.get_linewidth() == BEST["lw"]]
        assert len(ax.lines) == len(without.lines) + len(thin)
        assert [list(line.get_ydata()) for line in thin] == [[level] * 2] * (level is not None)
        for line in thin:
            assert list(line.get_xdata()) == [3.5, 8.5]
            assert line.get_color() == figure.legends[0].get_lines()[1].get_color()
    low, high = figure.axes[0].get_ylim()
    assert low <= 0 and high >= 1  # the line lies in the panel
    png(curves_figure({"a": {}}, bounds={"a": (4, BLIND)}))


def test_no_curves_and_hostile_names_are_drawn_too():
    png(curves_figure({"a": {}, "b": {}}))
    png(curves_figure(curves([1.0, 2.0], arms=("_x", "cost $5_^ and $", "猫"))))


def test_more_arms_than_colours_differ_in_their_stroke():
    figure = curves_figure(curves([1.0, 2.0], arms=[f"arm {k}" for k in range(8)]))
    strokes = {(h.get_color(), str(h.get_linestyle())) for h in figure.legends[0].get_lines()}
    assert len(strokes) == 8


def test_what_is_measured_now_and_then_is_a_line_through_its_points():
    nan = np.nan
    curves = {
        "a": {
            0: {"mmd": np.array([nan, 4.0, nan, 2.0])},
            1: {"mmd": np.array([nan, 6.0, nan, 4.0])},
        }
    }
    panels = [("mmd", "", 1.0, "floor")]
    (ax,) = [ax for ax in curves_figure(curves, panels=panels).axes if ax.get_title("left")]
    assert ax.get_title("left") == "mmd"
    bold = max(ax.lines, key=lambda line: line.get_linewidth())
    assert bold.get_xdata().tolist() == [1, 3] and bold.get_ydata().tolist() == [5.0, 3.0]


def test_a_scalar_that_nobody_measured_has_no_panel():
    nothing, y = np.full(4, np.nan), np.arange(4.0)
    told = {"a": {0: {"loss_D": y, "loss_G": nothing}}, "b": {0: {"loss_D": y}}}
    shown = curves_figure(told, panels=panels_of(("loss_D", "loss_G", "lost")))
    assert [ax.get_title(loc="left") for ax in shown.axes if ax.axison] == ["loss_D  (nats)"]


LONG = "every input noised, with reals among the fakes and fakes among the reals, twice over"
CHINESE = "識別器が騙される腕、その名前はとても長く、空白もないので切るしかない"
TWELVE = ["plain", LONG, CHINESE, "q" * 90, *(f"arm {k}" for k in range(8))]


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("n", [1, 40])
def test_nothing_is_cut_off_or_covered(columns, n):
    labels = ["InstanceNoise(Anneal(0.2, 0.0))", "PerfectG, InstanceNoise", f"{LONG} and longer"]
    changes = list(map(Change, (0, n // 2, n - 1), labels))
    figure = curves_figure(curves([1.0] * n, arms=TWELVE), changes, columns=columns)
    with style():
        figure.canvas.draw()
    drawn = figure.canvas.get_renderer()
    whole = figure.bbox.padded(1)
    ticks = {t for ax in figure.axes for t in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    for text in set(figure.findobj(Text)) - ticks:  # a tick beyond the limits is not drawn
        box = text.get_window_extent(drawn)
        if text.get_visible() and text.get_text().strip() and box.width:
            assert whole.x0 <= box.x0 and box.x1 <= whole.x1, text.get_text()
            assert whole.y0 <= box.y0 and box.y1 <= whole.y1, text.get_text()
    named = [text.get_window_extent(drawn) for text in figure.legends[0].get_texts()]
    for ax in figure.axes:
        told = [text for text in ax.texts if "change" in (text.get_gid() or "")]
        assert len(told) == 3
        boxes = [text.get_window_extent(drawn).padded(-1) for text in told]
        boxes.append(ax.title.get_window_extent(drawn) if ax.title.get_text() else ax.bbox)
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:k])
    for k, box in enumerate(named):
        assert not any(box.padded(-1).overlaps(other) for other in named[:k])
    assert len(named) == 12


def test_strokes_of_the_legend_are_long_enough_to_show_their_dashes():
    figure = curves_figure(curves([1.0, 2.0], arms=TWELVE))
    handle = figure.legends[0].get_lines()[11]  # dash-dot
    (_, dashes), drawn = handle._unscaled_dash_pattern, figure.axes[0].lines[11]
    assert dashes == drawn._unscaled_dash_pattern[1] and dashes
    letters = HANDLE * 9.5  # points
    assert letters >= 2 * sum(dashes) * handle.get_linewidth()  # two periods


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("value", [0.0, 1.4])
def test_one_epoch_is_a_dot_at_a_whole_number(seeds, value):
    figure = curves_figure(curves([value], seeds=seeds))
    png(figure)
    for ax in figure.axes:
        low, high = ax.get_xlim()
        assert (low, high) == (-0.5, 0.5)
        assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [0]
        bold = [line for line in ax.lines if (line.get_gid() or "").endswith("mean")]
        assert [line.get_marker() for line in bold] == ["o", "o"]
    low, high = figure.axes[0].get_ylim()
    assert low < value < high
    assert figure.axes[1].get_ylim() == (0.5, 1.5)  # of loss_G, 1 everywhere


@pytest.mark.parametrize("n", [2, 3, 5, 80])
def test_epochs_are_whole_numbers_on_axes_that_all_panels_share(n):
    figure = curves_figure(curves([1.0] * n))
    png(figure)
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    assert all(tick == int(tick) for tick in figure.axes[0].get_xticks())


def test_lines_break_by_the_width_of_their_signs():
    assert wrapped("one two three", 7) == "one two\nthree"
    assert wrapped("騙される識別器", 6) == "騙され\nる識別\n器"
    assert wrapped("", 5) == ""


def test_no_number_of_a_y_axis_covers_another():
    figure = curves_figure(curves([1.0, 1.1, 1.2, 1.1] * 10 + [8.6]))
    png(figure)
    drawn = figure.canvas.get_renderer()
    ax = figure.axes[0]
    boxes = [t.get_window_extent(drawn) for t in ax.get_yticklabels() if t.get_text()]
    assert len(boxes) >= 3 and not any(map(Bbox.overlaps, boxes[1:], boxes))

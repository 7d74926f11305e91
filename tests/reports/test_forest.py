"""The forest plot: one axis a finding, whatever was measured."""

import io

from PIL import Image

from bascule.experiments.predictions import Lower, Within
from bascule.experiments.verdict import verdict
from bascule.reports.figures import png
from bascule.reports.forest import WORD_COLOURS, findings_figure


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


def test_one_seed_and_no_seed_are_drawn():
    one = findings_figure(answer((0,)))
    assert one.axes[0].get_title(loc="right") == "inconclusive"
    none = findings_figure(answer(()), columns=1)
    assert "not measured" in [text.get_text() for text in none.axes[0].texts]
    png(none)

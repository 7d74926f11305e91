"""The page of the bench: what it says of every kind of check, and its figure."""

import json

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.theory.bench import FULL, TWO_MINUTES
from bascule.theory.check import Check, Section
from bascule.theory.figure import theory_figure
from bascule.theory.report import prepare, section_table, summary, write_theory


@pytest.fixture
def sections():
    line = np.linspace(0, 1, 5)
    drawn = {f"path/{n}": np.stack([line, line], 1) for n in ("GAN", "non-saturating", "WGAN-GP")}
    drawn |= {f"path/GAN, {n} 0.3": np.stack([line, -line], 1) for n in ("R1", "instance noise")}
    drawn |= {f"rate/{n}": np.stack([line, -line, -line]) for n in ("R1", "instance noise")}
    drawn |= {f"logits/{n}": np.stack([line, 2 - line]) for n in ("D*", "one linear layer")}
    drawn |= {"bound": np.stack([1 + line, line]), "seen/conv": np.stack([1 + line, line, line])}
    for name in ("ring-8", "grid-25"):
        drawn |= {f"means/{name}": np.eye(2), f"made/{name}": np.ones((4, 2))}
    checks = [
        Check("a rate", -0.15, -0.1512, 0.04, "someone 2018"),
        Check("stands still", 0.0, 0.5, 0.004, "someone 2018"),
        Check("an exact sum", 3.0827380582, 3.0827380582, 1e-10, "someone 2018"),
        Check("accuracy | of D", 0.86, 0.80, 0.012, "Bayes", "at most"),
        Check("modes", 6.3, 7.0, 0.0, "others", "reference", "each of 2 seeds: 6, 8"),
    ]
    return [Section("All kinds", checks, drawn)]


def test_a_row_says_how_far_and_how_much_is_allowed(sections):
    rows = {row[0]: row[1:] for row in section_table(sections[0]).rows}
    assert rows["a rate"] == ["-0.15", "-0.1512", "-0.8 %", "4 %", "agrees", "someone 2018"]
    assert rows["stands still"] == ["0", "0.5", "+5.0e-01", "0.004", "differs", "someone 2018"]
    assert rows["an exact sum"][1] == "3.082738058"
    assert rows["accuracy | of D"][:2] == ["≤ 0.86", "0.8"]
    assert rows["accuracy | of D"][3:5] == ["0.012", "bound holds"]
    assert rows["modes"][1] == "7 (each of 2 seeds: 6, 8)"
    assert rows["modes"][3:5] == ["", "reference"]
    assert len(section_table(sections[0], sources=False).rows[0]) == 6


def test_the_summary_counts(sections):
    told = summary(sections)
    assert told == "3 of 4 predictions are met, 1 differ; 1 numbers are for reference"


def test_the_page_its_figure_and_its_numbers(sections, tmp_path):
    page = write_theory(sections, TWO_MINUTES, {"torch": "9"}, tmp_path)
    text = page.read_text("utf-8")
    assert "**3 of 4 predictions are met" in text and "(theory.png)" in text
    assert "accuracy \\| of D" in text and "3,000 steps of batch 100" in text
    assert Image.open(tmp_path / "theory.png").size[0] > 1000
    told = json.loads((tmp_path / "theory.json").read_text("utf-8"))
    assert told["about"] == {"torch": "9"}
    assert told["checks"][1] == {
        "section": "All kinds",
        "name": "stands still",
        "kind": "equals",
        "predicted": 0.0,
        "measured": 0.5,
        "error": 0.5,
        "tolerance": 0.004,
        "verdict": "differs",
        "source": "someone 2018",
        "note": "",
    }
    write_theory(sections, FULL, {}, tmp_path)
    assert "400,000 steps" in page.read_text("utf-8")
    assert "bascule theory --full" not in page.read_text("utf-8")


def test_six_panels_with_the_bound_above_the_dots(sections):
    axes = theory_figure(sections).axes
    assert len(axes) == 6
    titles = [ax.get_title(loc="left") for ax in axes]
    assert [t.split(":")[0] for t in titles[4:]] == ["ring-8", "grid-25"]
    labels = [text.get_text() for text in axes[3].get_legend().get_texts()]
    assert labels == ["Bayes bound", "D (conv), ±3 s.e."]


def test_an_output_folder_that_cannot_be_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="give another folder with -o"):
            prepare(folder)
    prepare(tmp_path / "new" / "folder")
    assert not list((tmp_path / "new" / "folder").iterdir())
    assert (tmp_path / "file").read_text() == "mine"

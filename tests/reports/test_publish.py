"""A page as one file: what is seen first, links, numbers, words of people, and contrast."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest

from bascule.reports import figures
from bascule.reports.curves import Change, curves_drawing
from bascule.reports.forest import WORD_COLOURS
from bascule.reports.gallery import gallery_figure
from bascule.reports.page import (
    Answer,
    Chip,
    Gallery,
    Lines,
    Page,
    Samples,
    Section,
    Table,
    Text,
    anchor,
)
from bascule.reports.publish import html, write_page
from bascule.reports.samples import Strip, data_uri

WORDS = ("supported", "refuted", "inconclusive", "not measured")


def some_curves(arms=("plain", "noise, and more"), seeds=3, n=12):
    rng = np.random.default_rng(0)
    scalars = ("loss_D", "loss_G", "D_x", "D_Gz")
    return {
        arm: {s: {scalar: rng.random(n) for scalar in scalars} for s in range(seeds)}
        for arm in arms
    }


def some_page(curves=None, credit="by N. N.\nCC BY 4.0") -> Page:
    curves = curves or some_curves()
    changes, branches = [Change(4, "InstanceNoise")], {list(curves)[-1]: 4}
    drawn = curves_drawing("curves", curves, "curves", "Of `D_x`.", changes, branches)
    pixels = np.random.default_rng(1).integers(0, 255, (34, 134, 3), np.uint8)
    hero = Gallery("hero", [("plain", pixels)], gallery_figure({"plain": pixels}), "faces", "drawn")
    frames = [(e, data_uri(pixels, exact=e == 9)) for e in (1, 5, 9)]
    means = ("10 [1, 20]", "9.5", "", "−3")
    table = Table(
        ("prediction", "word", "mean"),
        [(word, word, mean) for word, mean in zip(WORDS, means, strict=True)],
    )
    grids = Samples([1, 5, 9], [Strip("plain", figures.COLOURS[0], frames)], [], credit)
    chips = [Chip(f"chip {k}", word, anchor("Predictions", k + 1)) for k, word in enumerate(WORDS)]
    answer = Answer(
        "refuted", "because", "means", "D stayed fooled.", [*chips, Chip("5", WORDS[0])]
    )
    sections = [
        Section("Predictions", [table]),
        Section("Curves & more", [drawn]),
        Section("Samples", [grids, Lines(credit)]),
    ]
    question = Text("Does `<b>` & `D` win, or “it”?")
    return Page("lab note", "a question", [("Question", question)], sections, answer, hero)


class Tags(HTMLParser):
    """Every tag of a page: (name, attributes)."""

    def __init__(self, source):
        super().__init__()
        self.tags = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def source():
    return html(some_page())


def test_the_first_view_says_the_finding_then_the_verdict_chips_and_a_picture(source):
    body = source[source.index("<body>") :]
    order = (
        *('<h1 class="small">', "D stayed fooled.", '<strong class="badge refuted">', "chip 0"),
        *("chip 3", "<summary>1 more</summary>", 'class="hero"', "means", "Does", "<nav", "<main>"),
    )
    places = [body.index(part) for part in order]
    assert places == sorted(places)


def test_without_a_finding_the_title_is_the_headline():
    page = html(Page("run", "a run", [], [Section("One", [Text("x")])]))
    assert "<h1>a run</h1>" in page and 'class="finding"' not in page and "<nav" not in page


def test_every_word_has_a_badge_of_its_own(source):
    for word in WORDS:
        assert f'class="badge {word.replace(" ", "-")}">{word}</strong>' in source
    styles = {re.search(rf"\.badge\.{w}::before {{ content: (.*?);", source) for w in WORDS[:2]}
    assert None not in styles and ".badge.not-measured::before" in source
    plain = html(Page("run", "r", [], [Section("T", [Table(("a", "value"), [("x", WORDS[3])])])]))
    assert "badge not-measured" not in plain.split("</style>")[1]  # a value, not a word


def test_ids_are_unique_and_every_link_inside_has_its_target(source):
    tags = Tags(source).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a.get("href") or a.get("xlink:href") for _, a in tags]
    inside = {link[1:] for link in links if link and link.startswith("#")}
    assert inside <= set(ids)
    assert {"predictions", "predictions-3", "curves-more", "samples"} <= inside
    assert set(re.findall(r"url\(#([^)]+)\)", source)) <= set(ids)


def test_the_page_asks_nothing_of_any_network(source):
    for tag, attributes in Tags(source).tags:
        assert tag not in ("link", "iframe", "base") and "srcset" not in attributes
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    assert not re.search(r"@import|url\(['\"]?https?:|fetch\(|XMLHttpRequest|import\(", source)


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_drawing_carries_its_numbers_at_full_precision(tmp_path):
    curves = some_curves(("plain", 'a, "b"', "猫"))
    curves["猫"][2] = {"loss_D": np.array([np.nan, 0.1 + 0.2])}
    path = write_page(some_page(curves), tmp_path, "note")
    told = (tmp_path / "figures" / "note-curves.csv").read_text("utf-8")
    (link,) = [a for a in Tags(path.read_text("utf-8")).all("a") if "download" in a]
    assert link["download"] == "curves.csv"
    assert unquote(link["href"].removeprefix("data:text/csv;charset=utf-8,")) == told
    rows = {(r["arm"], int(r["seed"]), int(r["epoch"])): r for r in rows_of(told)}
    assert len(rows) == 12 * 3 * 2 + 12 * 2 + 1
    for arm, seeds in curves.items():
        for seed, curve in seeds.items():
            for scalar, y in curve.items():
                for epoch in np.flatnonzero(np.isfinite(y)):
                    assert float(rows[arm, seed, int(epoch)][scalar]) == y[epoch]
    assert rows["猫", 2, 1]["D_x"] == ""
    assert "(figures/note-curves.csv)" in path.with_suffix(".md").read_text("utf-8")


def test_arms_and_seeds_are_named_in_the_drawing_and_the_script_knows_its_panels(source):
    shown = [a for a in Tags(source).all("div") if "data-panels" in a]
    assert [a["class"] for a in shown] == ["wide", "narrow"]
    for attributes in shown:
        panels = json.loads(attributes["data-panels"])
        assert [p["scalar"] for p in panels] == ["loss_D", "loss_G", "D_x", "D_Gz"]
    for arm in (0, 1):
        for part in ("mean", "range", "seed-0", "seed-1", "seed-2"):
            assert source.count(f'<g class="arm-{arm} {part}">') >= 8  # panels of both forms
    assert source.count('<g class="change change-4">') == 16  # a line and its label each
    firsts = [a["data-first"] for a in Tags(source).all("button") if "data-first" in a]
    assert firsts == ["0", "3"]  # the last epoch of its parent's that the second is drawn from


def test_the_places_of_panels_are_where_matplotlib_draws():
    y = np.array([1.0, 1.1, 1.2, 1.1] * 10 + [50.0])
    one = {"loss_D": y, "D_x": np.linspace(0, 1, 41)}
    drawing = curves_drawing("c", {"a": {0: one}}, "", "")
    drawn = figures.svg(drawing.wide, "c", legend=False)
    panels = figures.panels(drawing.wide)
    assert len(panels[0]["levels"]) > 2 and len(panels[1]["levels"]) == 2  # symmetric log; linear
    paths = re.findall(r'<g class="arm-0 mean">\s*<path d="([^"]+)"', drawn)
    for panel, path, scalar in zip(panels, paths, ("loss_D", "D_x"), strict=True):
        points = np.array(re.findall(r"[ML] (\S+) (\S+)", path), float)
        left, _, right, _ = panel["box"]
        low, high = panel["epochs"]
        epochs = low + (points[:, 0] - left) / (right - left) * (high - low)
        values, heights = np.array(panel["levels"]).T
        expected = np.interp(one[scalar][np.round(epochs).astype(int)], values, heights)
        assert np.abs(epochs - np.round(epochs)).max() < 0.01
        assert np.abs(points[:, 1] - expected).max() < 0.5  # of a point


def test_legend_strokes_are_those_of_the_lines():
    arms = [f"arm {k}" for k in range(13)]
    drawing = curves_drawing("c", some_curves(arms, 1), "", "")
    drawn = figures.svg(drawing.wide, "c", legend=False)
    for k, key in enumerate(drawing.keys):
        style = re.search(rf'<g class="arm-{k} mean">\s*<path [^>]*style="([^"]+)"', drawn)[1]
        dashes = re.search(r"stroke-dasharray: ([\d.,]+)", style)
        assert (dashes[1].replace(",", " ") if dashes else "") == key.dashes
        assert f"stroke: {figures.themed(key.colour)}" in style
    assert len({(key.colour, key.dashes) for key in drawing.keys}) == 13


def test_without_the_legend_no_room_is_kept_for_it():
    drawing = curves_drawing("c", some_curves([f"arm {k}" for k in range(12)], 1), "", "")
    tops = []
    for legend in (True, False):
        drawn = figures.svg(drawing.wide, "c", legend=legend)
        assert ("arm 7" in drawn) == legend
        tops.append(figures.panels(drawing.wide)[0]["box"][1])
    assert tops[1] < tops[0] - 50 and drawing.wide.legends


def test_words_between_backticks_are_code_and_escaped(tmp_path):
    path = write_page(some_page(), tmp_path, "note")
    page = path.read_text("utf-8")
    assert "Does <code>&lt;b&gt;</code> &amp; <code>D</code> win, or “it”?" in page
    assert "Of <code>D_x</code>." in page
    assert "Does `&lt;b>` & `D` win" in path.with_suffix(".md").read_text("utf-8")


@pytest.mark.parametrize("credit", ["", " \n"])
def test_an_empty_credit_shows_no_box(tmp_path, credit):
    path = write_page(some_page(credit=credit), tmp_path, "note")
    markdown = path.with_suffix(".md").read_text("utf-8")
    assert '<pre class="credit">' not in path.read_text("utf-8")
    assert not [line for line in markdown.splitlines() if line.startswith(">")]
    assert "\n\n\n" not in markdown


def test_the_markdown_says_the_finding_first_and_shows_the_picture(tmp_path):
    text = write_page(some_page(), tmp_path, "note").with_suffix(".md").read_text("utf-8")
    order = (
        "# a question",
        "**D stayed fooled.**",
        "**Verdict: REFUTED**",
        "- **supported**: chip 0",
    )
    order += ("![faces](figures/note-hero.png)", "means", "**Question**", "## Predictions")
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert (tmp_path / "figures" / "note-hero.png").is_file()


# --- contrast, as WCAG 2.2 defines it ---


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def properties(css):
    found = re.findall(r"--([\w-]+): (#[0-9a-fA-F]{3,6})\b", css)
    return {n: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for n, v in found}


@pytest.fixture(scope="module", params=["light", "dark", "print"])
def mode(request, source):
    css = source[source.index("<style>") : source.index("</style>")]
    light = properties(css[: css.index("@media")])
    dark = css[css.index("@media (prefers-color-scheme: dark)") :]
    dark = properties(dark[: dark.index("@media", 10)])
    on_paper = properties(css[css.index("@media print") :])
    return {"light": light, "dark": light | dark, "print": light | dark | on_paper}[request.param]


def test_contrast_is_computed_as_the_standard_says():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_all_words_have_a_contrast_of_at_least_4_5(mode):
    for ink in ("ink", "soft", "link"):
        for ground in ("paper", "card", "target"):
            assert contrast(mode[ink], mode[ground]) >= 4.5, (ink, ground)
    for word in ("supported", "refuted", "inconclusive"):
        assert contrast("#ffffff", mode[word]) >= 4.5, word  # a badge
    for colour in WORD_COLOURS.values():  # in the forest plot
        name = figures.themed(colour)[len("var(--") : -1]
        assert contrast(mode[name], mode["paper"]) >= 4.5, name


def test_lines_and_claimed_regions_have_a_contrast_of_at_least_3(mode):
    for k in range(len(figures.COLOURS)):
        assert contrast(mode[f"arm-{k}"], mode["paper"]) >= 3, k
    for colour in (*figures.COLOURS, *WORD_COLOURS.values()):  # a PNG is on white
        assert contrast(colour, "#ffffff") >= 3


def test_no_other_colour_of_words_is_in_the_style(source):
    """What the tests above know by name is all that words are coloured with."""
    css = source[source.index("<style>") : source.index("</style>")]
    inks = set(re.findall(r"[{;]\s*color: ([^;}]+)", css))
    assert inks == {"var(--ink)", "var(--soft)", "var(--link)", "#ffffff"}

"""The page's script, run by Chromium where it is installed."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from test_publish import some_curves, some_page

from bascule.reports.publish import write_page

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), "")

# Does what a reader does, and writes down what is seen then.
ASK = r"""
<script>
const told = {errors};
const find = (selector) => document.querySelector(selector);
const shown = (selector) => [...document.querySelectorAll(".wide " + selector)]
  .map((part) => part.style.display !== "none");
const button = (name) =>
  [...document.querySelectorAll(".plot button")].find((b) => b.textContent === name);
const pressed = (name) => button(name).getAttribute("aria-pressed");
const root = find(".plot .wide"), svg = root.querySelector("svg");
const panels = JSON.parse(root.dataset.panels);
const send = (kind, panel, epoch, more = {}) => {
  const [left, top, right, bottom] = panel.box, [low, high] = panel.epochs;
  const at = new DOMPoint(left + (right - left) * (epoch - low) / (high - low), (top + bottom) / 2)
    .matrixTransform(svg.getScreenCTM());
  root.dispatchEvent(new PointerEvent(kind,
    {clientX: at.x, clientY: at.y, pointerType: "mouse", bubbles: true, ...more}));
};
const rows = () => [...document.querySelectorAll(".readout tr")]
  .map((row) => [...row.children].map((cell) => cell.textContent));
const axis = svg.querySelector("[class^='matplotlib-axis_']");
const ticks = () => [...axis.querySelectorAll("[class^=xtick_]")]
  .filter((tick) => tick.style.display !== "none").map((tick) => Number(tick.textContent.trim()));

told.fold = find(".hero .gallery").getBoundingClientRect().bottom;
told.sideways = document.documentElement.scrollWidth - innerWidth;

send("pointermove", panels[1], 5.2);
told.readout = rows();
told.hairs = root.querySelectorAll(".hair").length;
told.dot = Number(root.querySelectorAll(".dot")[0].getAttribute("cy"));
told.drawn = svg.querySelector(".panel .arm-0.mean path").getAttribute("d");

button("mean").click();
send("pointermove", panels[1], 5);
told.seeds = rows();
told.means = shown(".mean");
button("mean").click();

button("seed 1").click();
told.seed = [shown(".seed-1"), shown(".seed-0"), pressed("seed 1")];
button("seed 1").click();

button("noise, and more").click();
told.arm = [shown(".arm-1"), shown(".arm-0"), pressed("noise, and more")];
button("all").click();
told.all = shown(".arm-1");

const dashed = svg.querySelector(".panel .change path");
const before = dashed.getAttribute("d");
send("pointerdown", panels[0], 2);
send("pointermove", panels[0], 5);
told.selecting = root.querySelectorAll(".selected").length;
send("pointerup", panels[0], 8);
told.zoomed = {ticks: ticks(), reset: !button("whole range").hidden,
  drawn: svg.querySelector(".panel .arm-0.mean path").getAttribute("d"),
  change: Number(dashed.getAttribute("d").match(/M (\S+)/)[1])};
send("pointermove", panels[0], 6); // of the zoomed panel
told.within = rows()[0][0];
button("whole range").click();
told.back = {ticks: ticks(), same: dashed.getAttribute("d") === before,
  reset: !button("whole range").hidden,
  drawn: svg.querySelector(".panel .arm-0.mean path").getAttribute("d")};

root.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
const first = rows()[0][0];
root.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
told.keys = [first, rows()[0][0], root.tabIndex];

send("pointerdown", panels[2], 7, {pointerType: "touch"});
send("pointerup", panels[2], 7, {pointerType: "touch"});
told.tap = rows()[0][0];

const table = find("main table"), heads = [...table.querySelectorAll(".sort")];
const order = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
told.sorts = [order()];
for (const clicked of [1, 1, 1]) {
  heads[clicked].click();
  told.sorts.push(order());
}
heads[2].click();
told.sorts.push(order());

const grid = find(".samples .enlarge:enabled");
const dialog = find("dialog"), picture = dialog.querySelector("img");
const last = [...document.querySelectorAll(".samples .enlarge")].at(-1);
last.click();
told.large = {open: dialog.open, same: picture.src === last.querySelector("img").src,
  by: picture.getBoundingClientRect().width / picture.naturalWidth,
  small: last.querySelector("img").getBoundingClientRect().width / picture.naturalWidth,
  rendering: getComputedStyle(picture).imageRendering};
picture.click();
told.closed = !dialog.open;

const slider = find(".samples input");
slider.value = 1;
slider.dispatchEvent(new Event("input"));
told.grids = [...document.querySelectorAll(".samples [data-last]")].map((grid) => !grid.hidden);
told.epoch = find(".samples output").value;
dispatchEvent(new Event("beforeprint"));
told.opened = find("details").open;
const written = document.createElement("pre");
written.id = "told";
written.textContent = JSON.stringify(told);
document.body.append(written);
</script>
"""
WATCH = "<script>const errors = []; onerror = (message) => { errors.push(message); };</script>"


def browse(page, folder, *flags):
    """The page's DOM after its scripts, at 1280 x 900."""
    quiet = ("no-first-run", "disable-gpu", "disable-background-networking", "disable-sync")
    quiet += ("disable-component-update", "disable-quic", "no-sandbox", "headless")
    asked = [CHROMIUM, *(f"--{flag}" for flag in quiet), f"--user-data-dir={folder / 'profile'}"]
    asked += ["--window-size=1280,900", "--virtual-time-budget=3000", *flags, "--dump-dom"]
    asked += [page.as_uri()]
    return subprocess.run(asked, capture_output=True, text=True, timeout=240, check=True).stdout


@pytest.fixture(scope="module")
def curves():
    return some_curves()


@pytest.fixture(scope="module")
def told(curves, tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("needs Chromium")
    folder = tmp_path_factory.mktemp("page")
    page = write_page(some_page(curves), folder, "note")
    source = page.read_text("utf-8").replace("<head>", f"<head>{WATCH}")
    page.write_text(source.replace("</body>", f"{ASK}</body>"), "utf-8")
    dom = browse(page, folder)
    found = re.search(r'<pre id="told">(.*?)</pre>', dom, re.DOTALL)
    assert found, re.findall(r"errors.*", dom)[:3]
    return json.loads(html.unescape(found[1]))


def xs(path):
    return np.array(re.findall(r"[ML] (\S+) ", path), float)


def number(value):
    return float(f"{value:.4g}")


def test_nothing_fails_and_the_picture_is_seen_without_scrolling(told):
    assert told["errors"] == []
    assert 0 < told["fold"] <= 900 and told["sideways"] <= 0


def test_the_pointer_reads_the_mean_and_range_of_every_arm(told, curves):
    (title, *head), *rows = told["readout"]
    assert title == "loss_G (nats), epoch 5" and head == ["mean", "range"]
    assert [name for name, *_ in rows] == list(curves)
    for (arm, mean, span), seeds in zip(rows, curves.values(), strict=True):
        values = [curve["loss_G"][5] for curve in seeds.values()]
        assert float(mean) == number(np.mean(values)), arm
        assert [float(edge) for edge in span.split(" to ")] == [
            number(min(values)),
            number(max(values)),
        ]
    assert told["hairs"] == 4


def test_the_dot_lies_on_the_line(told, curves):
    heights = np.array(re.findall(r"[ML] \S+ (\S+)", told["drawn"]), float)
    assert len(heights) == 12 and abs(heights[5] - told["dot"]) < 0.5


def test_without_the_mean_each_seed_is_read(told, curves):
    assert not any(told["means"])
    (_, *head), (_, *cells), _ = told["seeds"]
    assert head == ["seed 0", "seed 1", "seed 2"]
    seeds = curves["plain"]
    assert [float(cell) for cell in cells] == [number(seeds[s]["loss_G"][5]) for s in range(3)]


def test_buttons_hide_arms_and_seeds(told):
    hidden, kept, pressed = told["seed"]
    assert hidden and not any(hidden) and kept and all(kept) and pressed == "false"
    hidden, kept, pressed = told["arm"]
    assert hidden and not any(hidden) and kept and all(kept) and pressed == "false"
    assert all(told["all"])


def test_a_dragged_range_is_zoomed_and_a_button_goes_back(told):
    zoomed, back = told["zoomed"], told["back"]
    assert told["selecting"] == 1 and zoomed["reset"] and not back["reset"]
    assert zoomed["ticks"] and sorted(zoomed["ticks"]) == [2, 3, 4, 5, 6, 7, 8]
    before, after = xs(told["drawn"]), xs(zoomed["drawn"])
    steps = np.diff(after) / np.diff(before)
    assert np.allclose(steps, (11 + 2 * 0.55) / 6, rtol=0.01)  # all epochs, over those dragged
    assert abs(zoomed["change"] - (after[3] + after[4]) / 2) < 0.1  # before epoch 4
    assert back["same"] and back["drawn"] == told["drawn"]
    assert told["within"].endswith("epoch 5")  # half of the whole is epoch 5 of 2 to 8


def test_keys_and_taps_read_values_too(told):
    first, second, focus = told["keys"]
    assert first.startswith("loss_D") and focus == 0
    assert int(second.split()[-1]) == int(first.split()[-1]) + 1
    assert told["tap"] == "D_x (probability), epoch 7"


def test_tables_sort_by_a_column_up_down_and_back(told):
    given = ["supported", "refuted", "inconclusive", "not measured"]
    by_word = ["inconclusive", "not measured", "refuted", "supported"]
    by_number = ["not measured", "refuted", "supported", "inconclusive"]  # no number: below
    assert told["sorts"] == [given, by_word, by_word[::-1], given, by_number]


def test_a_grid_is_enlarged_by_whole_pixels(told):
    large = told["large"]
    assert large["open"] and large["same"] and told["closed"]
    assert large["by"] >= 2 and large["by"] == int(large["by"])
    assert large["rendering"] == "pixelated"
    assert large["small"] >= 1  # never below its own size


def test_the_slider_shows_one_grid_and_paper_shows_all_chips(told):
    assert told["grids"] == [False, True, False] and told["epoch"] == "5"
    assert told["opened"]

"""The stories of the board in a real browser, without any network but the board itself."""

import io
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from asking import CHROMIUM
from PIL import Image
from test_game_page import asked

import fakes
from bascule.cli import main
from bascule.interventions import PerfectG
from bascule.runs.execute import execute
from bascule.runs.store import Run

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")


@pytest.fixture
def two_arms(store):
    """A run and its fork with PerfectG, both with diagnostics and pictures that differ."""
    store.root.mkdir()
    parent, child = fakes.fake_parent_and_fork(store.root)
    parent.set_diagnostics([asked(e, mmd=0.5) for e in range(1, 20, 2)])
    rng = np.random.default_rng(1)
    for epoch in (12, 15, 20):
        pixels = np.asarray(Image.open(child.sample(epoch))).copy()
        pixels[:32, :32] = rng.integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(child.sample(epoch))
    return parent, child


def slide(tab, epoch):
    tab.locator("#epoch").evaluate(
        "(slider, epoch) => { slider.value = epoch; slider.dispatchEvent(new Event('input')); }",
        epoch,
    )


def panel(tab, run):
    return tab.locator(f"article[data-run='{run.id}']")


def test_titles_tags_filter_delete_and_undo(tab, served, fake, store):
    one, two = fake("one", title="first run"), fake("two", title='<img src=x onerror="alert(1)">')
    (fake("broken").folder / "run.json").write_text("{")
    tab.goto(served())
    tab.get_by_text("3 runs").wait_for()
    assert tab.locator("tbody tr").count() == 3
    assert tab.get_by_text('<img src=x onerror="alert(1)">').count() == 1  # as text
    assert tab.locator("tr[data-run=broken]").get_by_text("unreadable").is_visible()
    assert "cannot read run.json" in tab.locator("tr[data-run=broken] .why").inner_text()

    row = tab.locator("tr[data-run=one]")
    row.get_by_role("button", name="title and tags").click()
    tab.get_by_label("Title", exact=True).fill("Noise wins")
    tab.get_by_label("Tags, separated").fill("paper, nice")
    tab.get_by_role("button", name="Save").click()
    row.get_by_role("link", name="Noise wins").wait_for()
    row.get_by_text("paper").wait_for()
    assert Run(one.folder).name == "first run"

    tab.get_by_role("button", name="paper").click()
    assert not tab.locator("tr[data-run=two]").is_visible() and row.is_visible()
    tab.get_by_role("button", name="paper").click()
    tab.get_by_label("Filter").fill("img")
    assert tab.locator("tr[data-run=two]").is_visible() and not row.is_visible()
    tab.get_by_label("Filter").fill("")

    row.get_by_role("button", name="delete").click()
    tab.get_by_role("button", name="Undo").wait_for()
    row.wait_for(state="detached")
    assert not one.folder.exists() and two.folder.exists()
    tab.get_by_role("button", name="Undo").click()
    row.wait_for()
    assert one.folder.exists() and not (store.root / ".trash" / "one").exists()


def test_no_runs_and_then_one_appears_by_itself(tab, served, fake, store):
    tab.goto(served())
    tab.get_by_text("No runs yet").wait_for()
    fake("new", title="just made")
    tab.get_by_role("link", name="just made").wait_for(timeout=5000)


def test_one_slider_moves_pictures_curves_and_diagnoses_together(tab, served, two_arms):
    parent, _ = two_arms
    url = served()
    tab.goto(url)
    for run in two_arms:
        tab.locator(f"tr[data-run='{run.id}']").get_by_role("checkbox").check()
    tab.get_by_role("button", name="Look at 2").click()
    panel(tab, parent).get_by_text("trouble").wait_for()
    assert "D wins" in panel(tab, parent).inner_text()
    assert "To try, in a fork" in panel(tab, parent).inner_text()

    for epoch, at in ((7, 5), (12, 12), (20, 20), (2, 1)):
        slide(tab, epoch)
        for run in two_arms:
            assert f"/epoch/{at}.png" in panel(tab, run).locator("img").get_attribute("src")
            assert panel(tab, run).get_by_text(f"after {at} epochs").is_visible()
        value = parent.rows()[epoch - 1]["loss_D"]
        said = (
            tab.locator(".curve", has_text="loss_D")
            .locator(".said span")
            .nth(0 if "parent" in tab.locator("#key li").first.inner_text() else 1)
        )
        assert float(said.inner_text()) == pytest.approx(value, rel=1e-3)
    assert panel(tab, parent).get_by_text("unknown").count() == 0
    assert "No diagnosis" in panel(tab, parent).inner_text()  # at epoch 2

    slide(tab, 1)
    tab.get_by_label("speed").select_option("15")
    tab.get_by_role("button", name="play as a film").click()
    tab.get_by_text("epoch 20 of 20").wait_for(timeout=10_000)
    tab.get_by_role("button", name="play as a film").wait_for()


def test_the_difference_is_that_of_the_pixels(tab, served, two_arms):
    parent, child = two_arms
    url = served()
    tab.goto(url)
    tab.goto(f"{url.split('?')[0]}game?run={parent.id}&run={child.id}")
    tab.get_by_text("epoch 20 of 20").wait_for()
    said = tab.locator("#difference-said")
    for epoch in (12, 20):
        slide(tab, epoch)
        a, b = (np.asarray(Image.open(run.sample(epoch)).convert("RGB"), int) for run in two_arms)
        playwright.expect(said).to_contain_text(f"After {epoch} epochs")
        share, by = map(float, re.findall(r"(\d+\.\d+) ", said.inner_text()))
        assert share == pytest.approx(100 * (a != b).any(-1).mean(), abs=0.051)
        assert by == pytest.approx(abs(a - b).mean(), abs=0.0051)
        tab.get_by_label("brightened").select_option("1")
        png = tab.locator("#difference-canvas").evaluate(
            """async (canvas) => {
            const png = await new Promise((made) => canvas.toBlob(made));
            return [...new Uint8Array(await png.arrayBuffer())]; }"""
        )
        drawn = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"), int)
        assert (drawn == abs(a - b)).all()
    slide(tab, 5)
    playwright.expect(said).to_contain_text("they are equal")


def test_a_fork_by_clicks_equals_that_of_the_command(
    tab, served, store, tiny, make_run, same, tmp_path
):
    parent = make_run(tiny.replace(epochs=5), "parent")
    execute(parent, store)
    tab.goto(served())
    tab.get_by_role("link", name="parent").click()
    tab.get_by_text("epoch 5 of 5").wait_for()
    slide(tab, 3)
    tab.get_by_role("button", name="Fork from here").click()
    tab.get_by_label("Rule").select_option("PerfectG")
    playwright.expect(tab.get_by_label("at_epoch")).to_have_value("3")
    tab.get_by_label("sigma").fill("0.3")
    playwright.expect(tab.locator("#command")).to_contain_text("sigma=0.3")
    command = tab.locator("#command").inner_text()
    tab.get_by_role("button", name="Start the fork").click()
    tab.wait_for_url("**run=*run=*")
    tab.locator("article").nth(1).get_by_text("finished").wait_for(timeout=120_000)

    (clicked,) = [run for run in store.runs() if run.fork]
    assert clicked.fork.epoch == 3
    assert clicked.recipe.interventions == (PerfectG(3, sigma=0.3),)
    kept = clicked.load_checkpoint(), pictures(clicked), numbers(clicked)
    clicked.folder.rename(tmp_path / "clicked")
    assert main(shlex.split(command)[1:]) == 0
    assert same(clicked.load_checkpoint(), kept[0])  # made again in the same folder
    assert (pictures(clicked), numbers(clicked)) == kept[1:]


def pictures(run):
    return {path.name: path.read_bytes() for path in (run.folder / "samples").iterdir()}


def numbers(run):
    clock = ("seconds", "images_per_s")
    return [{k: v for k, v in row.items() if k not in clock} for row in run.rows()]


CLOCK = """
import time
from bascule.training.loop import Callback

class Clock(Callback):
    def on_step_end(self, state, seconds):
        time.sleep({pause} / 4)

    def on_epoch_end(self, record):
        with open({path!r}, "a") as file:
            file.write(f"{{record.epochs_done}} {{time.time()}}\\n")
"""


@pytest.mark.parametrize("pause", [0.05, 0.7])  # epochs of 0.1 and of 0.75 seconds
def test_an_epoch_is_seen_within_two_seconds_of_its_end(
    tab, served, store, tiny, make_run, tmp_path, pause
):
    ends = tmp_path / "ends"
    (tmp_path / "clock.py").write_text(CLOCK.format(path=str(ends), pause=pause))
    epochs = int(8 / (pause + 0.15))
    run = make_run(tiny.replace(epochs=epochs, keep_every_epochs=epochs), "live")
    tab.goto(served())
    tab.get_by_role("link", name="live").click()
    tab.evaluate(
        """() => { window.seen = {}; setInterval(() => {
        const said = document.querySelector("article .soft")?.innerText;
        const last = Number(said?.match(/(\\d+)\\//)?.[1]);
        for (let k = 1; k <= last; k++) window.seen[k] ??= Date.now() / 1000; }, 20); }"""
    )
    words = ["--runs", str(store.root), "resume", run.id]
    words += ["--callback", f"{tmp_path}/clock.py:Clock"]
    training = subprocess.Popen([sys.executable, "-m", "bascule", *words])
    while training.poll() is None:
        tab.wait_for_timeout(50)  # the page lives on meanwhile
    assert training.returncode == 0
    tab.get_by_text("finished").wait_for(timeout=10_000)
    seen = {int(k): at for k, at in tab.evaluate("window.seen").items()}
    ended = {int(k): float(at) for k, at in map(str.split, ends.read_text().splitlines())}
    assert set(ended) == set(range(1, epochs + 1)) == set(seen)
    late = {k: seen[k] - ended[k] for k in ended}
    assert max(late.values()) < 2.0, late
    assert f"/epoch/{epochs}.png" in panel(tab, run).locator("img").get_attribute("src")


def test_stop_and_resume_by_buttons(tab, served, tiny, make_run):
    run = make_run(tiny.replace(epochs=400, sample_every_epochs=400), "slow")
    tab.goto(served())
    row = tab.locator(f"tr[data-run='{run.id}']")
    row.get_by_role("button", name="resume").click()
    row.get_by_role("button", name="stop").click(timeout=60_000)
    row.get_by_text("stopped").wait_for(timeout=20_000)
    assert run.status["state"] == "interrupted" and run.checkpoint().exists()


def test_a_stream_that_breaks_goes_on(tab, served, fake):
    run = fake(rows=fakes.fake_rows(0, False)[:4], samples=(1,))
    url = served()
    tab.goto(url)
    tab.goto(f"{url.split('?')[0]}game?run={run.id}")
    tab.get_by_text("epoch 4 of 4").wait_for()
    # hidden and shown again, as when a person changes tabs
    away = """(away) => { Object.defineProperty(document, "hidden",
        {get: () => away, configurable: true});
        document.dispatchEvent(new Event("visibilitychange")); }"""
    tab.evaluate(away, True)
    run.set_rows(fakes.fake_rows(0, False)[:6])
    tab.wait_for_timeout(1500)
    assert "epoch 4 of 4" in tab.inner_text("#time")
    tab.evaluate(away, False)
    tab.get_by_text("epoch 6 of 6").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(tab, served, two_arms, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    parent, child = two_arms
    (child.folder / "board.json").write_text('{"title": "a title", "tags": ["a tag"]}')
    tab.emulate_media(color_scheme=scheme)
    url = served()
    found = []

    def look(where):
        told = axe.Axe().run(tab).response["violations"]
        found.extend(
            (where, each["id"], [node["html"][:200] for node in each["nodes"]])
            for each in told
            if each["impact"] in ("serious", "critical")
        )

    tab.goto(url)
    tab.get_by_text("2 runs").wait_for()
    look("runs")
    tab.get_by_role("button", name="title and tags").first.click()
    look("edit")
    tab.goto(f"{url.split('?')[0]}game?run={parent.id}&run={child.id}")
    panel(tab, parent).get_by_text("trouble").wait_for()
    look("game")
    tab.get_by_role("button", name="Fork from here").first.click()
    tab.get_by_label("Rule").select_option("PerfectG")
    tab.wait_for_timeout(300)
    look("fork")
    assert found == []


def test_only_nan_a_broken_row_and_a_run_that_vanishes_leave_the_page_standing(
    tab, served, fake, store
):
    nan = fake("nan", rows=[{"epoch": 0, "loss_D": float("nan")}], title="only nan", samples=())
    torn = fake("torn", title="torn")
    url = served()
    tab.goto(url)
    tab.goto(f"{url.split('?')[0]}game?run=nan&run=torn")
    panel(tab, nan).get_by_text("1/20 epochs").wait_for()
    tab.locator(".curve", has_text="loss_D").wait_for()
    with (torn.folder / "scalars.jsonl").open("a") as file:
        file.write("oops\n")
    panel(tab, torn).get_by_text("not a row of scalars").wait_for()
    nan.folder.rename(store.root / ".away")
    panel(tab, nan).get_by_text("This run is gone").wait_for()
    tab.goto(url)
    tab.get_by_text("1 run,").wait_for()


def test_a_name_that_is_code_is_shown_as_text_on_the_game_page(tab, served, fake):
    bad = '"><script>document.title = "broken"</script><img src=x onerror="alert(1)">'
    run = fake(title=bad, rows=[{"epoch": 0, bad: 1.0, "loss_D": 0.5}])
    url = served()
    tab.goto(url)
    tab.goto(f"{url.split('?')[0]}game?run={run.id}")
    tab.locator(".curve", has_text="onerror").wait_for()
    assert tab.locator("h1").inner_text() == bad and "broken" not in tab.title()[:6]

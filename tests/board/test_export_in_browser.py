"""An exported site opened from a folder, in a real browser without any network."""

import re
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from asking import CHROMIUM
from test_board_in_browser import slide

import fakes
from bascule.board.export.site import export
from bascule.board.export.stories import ARMS
from bascule.runs.execute import execute

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")


@pytest.fixture
def alone(chromium):
    """A page without a network, on which nothing may fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.on("request", lambda r: None if r.url.startswith("file:") else wrong.append(r.url))
    yield page
    context.close()
    assert wrong == []


def test_a_site_opens_from_a_folder(alone, store, tmp_path):
    store.root.mkdir()
    two = fakes.fake_parent_and_fork(store.root)
    alone.goto(export(store, tmp_path / "site", two, {}, print).as_uri())
    alone.get_by_role("link", name="All games together").click()
    panel = alone.locator("article[data-run='child-id']")
    assert panel.get_by_text("finished").is_visible()
    assert alone.locator("#curves figure").count() >= 4
    slide(alone, 11)
    assert panel.locator("img").get_attribute("src").endswith("/epoch/10.png")
    playwright.expect(alone.locator("#epoch-said")).to_have_text("epoch 11 of 20")
    playwright.expect(alone.locator("#difference-said")).to_contain_text("Black pixels are equal")
    for name in ("Stop", "Resume", "Fork from here"):
        assert not panel.get_by_role("button", name=name).is_visible()
    alone.get_by_role("button", name="play as a film").click()
    playwright.expect(alone.locator("#epoch-said")).to_have_text("epoch 20 of 20", timeout=10_000)


def test_latents_move_without_a_server(alone, store, tiny, make_run, tmp_path):
    run = make_run(tiny.replace(lr_G=0.05), "walked")
    execute(run, store)
    alone.goto(export(store, tmp_path / "site", [run], {}, print).as_uri())
    alone.get_by_role("link", name="walked").click()
    alone.get_by_role("link", name="Latents").click()
    drawn = alone.locator("#drawn")
    shown = lambda: alone.screenshot(clip=drawn.bounding_box())  # noqa: E731
    alone.wait_for_function("document.querySelector('#film').width > 0")
    middle = shown()
    alone.locator("#first").evaluate("s => { s.value = 8; s.dispatchEvent(new Event('input')); }")
    moved = shown()
    assert moved != middle
    alone.get_by_role("button", name="Reset").click()
    assert shown() == middle
    box = alone.locator("#sheet").bounding_box()
    alone.locator("#sheet").click(position={"x": 0.99 * box["width"], "y": box["height"] / 2})
    assert shown() == moved and alone.locator("#first").input_value() == "8"


@pytest.fixture
def stories(store, tmp_path):
    """The address of a site with stories, whose games are fakes."""
    store.root.mkdir()
    games = {}
    for place, arm in enumerate(ARMS):
        rows = fakes.fake_rows(place, place > 1, n=40)
        shown = (10, 12, 20, 25, 40)
        games[arm] = fakes.write_fake(store.root / f"g{place}", fakes.plain, arm, rows, None, shown)
    return export(store, tmp_path / "site", [], games, print).as_uri()


def test_a_story_goes_from_moment_to_moment(alone, stories):
    alone.goto(stories)
    alone.get_by_role("link", name="G almost perfect").click()
    said = alone.locator("#epoch-said")
    playwright.expect(said).to_have_text("epoch 20 of 40")
    alone.get_by_role("button", name="Next").click()
    playwright.expect(said).to_have_text("epoch 25 of 40")
    assert alone.locator("#judged").is_checked()
    answer = alone.get_by_text("In the five epochs after the change")
    assert not answer.is_visible()
    alone.get_by_text("What will D_Gz do").click()
    assert answer.is_visible()
    slide(alone, 3)
    alone.get_by_role("button", name="Show this moment again").click()
    playwright.expect(said).to_have_text("epoch 25 of 40")
    alone.get_by_role("button", name="Next").click()
    assert alone.get_by_role("button", name="Next").is_disabled()
    alone.get_by_role("button", name="Back").click()
    playwright.expect(said).to_have_text("epoch 25 of 40")


@pytest.fixture
def on_a_server(stories, tmp_path):
    """The same site on a web server."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_on_a_web_server_differences_are_counted(tab, on_a_server):
    tab.goto(f"{on_a_server}/story-mode-collapse.html")
    playwright.expect(tab.locator("#difference-said")).to_contain_text(
        re.compile(r"equal, pixel by pixel|% of the pixels differ")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_site(tab, on_a_server, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    tab.emulate_media(color_scheme=scheme)
    for page in ("index", "story-mode-collapse"):
        tab.goto(f"{on_a_server}/{page}.html")
        tab.wait_for_timeout(300)
        told = axe.Axe().run(tab).response["violations"]
        assert [each["id"] for each in told if each["impact"] in ("serious", "critical")] == []

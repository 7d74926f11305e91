"""The latents page in a real browser: sliders, random, reset, pins and a walk between them."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from bascule.runs.execute import execute
from bascule.runs.latent_space import LatentSpace

playwright = pytest.importorskip("playwright.sync_api")

PIXELS = """async (shown) => {
    const canvas = document.createElement("canvas");
    canvas.width = shown.naturalWidth ?? shown.width;
    canvas.height = shown.naturalHeight ?? shown.height;
    canvas.getContext("2d").drawImage(shown, 0, 0);
    const png = await new Promise((made) => canvas.toBlob(made));
    return [...new Uint8Array(await png.arrayBuffer())]; }"""


def pixels(shown):
    """What a picture or a canvas shows, int (3, H, W)."""
    told = bytes(shown.evaluate(PIXELS))
    return np.asarray(Image.open(io.BytesIO(told)).convert("RGB"), int).transpose(2, 0, 1)


def move(slider, value):
    slider.evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


def test_a_walk_through_the_latents_of_a_game(tab, served, tiny, store, make_run):
    run = make_run(tiny.replace(lr_G=0.05), "walked")  # its pictures differ
    execute(run, store)
    space = LatentSpace.of(run)
    moved = space.directions.moved(space.random(7), space.directions.steps.new_tensor([2.0]))
    expected = {"7:": space.draw(space.random(7))[0], "moved": space.draw(moved)[0]}
    assert (expected["7:"] != expected["moved"]).mean() > 0.3

    tab.goto(served())
    tab.get_by_role("link", name="walked").click()
    tab.get_by_role("link", name="Latents").click()
    drawn = tab.locator("#drawn")
    tab.locator("#near img").nth(3).wait_for()
    assert tab.locator("#directions input").count() == 8  # as many as z has numbers

    def at(place):
        playwright.expect(drawn).to_have_attribute("data-place", place, timeout=20_000)
        return pixels(drawn)

    zeros = ",".join("0" * 8)
    tab.get_by_label("Seed").fill("7")
    assert (at(f"7:{zeros}:1") == expected["7:"]).all()
    tab.get_by_role("button", name="Pin", exact=True).click()
    playwright.expect(tab.get_by_role("button", name="Walk")).to_be_disabled()
    move(tab.locator("#directions input").first, 2)
    assert (at(f"7:2{zeros[1:]}:1") == expected["moved"]).all()
    tab.get_by_role("button", name="Pin", exact=True).click()
    move(tab.get_by_label("Truncation"), 0.5)
    assert (at(f"7:2{zeros[1:]}:0.5") == space.draw(moved / 2)[0]).all()
    tab.get_by_role("button", name="Reset").click()
    at(f"7:{zeros}:1")

    tab.get_by_role("button", name="Walk").click()
    film, frame = tab.locator("#film"), tab.get_by_role("slider", name="Frame")
    film.wait_for()
    playwright.expect(film).to_have_attribute("data-frame", re.compile("[3-9]"))
    for at_frame, name in ((24, "moved"), (0, "7:")):
        move(frame, at_frame)
        assert np.abs(pixels(film) - expected[name]).max() <= 1
    tab.get_by_role("button", name="unpin picture 2").click()
    assert not film.is_visible() and tab.locator("#pins img").count() == 1

    tab.get_by_role("button", name="Random").click()
    playwright.expect(drawn).not_to_have_attribute("data-place", re.compile("^7:"))
    tab.get_by_label("Checkpoint").select_option("2")
    tab.get_by_text("This G has trained 2 epochs and draws from z.").wait_for()


def test_axe_finds_nothing_serious_where_pictures_are_drawn(tab, served, tiny, make_run, store):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    run = make_run(tiny, "drawn")
    execute(run, store)
    url = served()
    tab.goto(url)

    def look():
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            told = axe.Axe().run(tab).response["violations"]
            assert [v["id"] for v in told if v["impact"] in ("serious", "critical")] == []

    tab.goto(f"{url.split('?')[0]}latents?run={run.id}")
    tab.locator("#near img").nth(3).wait_for()
    for _ in range(2):
        tab.get_by_role("button", name="Pin", exact=True).click()
    tab.get_by_role("button", name="Walk").click()
    tab.locator("#film").wait_for()
    look()
    tab.goto(f"{url.split('?')[0]}judging?run={run.id}")
    tab.get_by_label("Your name").fill("Ann")
    tab.get_by_role("button", name="Begin").click()
    tab.get_by_text("0 of 250 judged").wait_for()
    tab.get_by_text("The result so far").click()
    look()

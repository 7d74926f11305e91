"""Blind judging in a real browser: by clicks and keys, with undo, and the result so far."""

import pytest

from bascule.experiments.judgments import Pair, sheet_of
from bascule.runs.execute import execute

playwright = pytest.importorskip("playwright.sync_api")


def test_two_games_are_judged_blindly(tab, served, tiny, store, make_run):
    runs = []
    for seed in (0, 1):
        run = make_run(tiny.replace(seed=seed, epochs=2, lr_G=0.05), f"seed-{seed}")
        execute(run, store)
        runs.append(run)
    pair = Pair.better(*runs)

    def answers():
        return [j.left == j.first for j in sheet_of(store.root, pair, "Ann").judgments]

    url = served()
    tab.goto(url)
    tab.goto(f"{url.split('?')[0]}game?run={runs[0].id}&run={runs[1].id}")
    tab.get_by_role("link", name="Judge their pictures blindly").click()
    tab.get_by_label("Your name").fill("Ann")
    tab.keyboard.press("Enter")
    count = tab.locator("#count")

    def done(n):
        playwright.expect(count).to_have_text(f"{n} of 250 judged", timeout=20_000)

    done(0)
    playwright.expect(tab.get_by_role("button", name="Undo")).to_be_disabled()
    seen = [tab.locator(f"#{side} img").get_attribute("src") for side in ("left", "right")]
    assert seen[0] != seen[1]
    tab.get_by_role("button", name="the picture on the left").click()
    done(1)
    assert tab.locator("#left img").get_attribute("src") not in seen
    for n, key in enumerate(["ArrowRight", "ArrowLeft", "ArrowRight"], start=2):
        tab.keyboard.press(key)
        done(n)
    assert answers() == [True, False, True, False]
    tab.keyboard.press("Backspace")
    done(3)
    tab.get_by_role("button", name="Undo").click()
    done(2)
    assert answers() == [True, False]
    won = sum(j.first for j in sheet_of(store.root, pair, "Ann").judgments)
    tab.get_by_text("The result so far").click()
    said = tab.locator("#result-said")
    playwright.expect(said).to_contain_text(f"in {50 * won} % of 2 answers of 1 judge (")
    playwright.expect(said).to_contain_text("undecided")

    tab.reload()  # the answers are in the runs folder
    tab.get_by_label("Your name").fill("Ann")
    tab.get_by_role("button", name="Begin").click()
    done(2)

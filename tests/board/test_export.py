"""The static site of chosen runs: its files, its numbers, and what is refused."""

import json
import re
import subprocess

import pytest
from PIL import Image

import fakes
from bascule.board.board import Board
from bascule.board.export.bundle import bundle
from bascule.board.export.site import MARK, export, moments, news_of
from bascule.board.export.stories import (
    ARMS,
    FROZEN_FROM,
    PERFECT_FROM,
    STORIES,
    Told,
    experiment,
)
from bascule.cli import main
from bascule.core.errors import UserError
from bascule.interventions import Freeze, PerfectG
from bascule.runs.execute import execute

NODE = subprocess.run(["which", "node"], capture_output=True, text=True).stdout.strip()


@pytest.fixture
def two(store):
    store.root.mkdir()
    return fakes.fake_parent_and_fork(store.root)


def data_of(page):
    """What a page of a site carries."""
    text = page.read_text("utf-8")
    return json.loads(text.removeprefix("globalThis.bascule = ").removesuffix(";\n"))


# the script


def module(folder, name, text):
    (folder / name).write_text(text, "utf-8")


@pytest.mark.skipif(not NODE, reason="needs Node.js to run JavaScript")
def test_a_bundle_does_what_its_modules_do(tmp_path):
    module(
        tmp_path, "low.js", "export const two = 2;\nexport function twice(x) { return two * x; }\n"
    )
    module(
        tmp_path,
        "vendor.js",
        "/*\nexport function no() {}\n*/\nfunction F() {}\nexport { F as default };\n",
    )
    module(
        tmp_path,
        "mid.js",
        'import {twice} from "./low.js";\nexport class Box { get() { return twice(3); } }\n',
    )
    module(
        tmp_path,
        "top.js",
        'import F from "./vendor.js";\nimport {Box} from "./mid.js";\n'
        'import {two} from "./low.js";\n'
        "console.log(new Box().get(), two, typeof F);\n",
    )
    text = bundle(tmp_path, "top.js")
    told = subprocess.run([NODE, "-e", text], capture_output=True, text=True, check=True)
    assert told.stdout == "6 2 function\n"
    assert text.count("function twice") == 1  # once, though two modules import it


@pytest.mark.parametrize(
    "line", ['import * as all from "./a.js";', "export default 3;", 'export * from "./a.js";']
)
def test_other_forms_are_refused_when_the_site_is_written(tmp_path, line):
    module(tmp_path, "odd.js", line + "\n")
    with pytest.raises(ValueError, match="cannot bundle"):
        bundle(tmp_path, "odd.js")


# what a site holds


def test_news_is_what_the_runs_recorded(store, two):
    parent, _ = two
    parent.set_diagnostics([{"epoch": e, "step": e, "auc_held_out": 0.5 + e / 100} for e in (4, 9)])
    board = Board(store)
    board.warm_up()
    told = news_of(board, parent.id)
    assert told["scalars"]["D_x"] == pytest.approx([row["D_x"] for row in parent.rows()], abs=1e-6)
    assert told["asked"]["auc_held_out"] == [0.54, 0.59]
    assert told["samples"] == [1, 5, 10, 12, 15, 20]
    assert len(told["diagnoses"]) == 2 and told["row"]["done"] == len(parent.rows())


@pytest.mark.parametrize("n", [0, 1, 59, 60, 61, 100, 1000])
def test_moments_are_few_even_and_hold_the_last(n):
    found = moments(range(1, n + 1))
    assert len(found) <= 61 and found == sorted(set(found))
    assert found[-1:] == [n][: min(n, 1)]
    assert n > 60 or found == list(range(1, n + 1))


def test_a_site_of_two_runs(store, two, tmp_path):
    told = []
    first = export(store, tmp_path / "site", two, {}, told.append)
    assert first == tmp_path / "site" / "index.html"
    assert {p.name for p in first.parent.glob("*.html")} == {
        *("index.html", "game-0.html", "game-1.html", "together.html")
    }
    together = data_of(first.parent / "data" / "together.js")
    assert list(together["runs"]) == [run.id for run in two]
    for run in two:
        folder = first.parent / together["pictures"][run.id]
        for epoch in together["runs"][run.id]["samples"]:
            copy = folder / "epoch" / f"{epoch}.png"
            assert copy.read_bytes() == run.sample(epoch).read_bytes()
    assert any("no latents page" in line for line in told)  # there is no checkpoint
    every = "".join(p.read_text("utf-8") for p in first.parent.rglob("*.html"))
    assert not re.search(r'(src|href)="(/|https?:)', every)  # a folder opens it
    scripts = "".join(p.read_text("utf-8") for p in (first.parent / "data").iterdir())
    assert str(store.root) not in every + scripts


def test_names_are_escaped(store, fake, tmp_path):
    run = fake("odd", title='</script><img src=x onerror="alert(1)">')
    first = export(store, tmp_path / "site", [run], {}, print)
    assert "<img src=x" not in first.read_text("utf-8")
    assert "<img src=x" not in (first.parent / "game-0.html").read_text("utf-8")


def test_latents_are_drawn_beforehand(store, tiny, make_run, tmp_path):
    run = make_run(tiny, "walked")
    execute(run, store)
    first = export(store, tmp_path / "site", [run], {}, print)
    page = (first.parent / "latents-0.html").read_text("utf-8")
    size = Image.open(run.sample(tiny.epochs)).size
    grid = Image.open(first.parent / "runs/0/latents/grid-0-0.png")
    walk = Image.open(first.parent / "runs/0/latents/walk.png")
    side = grid.width // 9
    assert grid.size == (9 * side, 9 * side) and walk.size == (24 * side, 4 * side)
    assert side <= size[0] and 'href="index.html"' in page
    # the middle of a sheet is the point itself, with which its leg of the walk begins
    middle = grid.crop((4 * side, 4 * side, 5 * side, 5 * side))
    assert middle.tobytes() == walk.crop((0, 0, side, side)).tobytes()


# where it is written


def test_an_earlier_site_is_replaced_and_nothing_else(store, two, tmp_path):
    first = export(store, tmp_path / "site", two, {}, print)
    export(store, tmp_path / "site", two[:1], {}, print)
    assert not (first.parent / "together.html").exists()
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis holds other files: give a new or empty folder"):
        export(store, other, two, {}, print)
    assert [p.name for p in other.iterdir()] == ["chapter.tex"]


def test_a_site_that_fails_leaves_the_earlier_one(store, two, tmp_path, monkeypatch):
    first = export(store, tmp_path / "site", two[:1], {}, print)
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    monkeypatch.setattr("shutil.copyfile", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        export(store, tmp_path / "site", two, {}, print)
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before
    assert (first.parent / MARK).is_file()


# the command


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--export", "s"], "--export: name the runs of the site, or give --stories"),
        (["parent-id"], "RUN and --stories are for a static site: give --export DIR too"),
        (["--stories"], "RUN and --stories are for a static site: give --export DIR too"),
        (["--export", "s", "nobody"], "nobody"),
    ],
)
def test_refusals_are_one_line(store, two, words, line, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["--runs", str(store.root), "board", *words]) == 2
    told = capsys.readouterr().err
    assert line in told and told.count("\n") == 1
    assert not (tmp_path / "s").exists()


def test_the_command_writes_a_site(store, two, tmp_path, capsys):
    folder = tmp_path / "site"
    assert main(["--runs", str(store.root), "board", "parent-id", "--export", str(folder)]) == 0
    assert capsys.readouterr().out == f"site: {folder / 'index.html'}\n"


# the stories


def test_stories_tell_what_their_games_recorded():
    def told(D_Gz, vendi, name):
        n = 40
        scalars = {"epoch": list(range(n)), "D_x": [0.6] * n, "D_Gz": [D_Gz] * n}
        finding = {"name": name, "since": 9}
        asked = {"vendi_ratio": [None, vendi]}
        return Told({"scalars": scalars, "asked": asked, "diagnoses": [{"findings": [finding]}]})

    for story in STORIES:
        steps = story.steps(told(0.4125, 1.2, "healthy"), told(0.0375, 0.11, "this failure"))
        text = " ".join(step.text + step.answer for step in steps)
        assert "0.41" in text and "0.04" in text, story.name
        assert all(1 <= step.epoch <= 40 for step in steps)
        assert [run in ARMS for run in story.arms] == [True, True]
    steps = STORIES[1].steps(told(0.4, 1.2, "healthy"), told(0.9, 0.11, "it"))
    text = " ".join(step.text for step in steps)
    assert "120 %" in text and "11 %" in text and "it since epoch 9" in text


def test_the_games_of_the_stories_differ_by_what_the_stories_say():
    arms = experiment().arms
    plain = arms["healthy"]
    assert arms["mode collapse"] == plain.replace(interventions=Freeze("D", FROZEN_FROM))
    assert arms["G almost perfect"] == plain.replace(interventions=PerfectG(PERFECT_FROM))
    assert (arms["D too strong"].lr_D, arms["D too strong"].lr_G) == (0.002, 0.00005)

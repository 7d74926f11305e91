"""A board over the test's runs folder, asked without a network."""

import os
import re
import signal
import subprocess
import sys

import pytest
from asking import CHROMIUM, HOME, TOKEN

import fakes

pytest.importorskip("starlette")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from bascule.board.app import application
from bascule.board.board import Board


@pytest.fixture
def board(store):
    store.root.mkdir(exist_ok=True)
    made = Board(store)
    made.warm_up()
    return made


@pytest.fixture
def stranger(board):
    """A client without the cookie, who comes from nowhere."""
    app = application(board, TOKEN, port=8000)
    return TestClient(app, HOME, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def client(stranger):
    """A client that opened the board's URL. Its POSTs come from the board's own pages."""
    stranger.get(f"/?token={TOKEN}")
    stranger.headers["Origin"] = HOME
    return stranger


@pytest.fixture
def fake(store):
    """``fake("id")``: a run folder without checkpoints in the store."""

    def make(name="a-run", recipe=fakes.plain, rows=None, title="a run", fork=None, **more):
        rows = fakes.fake_rows(0, False) if rows is None else rows
        return fakes.write_fake(store.root / name, recipe, title, rows, fork, **more)

    return make


@pytest.fixture
def served(store, tmp_path):
    """``served()``: the URL of a board in a process of its own, as `bascule board` starts it."""
    started = []

    def start(*words):
        store.root.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "bascule", "--runs", str(store.root), "board", *words]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        started.append(process)
        line = process.stdout.readline()
        found = re.fullmatch(r"board: (\S+)\n", line)
        assert found, line + process.stderr.read()
        return found[1]

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
        assert "Traceback" not in complaint and process.returncode == 0, complaint


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """A page that reaches the board alone, and on which nothing may fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, wrong = context.new_page(), []

    def only_the_board(route):
        url = route.request.url
        if re.match(r"(http://(127\.0\.0\.1|localhost):\d+/|blob:|data:)", url):
            route.continue_()
        else:
            wrong.append(f"asked for {url}")
            route.abort()

    context.route("**/*", only_the_board)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda told: wrong.append(told.text) if told.type in ("error", "warning") else None,
    )
    page.wrong = wrong
    yield page
    context.close()
    assert wrong == []

"""What the board costs: 200 runs of 1,000 epochs, and a training beside it.

    python benchmarks/board.py [--runs 200] [--epochs 1000] [--looks 7200] [--windows 10]

- *first*: seconds from a request to the page, and to the rows of all runs; in Chromium, where it is
  installed, until the whole table is painted.
- *update*: bytes on the wire for one more epoch, at the start of a run and after all its epochs.
- *memory*: resident memory of the board's process while it looks for news as often as an open list
  and an open game would in an hour (7,200 looks), while a run grows by an epoch with each look.
- *training*: what one run takes for an image, in windows with a reader of the list and of its game,
  and without one, in turns; the board runs all the time. On a machine with other work images/s vary
  by a factor of two, so processor time is compared, too: that of the training for an image, and
  that of the board, as a share of one core; that share bounds what training loses on a shared core.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from bascule.board.board import Board
from bascule.board.pages.runs import News
from bascule.board.watch import Watch
from bascule.presets import dcgan64
from bascule.runs import codec
from bascule.runs.store import Run, Store

SCALARS = ("loss_D", "loss_G", "D_x", "D_Gz", "grad_D", "grad_G", "r_t", "penalty")
RECIPE = ("data=Faces(n=600,size=32)", "model=DCGAN(width=16,z_dim=16,size=32)", "batch=16")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""


def row(epoch: int) -> dict[str, float]:
    """A row as long as those of real runs: 40 numbers at full precision."""
    value = 1 / (epoch + 3)
    found: dict[str, float] = {"epoch": epoch, "step": 100 * (epoch + 1)}
    for k, name in enumerate(SCALARS):
        found |= {f"{name}{part}": value + k / 7 for part in ("", "_std", "_min", "_max")}
    return found | {"seconds": 1 + value, "images_per_s": 1000 * value}


def make_runs(root: Path, runs: int, epochs: int) -> None:
    """Finished runs, with the recipe of a preset and five small pictures each."""
    recipe = json.dumps(codec.encode(dcgan64))
    rows = "".join(json.dumps(row(epoch)) + "\n" for epoch in range(epochs))
    for k in range(runs):
        folder = root / f"20260101-run-{k:04d}-{k:08x}"
        (folder / "samples").mkdir(parents=True)
        about = {"name": f"run {k}", "created": f"2026-01-01T00:{k // 60:02d}:{k % 60:02d}+00:00"}
        (folder / "run.json").write_text(json.dumps(about | {"data_digest": "d"}))
        plain = json.loads(recipe) | {"epochs": epochs, "seed": k % 5, "batch": 8 + k // 5}
        (folder / "recipe.json").write_text(json.dumps(plain))
        (folder / "status.json").write_text('{"state": "finished"}')
        (folder / "scalars.jsonl").write_text(rows)


@contextlib.contextmanager
def served(root: Path) -> Iterator[tuple[httpx.Client, str, int]]:
    """A board in a process of its own: a client with its cookie, its URL and its process id."""
    command = [sys.executable, "-m", "bascule", "--runs", str(root), "board"]
    board = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert board.stdout
    url = board.stdout.readline().removeprefix("board: ").strip()
    home = url.partition("/?")[0]
    with httpx.Client(base_url=home, timeout=60) as client:
        client.get(url)
        yield client, url, board.pid
    board.send_signal(signal.SIGINT)
    board.wait()


def events(client: httpx.Client, path: str) -> Iterator[bytes]:
    """The data of the events of a stream."""
    with client.stream("GET", path) as answer:
        rest = b""
        for piece in answer.iter_bytes():
            rest += piece
            *whole, rest = rest.split(b"\n\n")
            yield from (part for part in whole if b"data: " in part)


def first_paint(root: Path) -> dict[str, float]:
    """Seconds of the first page and of all rows, of a board that has read nothing yet."""
    with served(root) as (client, _, _):
        began = time.perf_counter()
        client.get("/")
        page = time.perf_counter() - began
        next(events(client, "/events/runs"))
        found = {"page_s": page, "all_rows_s": time.perf_counter() - began}
    if CHROMIUM:
        with contextlib.suppress(ImportError):
            found["painted_s"] = painted(root)
    return found


def painted(root: Path) -> float:
    """Seconds until Chromium shows the last row, from the moment when it asks for the page."""
    from playwright.sync_api import sync_playwright

    runs = len(list(root.iterdir()))
    with served(root) as (_, url, _), sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto("about:blank")
        began = time.perf_counter()
        page.goto(url)
        page.locator("tbody tr").nth(runs - 1).wait_for()
        seconds = time.perf_counter() - began
        browser.close()
    return seconds


def update_bytes(root: Path) -> dict[str, int]:
    """Bytes of the event of one more epoch, in a run of one epoch and in one of all epochs."""
    found = {}
    ids = sorted(path.name for path in root.iterdir())[:2]
    (root / ids[0] / "scalars.jsonl").write_text(json.dumps(row(0)) + "\n")
    with served(root) as (client, _, _):
        for name, id in zip(("of_a_new_run", "of_a_long_run"), ids, strict=True):
            stream = events(client, f"/events/game?run={id}")
            found[f"first_event_{name}"] = len(next(stream))
            with (root / id / "scalars.jsonl").open("a") as file:
                file.write(json.dumps(row(10**4)) + "\n")
            found[f"update_{name}"] = len(next(stream))
    return found


def memory(root: Path, looks: int) -> dict[str, Any]:
    """MB of this process at quarters of ``looks`` looks of an open list and an open game."""
    board = Board(Store(root))
    board.warm_up()
    (id,) = sorted(path.name for path in root.iterdir())[-1:]
    with (root / id / "diagnostics.jsonl").open("w") as file:
        file.write("")
    watch, news, told = Watch(board, [id]), News(board), []
    began = time.process_time()
    for look in range(looks):
        with (root / id / "scalars.jsonl").open("a") as file:
            file.write(json.dumps(row(10**4 + look)) + "\n")
        watch.look()
        if look % 2 == 0:
            news.look()
        if look in (100, *(k * looks // 4 for k in (1, 2, 3)), looks - 1):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            told.append(round(pages * resource.getpagesize() / 2**20, 1))
    cpu = (time.process_time() - began) / looks
    return {"looks": looks, "mb": told, "cpu_ms_of_a_look": round(1000 * cpu, 2)}


def training(root: Path, windows: int, window_s: float) -> dict[str, Any]:
    """Ratios of windows with a reader to those without one, over pairs of windows."""
    words = ["--runs", str(root), "train", "dcgan64", "--name", "beside", "--set", *RECIPE]
    words += ["epochs=100000", "sample_every_epochs=5", "threads=1", "device=cpu"]
    train = subprocess.Popen(
        [sys.executable, "-m", "bascule", *words, "start=None", "precision=fp32"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        run = _started(root)
        with served(root) as (client, _, board):
            next(events(client, "/events/runs"))
            time.sleep(15)  # it loads PyTorch after its first page
            found: dict[bool, list[Window]] = {True: [], False: []}
            for k in range(2 * windows):
                reading = k % 4 in (0, 3)  # a, b, b, a: a drift touches both alike
                window = _window(run, client, window_s, reading, train.pid, board)
                found[reading].append(window)
    finally:
        train.send_signal(signal.SIGTERM)
        train.wait()
    pairs = list(zip(found[True], found[False], strict=True))
    return {
        "images_per_s_ratio": _mean([a.images_per_s / b.images_per_s for a, b in pairs]),
        "cpu_of_an_image_ratio": _mean([a.cpu_of_an_image / b.cpu_of_an_image for a, b in pairs]),
        "cores_of_the_board_with": _mean([a.board_cores for a, _ in pairs]),
        "cores_of_the_board_without": _mean([b.board_cores for _, b in pairs]),
    }


def _mean(values: list[float]) -> str:
    """Mean and standard error."""
    error = statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.fmean(values):.4f} +- {error:.4f}"


def _started(root: Path) -> Run:
    while True:
        for folder in root.glob("*-beside-*"):
            if (run := Run(folder)).last_row()[0] > 10:
                return run
        time.sleep(0.5)


class Window(NamedTuple):
    """Images/s of the run by the clock, processor time of an image, and cores the board used."""

    images_per_s: float
    cpu_of_an_image: float
    board_cores: float


def _cpu(process: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _window(
    run: Run, client: httpx.Client, seconds: float, reading: bool, train: int, board: int
) -> Window:
    """What is measured in a window, from the epochs that ended in it."""
    ended = threading.Event()
    readers = []
    if reading:
        for path in ("/events/runs", f"/events/game?run={run.id}"):
            home = (str(client.base_url), dict(client.cookies), path, ended)
            readers.append(threading.Thread(target=_read, args=home))
            readers[-1].start()
    first = _moment(run, train, board)
    time.sleep(seconds)
    last = _moment(run, train, board)
    ended.set()
    for reader in readers:
        reader.join()
    steps, at, of_train, of_board = (b - a for a, b in zip(first, last, strict=True))
    images = steps * run.recipe.batch
    return Window(images / at, of_train / images, of_board / at)


def _moment(run: Run, train: int, board: int) -> tuple[float, float, float, float]:
    """Steps, time, and processor time of both, when the run has just written its scalars."""
    path = run.folder / "scalars.jsonl"
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before:
        time.sleep(0.005)
    return run.last_row()[1]["step"], time.monotonic(), _cpu(train), _cpu(board)


def _read(home: str, cookies: dict[str, str], path: str, ended: threading.Event) -> None:
    with httpx.Client(base_url=home, cookies=cookies, timeout=60) as client:
        for _ in events(client, path):
            if ended.is_set():
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--looks", type=int, default=7200)
    parser.add_argument("--windows", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", choices=("first", "update", "memory", "training"))
    args = parser.parse_args()
    parts: dict[str, Any] = {
        "first": lambda root: first_paint(root),
        "update": lambda root: update_bytes(root),
        "memory": lambda root: memory(root, args.looks),
        "training": lambda root: training(root, args.windows, args.seconds),
    }
    for name, measure in parts.items():
        if args.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder) / "runs"
                make_runs(root, args.runs, args.epochs)
                print(re.sub(r"\s+", " ", json.dumps({name: measure(root)})), flush=True)


if __name__ == "__main__":
    main()

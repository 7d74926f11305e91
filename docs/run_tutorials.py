"""Runs tutorials as a reader would, each in an empty folder, and compares their time with the text.

    python docs/run_tutorials.py                    all of them, about 40 minutes on two cores
    python docs/run_tutorials.py own-pictures --pictures path/to/folder
    python docs/run_tutorials.py first-verdict --keep /tmp/there

A tutorial's files are its blocks of Python that begin with the name of a file. Its commands are
those of its other blocks, in order, but for those that install or serve a page, and those that need
a cluster: their remark ends in "the cluster".
The exit code is 1 if a command fails, or if a tutorial takes more than twice, or less than half of,
the minutes that its first line in italics names. The seconds of the processor count, if
they are fewer than those of the clock. Measure on a quiet machine: two threads on a busy core wait
for each other and use up both.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent / "tutorials"
NAMES = ("first-verdict", "own-pictures", "own-net-and-rule", "class", "cluster")
FILES_OF = {"cluster": "own-net-and-rule"}  # a tutorial that begins with the files of another
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NUMBERS = {"five": 5, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30}


def stated(text: str) -> int | None:
    """The minutes that a tutorial names in its first line in italics; None if it names none."""
    line = re.search(r"^\*(\w+) minutes", text, re.MULTILINE)
    return NUMBERS.get(line[1].lower()) if line else None


def steps(text: str) -> list[tuple[str, str]]:
    """(file name, its content) or ("", command), in the order of the text."""
    found = []
    for language, block in BLOCK.findall(text):
        if language == "python" and (name := re.match(r"# ([\w/]+\.py)\n", block)):
            found.append((name[1], block))
        elif not language:
            lines = block.replace("\\\n", " ").splitlines()
            lines = [line for line in lines if not line.endswith(" the cluster")]
            words = [shlex.split(line, comments=True) for line in lines]
            found += [("", shlex.join(each)) for each in words if is_run(each)]
    return found


def is_run(words: list[str]) -> bool:
    """Whether a command, given as words, is one that this program runs."""
    return words[:1] == ["bascule"] and "board" not in words


def play(name: str, folder: Path, pictures: Path) -> bool:
    """Run one tutorial in ``folder``; whether it did what it says, in about the stated time."""
    text = (HERE / f"{name}.md").read_text("utf-8")
    if name in FILES_OF:
        before = (HERE / f"{FILES_OF[name]}.md").read_text("utf-8")
        for file, what in steps(before):
            if file:
                (folder / file).write_text(what, "utf-8")
    clock, processor = time.monotonic(), _processor()
    for file, what in steps(text):
        if file:
            (folder / file).write_text(what, "utf-8")
            continue
        known = {"path/to/folder": str(pictures), "RUN": _newest_run(folder)}
        words = [known.get(word, word) for word in shlex.split(what) if word != "--open"]
        began, used = time.monotonic(), _processor()
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True
        )
        seconds = f"{time.monotonic() - began:5.0f} s, of the processor {_processor() - used:5.0f}"
        print(f"  {seconds}  {shlex.join(words)}", flush=True)
        if done.returncode:
            print(done.stderr, flush=True)
            return False
    minutes = (time.monotonic() - clock) / 60, (_processor() - processor) / 60
    told = stated(text)
    print(f"{name}: {minutes[0]:.1f} minutes, of the processor {minutes[1]:.1f}; stated: {told}")
    return told is None or told / 2 <= min(minutes) <= 2 * told


def _processor() -> float:
    """Seconds that finished child processes computed."""
    times = os.times()
    return times.children_user + times.children_system


def _newest_run(folder: Path) -> str:
    """The id of the run that was begun last; "RUN" if there is none."""
    runs = sorted((folder / "runs").glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    return runs[-1].parent.name if runs else "RUN"


def drawn_pictures(folder: Path) -> Path:
    """A folder of PNG files, for readers without pictures: 600 built-in faces."""
    from PIL import Image

    from bascule.data.faces import Faces

    place = folder / "pictures"
    place.mkdir()
    for number, pixels in enumerate(Faces(n=600).load().pixels):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(place / f"{number:03d}.png")
    return place


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tutorial", nargs="*", choices=[[], *NAMES], help=", ".join(NAMES))
    arguments.add_argument("--pictures", type=Path, help="a folder for `data import`")
    arguments.add_argument("--keep", type=Path, help="work here, and leave the files")
    args = arguments.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as temporary:
        root = (args.keep or Path(temporary)).resolve()
        root.mkdir(parents=True, exist_ok=True)
        os.environ["BASCULE_DATA"] = str(root / "data")
        pictures = (args.pictures or drawn_pictures(root)).resolve()
        for name in args.tutorial or NAMES:
            folder = root / name
            folder.mkdir()
            print(name, flush=True)
            held = play(name, folder, pictures) and held
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())

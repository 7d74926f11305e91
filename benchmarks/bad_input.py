"""Does any damaged or foreign file bring a traceback, a hang, or a loss?

    python benchmarks/bad_input.py [-n 2000] [--seed 0] [--only WORD] [--base DIR]

A small store is made first: a run of a GAN, a fork of it, a run of SDPC, a translator, an
autoencoder, an imported set, a pack, codes, a search. Each trial copies it, damages one file in a
way drawn from the seed, and calls one verb that may meet this file, in this process. A trial is
bad if the verb raises an exception, takes more than 10 s of its own time (60 s if it trains or
measures), exits with another code
than 0 or 2, tells a refusal in another number of lines than one, or changes a file of another run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from PIL import Image

from bascule.cli import main
from bascule.runs.store import Store

HANG_S, WAIT_S = 10, 120  # seconds of this process's time, and by the clock of a busy machine
AT_WORK_S = 60  # seconds of this process's time for verbs that do long work if nothing is wrong
SMALL = ("epochs=4", "batch=8", "threads=1", "device=cpu", "precision=fp32", "compile=false")
SMALL += ("sample_every_epochs=2", "keep_every_epochs=2", "seed=0")
EXPERIMENT = '''"""Does a slower D change the game?"""
from bascule.presets import trained
from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe
from bascule.experiments import Experiment, Within

base = GANRecipe(data=Faces(n=80, size=32, held_out=0.5),
                 model=DCGAN(width=4, z_dim=8, size=32), epochs=4, batch=8, threads=1, device="cpu",
                 precision="fp32", sample_every_epochs=2, keep_every_epochs=2)
experiment = Experiment(
    question="Does a slower D change the game?", hypothesis="no",
    arms={"plain": base, "slow": base.replace(lr_D=1e-4)},
    predictions=[Within("D_x", "plain", 0, 0.99)], seeds=(0,), name="small",
)
'''
SEARCH = '''"""Which rate?"""
from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe
from bascule.tuning.search import Between, Tuning

tuning = Tuning(
    question="Which rate?", space={"lr_D": Between(1e-5, 1e-3, log=True)},
    start=GANRecipe(data=Faces(n=60, size=32, held_out=0.25),
                    model=DCGAN(width=4, z_dim=8, size=32), epochs=2, batch=8, threads=1,
                    device="cpu", precision="fp32"),
    fakes=20, looks=1, trials=2, fresh_seeds=(7,), attributes=False, pictures=False,
)
'''
NET = "model=DCGAN(width=4,z_dim=8,size=32)"
FACES, OWN = "data=Faces(n=80,size=32,held_out=0.5)", "data=Imported(name=own,size=32)"
ONCE = ("epochs=1", "batch=8", "device=cpu", "threads=1", "seed=9")
ENDINGS = ("png", "jpg", "webp", "bmp", "gif", "tiff")
MEASURED = ("-n", "16", "--extractor", "pixels", "--no-attributes")


def call(*words: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse
            code = end.code if isinstance(end.code, int) else 2
    return code, out.getvalue(), err.getvalue()


# the store that is damaged


def make_base(base: Path) -> None:
    """Everything that trials damage, in the folder ``base``, which is the working folder."""

    def done(*words: str | Path) -> None:
        code, _, err = call(*words)
        if code:
            sys.exit(f"{' '.join(map(str, words))}: {err}")

    pictures = base / "pictures"
    pictures.mkdir()
    draw = np.random.default_rng(0)
    for k in range(24):
        noise = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((48, 40)).save(pictures / f"{k:02d}.{ENDINGS[k % 6]}")
    (base / "small.py").write_text(EXPERIMENT)
    (base / "search.py").write_text(SEARCH)
    with zipfile.ZipFile(base / "pictures.zip", "w") as archive:
        for path in sorted(pictures.iterdir()):
            archive.write(path, path.name)
    np.savez(base / "arrays.npz", images=draw.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8))
    make_containers(base, draw)
    done("data", "import", "pictures", "--name", "own", "--size", "32")
    faces = ("--set", FACES, NET, *SMALL)
    done("train", "dcgan64-tiny", "--name", "gan", *faces)
    done("train", "dcgan64-tiny", "--name", "other", *faces, "seed=1")
    done("fork", "gan", "--at-epoch", "2", "--set", "lr_D=1e-4", "--name", "branch")
    done("train", "dcgan64-tiny", "--name", "mine", "--set", OWN, NET, *SMALL)
    sdpc = ("model=SDPC([Layer(8,kernel=8,stride=4,padding=2,threshold=0.5)],size=32)", "batch=8")
    sdpc += ("epochs=2", "threads=1", "device=cpu", FACES)
    done("sdpc", "fit", "faces", "--name", "codes", "--set", *sdpc)
    cut = "CUT(4,1,32,width_D=4,halvings=2,taps=[rgb,down1],features=8)"
    pair = "TwoSets(Faces(n=12,size=32,style=adventurer),Faces(n=9,size=32))"
    done(
        *("train", "cut-light", "--name", "translator", "--set", f"model={cut}", f"data={pair}"),
        *("epochs=2", "patches=16", "threads=1", "device=cpu", "augment=[]"),
    )
    done("run", "small.py", "--jobs", "1")
    done("pack", "small.py", "-o", "small.tar.xz")
    done("tune", "search.py", "--trials", "2", "--workers", "1")
    done("evaluate", "gan", *MEASURED)
    done("sdpc", "encode", "codes", "pictures", "-o", "codes.npz")
    done("export", "gan", "-o", "weights.pt")
    shutil.copy(Store(base / "runs").find("gan").folder / "recipe.json", base / "recipe.json")


def make_containers(base: Path, draw: np.random.Generator) -> None:
    """The pictures as a ``.tar`` with classes, as a ``.parquet`` with labels, and as a ``.npy``."""
    import pyarrow
    import pyarrow.parquet

    paths = sorted((base / "pictures").iterdir())
    with tarfile.open(base / "pictures.tar", "w") as archive:
        for k, path in enumerate(paths):
            archive.add(path, path.name)
            entry = tarfile.TarInfo(f"{path.stem}.cls")
            entry.size = 1
            archive.addfile(entry, io.BytesIO(str(k % 2).encode()))
    rows = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    table = pyarrow.table({"image": rows, "label": [k % 2 for k in range(len(rows))]})
    pyarrow.parquet.write_table(table, base / "pictures.parquet", row_group_size=9)
    np.save(base / "pictures.npy", draw.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8))


# damage: each is a function of a file and of random draws

Damage = Callable[[Path, random.Random], None]
SHAPES = ("[]", "3", "null", '"x"', "{}", "[" * 5000, "[[]]", '{"is": 3}', '{"epoch": []}', "NaN")
VALUES: tuple[Any, ...] = (None, -1, 0, 1e400, 10**400, 2**63, "", "\0", "x" * 5000, [], {}, [[]])
VALUES += (True, float("nan"), {"is": "Recipe"}, {"is": None}, ["x", 3], "../../x", "\ud800", 0.5)
STRAY = ("epoch-0002-best.pt", "epoch--001.pt", "epoch-99999999999999999999.pt", "epoch-\u0663.pt")
STRAY += ("epoch-0003.png", "epoch-.npy", "last (copy).pt", ".x.1.partial", "a\n[/b]\x1b[31m")


def delete(path: Path, draw: random.Random) -> None:
    path.unlink()


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def cut(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) + 1)])


def noise(path: Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(draw.choice((1, 7, 300, 5000))))


def flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes()) or bytearray(1)
    for _ in range(draw.choice((1, 1, 20))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def doubled(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes() * 2)


def folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path, draw: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def loop(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def no_parent(path: Path, draw: random.Random) -> None:
    shutil.rmtree(path.parent)


def file_for_parent(path: Path, draw: random.Random) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("x")


def stray(path: Path, draw: random.Random) -> None:
    shutil.copy(path, path.with_name(draw.choice(STRAY)))


def swapped(path: Path, draw: random.Random) -> None:
    """The same file of another kind of run, or any other file."""
    same = [p for p in Path().rglob(f"*{path.suffix}") if p != path and p.is_file()]
    shutil.copy(draw.choice(same or [Path("small.py")]), path)


def other_shape(path: Path, draw: random.Random) -> None:
    path.write_text(draw.choice(SHAPES))


def other_value(path: Path, draw: random.Random) -> None:
    """One value of a JSON file is another one, or gone."""
    lines = path.read_text("utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    k = draw.randrange(len(lines))
    told = json.loads(lines[k])
    where = draw.choice(list(_places(told)))
    inner: Any = told
    for key in where[:-1]:
        inner = inner[key]
    if draw.random() < 0.3:
        del inner[where[-1]]
    else:
        inner[where[-1]] = draw.choice(VALUES)
    lines[k] = json.dumps(told)
    path.write_text("\n".join(lines))


def _places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in inner:
        found.append((*here, key))
        if isinstance(part, dict | list):
            found += _places(part, (*here, key))
    return found


def other_tensor(path: Path, draw: random.Random) -> None:
    """A file of PyTorch's with another value at one place."""
    told = torch.load(path, weights_only=True)
    places = [p for p in _places(told) if p]
    where = draw.choice(places)
    inner = told
    for key in where[:-1]:
        inner = inner[key]
    values = (None, 3, "x", [], {}, torch.zeros(0), torch.full((3,), float("nan")), -1)
    if draw.random() < 0.3 and isinstance(inner, dict):
        del inner[where[-1]]
    else:
        inner[where[-1]] = draw.choice(values)
    torch.save(told, path)


def other_array(path: Path, draw: random.Random) -> None:
    """An array file with an array of another shape or kind, or one that lacks."""
    new = draw.choice(
        (
            np.zeros(0),
            np.zeros((2, 3), np.uint8),
            np.full((4, 3, 32, 32), np.nan),
            np.array(["a", "b"]),
            np.zeros((3, 5, 5, 3), np.int64) - 1,
            np.zeros((), np.float16),
            np.array([{}], dtype=object),
        )
    )
    if path.suffix == ".npy":
        np.save(path, new, allow_pickle=True)
        return
    with np.load(path, allow_pickle=False) as archive:
        told = dict(archive)
    name = draw.choice(list(told))
    if draw.random() < 0.3:
        del told[name]
    else:
        told[name] = new
    np.savez(path, **told)


def other_member(path: Path, draw: random.Random) -> None:
    """An archive of which one member is damaged, twice there, or has a strange name."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(list(parts))
    new = draw.choice((name, "../x.png", "/x.png", "a\0b.png", "x" * 300 + ".png", ".png"))
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            damaged = content[: draw.randrange(len(content) + 1)] if part == name else content
            archive.writestr(new if part == name else part, damaged)


def other_entry(path: Path, draw: random.Random) -> None:
    """A ``.tar`` of which one entry is damaged, is no file, or has a strange name."""
    with tarfile.open(path) as archive:
        parts = [(entry, archive.extractfile(entry)) for entry in archive]
        parts = [(entry, file.read() if file else b"") for entry, file in parts]
    damaged = draw.randrange(len(parts))
    with tarfile.open(path, "w") as archive:
        for k, (entry, content) in enumerate(parts):
            if k == damaged:
                content = content[: draw.randrange(len(content) + 1)]
                entry.size = len(content)
                entry.type = draw.choice((tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE))
                entry.linkname = "../x.png"
                entry.name = draw.choice((entry.name, "../x.png", "/x.png", "x" * 300, ".png", ""))
            archive.addfile(entry, io.BytesIO(content))


def other_column(path: Path, draw: random.Random) -> None:
    """A ``.parquet`` with a column that lacks, is of another kind, or has a damaged picture."""
    import pyarrow
    import pyarrow.parquet

    told = pyarrow.parquet.read_table(path).to_pydict()
    name, n = draw.choice(list(told)), len(told["label"])
    new = ([None] * n, [0.5] * n, ["x"] * n, [b"x"] * n, [[1]] * n, [{"bytes": b""}] * n)
    if draw.random() < 0.2:
        del told[name]
    elif draw.random() < 0.3:
        told["image"][draw.randrange(n)] = {"bytes": b"\x89PNG", "path": draw.choice((None, "x"))}
    else:
        told[name] = draw.choice(new)
    pyarrow.parquet.write_table(pyarrow.table(told), path)


ANY: tuple[Damage, ...] = (delete, empty, cut, noise, flip, doubled, folder, pipe, loop, swapped)
ANY += (no_parent, file_for_parent, stray)
MORE: dict[str, tuple[Damage, ...]] = {
    ".json": (other_shape, other_value, other_value, other_value),
    ".jsonl": (other_shape, other_value, other_value),
    ".pt": (other_tensor, other_tensor, other_tensor),
    ".npy": (other_array, other_array),
    ".npz": (other_array, other_array),
    ".zip": (other_member, other_member),
    ".tar": (other_entry, other_entry),
    ".parquet": (other_column, other_column),
}


# what is called, and what may meet which file

Verb = tuple[str, ...]  # RUN stands for the run whose file is damaged
LOOKING: tuple[Verb, ...] = (
    ("list",),
    ("check",),
    ("check", "RUN"),
    ("compare", "RUN", "other"),
    ("compare", "other", "RUN"),
    ("rm", "RUN", "--yes"),
    ("resume", "RUN"),
    ("resume", "RUN", "--epochs", "5"),
    ("BOARD",),
)
GAN: tuple[Verb, ...] = (
    ("evaluate", "RUN", *MEASURED),
    ("evaluate", "RUN", *MEASURED, "--epoch", "2"),
    ("fork", "RUN", "--at-epoch", "2", "--set", "lr_D=1e-3", "--epochs", "1"),
    ("generate", "RUN", "-n", "2", "-o", "drawn"),
    ("generate", "RUN", "-n", "2", "-o", "drawn", "--epoch", "2"),
    ("draw", "film", "RUN", "-o", "film.webp"),
    ("draw", "walk", "RUN", "-o", "walk.webp", "--stops", "2", "--frames", "1"),
    ("draw", "truncated", "RUN", "-o", "truncated.png"),
    ("draw", "invert", "RUN", "pictures/00.png", "-o", "inverted.png", "--steps", "1"),
    ("export", "RUN", "-o", "out.pt"),
    ("train", "dcgan64-tiny", "--from", "RUN", "--name", "new", "--set", NET, FACES, *ONCE),
)  # fmt: skip
OF_EXPERIMENT: tuple[Verb, ...] = (
    ("report", "small.py"),
    ("pack", "small.py", "-o", "new.tar.xz"),
    ("plan", "small.py"),
    ("run", "small.py", "--jobs", "1"),
    ("list",),
)
CODES: tuple[Verb, ...] = (
    ("sdpc", "show", "RUN"),
    ("sdpc", "encode", "RUN", "pictures/00.png", "-o", "new.npz"),
    ("sdpc", "decode", "RUN", "codes.npz", "-o", "decoded"),
    ("sdpc", "denoise", "RUN", "pictures/00.png", "-o", "clean"),
    ("evaluate", "RUN"),
)
TRANSLATOR: tuple[Verb, ...] = (
    ("translate", "RUN", "pictures/00.png", "-o", "translated"),
    ("export", "RUN", "-o", "out.onnx"),
    ("evaluate", "RUN", "-n", "8", "--no-attributes"),
)
SET: tuple[Verb, ...] = (
    ("data", "list"),
    ("data", "show", "own", "--size", "32"),
    ("data", "twins", "own", "--size", "32"),
    ("data", "import", "pictures", "--name", "own", "--size", "32", "--replace"),
    ("train", "dcgan64-tiny", "--name", "new", "--set", NET, OWN, *ONCE),
    ("evaluate", "mine", *MEASURED),
    ("resume", "mine", "--epochs", "5"),
    ("evaluate", "pictures", "--data", "own", *MEASURED),
)  # fmt: skip
CACHE: tuple[Verb, ...] = (
    ("evaluate", "gan", *MEASURED),
    ("train", "dcgan64-tiny", "--name", "new", "--set", NET, FACES, *ONCE),
    ("data", "show", "faces", "--size", "32", "--n", "80"),
)  # fmt: skip
COSTLY = ("train", "resume", "fork", "run", "tune", "report", "compare", "draw")
COSTLY += ("evaluate", "translate")  # seldom called, and long at work
IMPORT = ("--name", "new", "--size", "32")
PICTURES: tuple[Verb, ...] = (
    ("data", "import", "pictures", *IMPORT),
    ("data", "import", "pictures", *IMPORT, "--skip-corrupt"),
    ("evaluate", "pictures", "--data", "own", *MEASURED),
    ("translate", "translator", "FILE", "-o", "translated"),
    ("translate", "translator", "pictures", "-o", "translated"),
    ("sdpc", "encode", "codes", "FILE", "-o", "new.npz"),
    ("sdpc", "denoise", "codes", "FILE", "-o", "clean"),
    ("draw", "invert", "gan", "FILE", "-o", "inverted.png", "--steps", "1"),
)
MEETS: dict[str, tuple[Verb, ...]] = {  # a pattern of files -> the verbs
    "runs/*-gan-*/**/*": LOOKING + GAN,
    "runs/*-branch-*/**/*": LOOKING + GAN,
    "runs/*-mine-*/*": LOOKING + GAN,
    "runs/*-codes-*/**/*": LOOKING + CODES,
    "runs/*-translator-*/**/*": LOOKING + TRANSLATOR,
    "runs/*-small-*/**/*": OF_EXPERIMENT,
    "runs/looks/*": OF_EXPERIMENT,
    "runs/notes/*/*": OF_EXPERIMENT,
    "runs/tuning/**/*": (("tune", "search.py", "--trials", "2", "--workers", "1"), ("list",)),
    "data/imported/own/**/*": SET,
    "data/made/**/*": CACHE,
    "data/features/**/*": CACHE,
    "state/**/*": CACHE + GAN,
    "pictures/*": PICTURES,
    **dict.fromkeys(
        ("pictures.zip", "pictures.tar", "pictures.parquet", "pictures.npy"),
        (
            ("data", "import", "FILE", *IMPORT),
            ("data", "import", "FILE", *IMPORT, "--skip-corrupt"),
        ),
    ),
    "arrays.npz": (("data", "import", "FILE", *IMPORT),),
    "small.tar.xz": (("--runs", "fresh", "unpack", "FILE"), ("unpack", "FILE")),
    "codes.npz": (("sdpc", "decode", "codes", "FILE", "-o", "decoded"),),
    "recipe.json": (("train", "FILE", "--name", "new", "--set", "epochs=1"),),
    "small.py": OF_EXPERIMENT,
}


# trials


@dataclass(frozen=True)
class Trial:
    """What was damaged, how, what was called, and what is wrong with the outcome, if anything."""

    file: str
    damage: str
    words: Sequence[str]
    code: int
    said: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.wrong}: {self.damage} {self.file}; {' '.join(self.words)}\n{self.said}"


class Hang(BaseException):
    """A command took too long."""


def _ring(number: int, frame: FrameType | None) -> None:
    raise Hang


def play(base: Path, place: Path, draw: random.Random, only: str) -> Trial:
    """One trial in the folder ``place``, a copy of ``base`` that is made anew."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place, symlinks=True, copy_function=_same_file)
    os.chdir(place)
    pattern = draw.choice([p for p in MEETS if only in p])
    files = sorted(p for p in Path().glob(pattern) if p.is_file() and p.name != ".lock")
    path = draw.choice(files)
    how = draw.choice(ANY + 2 * MORE.get(path.suffix, ()))
    run = path.parts[1] if path.parts[0] == "runs" else ""
    weights = [1 if verb[0] in COSTLY else 5 for verb in MEETS[pattern]]
    (verb,) = draw.choices(MEETS[pattern], weights)
    words = [{"RUN": run, "FILE": str(path)}.get(word, word) for word in verb]
    if how in (no_parent, file_for_parent) and len(path.parts) == 1:
        how = delete
    content = path.read_bytes()
    path.unlink()  # the base has the same file
    path.write_bytes(content)
    try:
        how(path, draw)
    except Exception as error:  # this file has no such damage
        return Trial(str(path), how.__name__, words, 0, str(error), "")
    others = _sums(run)
    code, said, wrong = _outcome(words)
    if words[0] not in ("rm",) and (lost := [p for p, s in others.items() if _sum(p) != s]):
        wrong = wrong or f"changed {lost[0]}"
    return Trial(str(path), how.__name__, words, code, said, wrong)


def _same_file(source: str, target: str) -> None:
    """A link, which is faster than a copy; nothing but a journal is written in place."""
    if source.endswith(".log"):
        shutil.copy(source, target)
    else:
        os.link(source, target)


def _sums(run: str) -> dict[Path, str]:
    """The content of what the runs but ``run`` were trained with and to."""
    kept = ("recipe.json", "run.json", "scalars.jsonl")
    files = [p for p in Path("runs").rglob("*") if p.name in kept or p.suffix == ".pt"]
    return {p: _sum(p) for p in files if run not in p.parts and p.is_file()}


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _outcome(words: Sequence[str]) -> tuple[int, str, str]:
    signal.signal(signal.SIGALRM, _ring)
    signal.signal(signal.SIGPROF, _ring)
    most = AT_WORK_S if words[0] in COSTLY else HANG_S
    signal.setitimer(signal.ITIMER_PROF, most)
    signal.alarm(WAIT_S)
    try:
        code, out, err = board() if words == ["BOARD"] else call(*words)
    except Hang:
        return -1, "", f"longer than {most} s of work, or than {WAIT_S} s by the clock"
    except Exception as error:
        where = traceback.format_exc().splitlines()
        return -1, "\n".join(where[-14:]), f"{type(error).__name__} raised"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    if code not in (0, 2):
        return code, err, f"exit code {code}"
    lines = [line for line in err.splitlines() if line.startswith("bascule: ")]
    if code == 2 and words[0] != "check" and len(lines) != 1:
        return code, err, f"a refusal in {len(lines)} lines"
    if "Traceback" in err or "\x1b" in out + err:
        return code, out + err, "a traceback or a control character in what is told"
    return code, err, ""


def board() -> tuple[int, str, str]:
    """What the board's pages read of all runs."""
    from starlette.testclient import TestClient

    from bascule.board.app import application
    from bascule.board.board import Board

    made = Board(Store(Path("runs")))
    made.warm_up()
    client = TestClient(application(made, "token", port=8000), "http://127.0.0.1:8000")
    client.get("/?token=token")
    for run in Path("runs").iterdir():
        for page in ("/", f"/runs/{run.name}", f"/runs/{run.name}/fork", f"/latents/{run.name}"):
            answer = client.get(page)
            if answer.status_code >= 500:
                raise RuntimeError(f"{page}: {answer.status_code}")
    return 0, "", ""


def main_() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("-n", type=int, default=2000, help="trials")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", default="", help="part of a pattern of files")
    arguments.add_argument("--base", type=Path, help="the store, made if it is not there")
    arguments.add_argument("--first", type=int, default=0, help="number of the first trial")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as made:
        base, place = (args.base or Path(made) / "base").resolve(), Path(made) / "trial"
        os.environ["BASCULE_DATA"], os.environ["BASCULE_STATE"] = "data", "state"
        if not base.exists():
            base.mkdir(parents=True)
            os.chdir(base)
            make_base(base)
        codes: Counter[str] = Counter()
        bad = 0
        for k in range(args.first, args.first + args.n):
            trial = play(base, place, random.Random(f"{args.seed} {k}"), args.only)
            codes[trial.wrong or f"exit code {trial.code}"] += 1
            if k % 100 == 99:
                print(f"{k + 1} trials, {bad} bad", file=sys.stderr, flush=True)
            if trial.wrong:
                bad += 1
                print(f"--- {k}: {trial}", flush=True)
        os.chdir("/")
    for told, n in codes.most_common():
        print(f"{n:6} {told}")
    print(f"{args.n} trials, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main_())

"""Finished runs in one small file: everything that notes need, without the networks.

A pack is a .tar.xz of run folders. Each has the recipe, the user code, the origin, the status, the
scalars, the diagnostics and the evaluations, with numbers to 8 significant digits. On request it
also has the first row of the last sample grid. The standard deviation and the minimum of an epoch's
scalars are left out, because no note reads them. The history of looks at an experiment and the
answers of judges go with its runs. An unpacked run counts as finished: experiments find it by its
recipe and do not train it again, and notes and verdicts read it. It has no checkpoint, so it cannot
draw new images, and a fork of it replays its past. Its code is not trusted
(:mod:`bascule.core.trust`).
"""

from __future__ import annotations

import io
import json
import lzma
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bascule.core import atomic
from bascule.core.errors import UserError, unreadable
from bascule.core.reading import needed, numbered
from bascule.data.decoding import own_picture
from bascule.runs.store import Run, Store

PLAIN = ("recipe.json", "run.json", "status.json", "experiment.py")
METRICS = "metrics.json"
ROUNDED = ("scalars.jsonl", "diagnostics.jsonl", METRICS)
DIGITS = 8  # so that differences of nearly equal numbers still have four
CODE = re.compile(r"code/[\w. -]+(/[\w. -]+)*\.py")
RESTORE = "restore it, or pack without its run"
LOOKS = "looks"  # the folder of histories of looks
JUDGMENTS = "judgments"  # the folder of answers of judges, a file for each judge and pair of runs
BESIDE = (LOOKS, JUDGMENTS)  # folders beside the runs
HISTORY = re.compile(rf"{LOOKS}/[0-9a-f]{{16}}\.json|{JUDGMENTS}/[0-9a-f]{{16}}-[\w-]+\.json")
SAMPLE = re.compile(r"samples/epoch-\d{4,}\.png")
MOST_BYTES = 100_000_000  # limit for one file in a pack
MOST_TOTAL_BYTES = 1_000_000_000  # for all of them; the largest pack of the project has 10 million
MOST_FILES = 100_000


def pack(
    runs: Iterable[Run], path: Path, pictures: Iterable[Run] = (), beside: Iterable[Path] = ()
) -> None:
    """Write finished ``runs`` to the file ``path``; for ``pictures`` with a row of samples.

    ``beside``: files of :mod:`bascule.experiments.looks` and
    :mod:`bascule.experiments.judgments`. Equal runs give identical files. Raises
    :class:`UserError` for a run that is not finished.
    """
    shown = {run.id for run in pictures}

    def put(to: Path) -> None:
        with tarfile.open(to, "w:xz", preset=9) as archive:
            for run in sorted(runs, key=lambda run: run.id):
                if run.status["state"] != "finished":
                    raise UserError(f"{run.id} is not finished: only finished runs are packed")
                for name, content in _files(run, run.id in shown):
                    entry = tarfile.TarInfo(f"{run.id}/{name}")
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
            for file in sorted(beside):
                content = _content(file)
                entry = tarfile.TarInfo(f"{file.parent.name}/{file.name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    atomic.write(path, put)


def _content(file: Path) -> bytes:
    return needed(file, "the file", RESTORE)


def _files(run: Run, picture: bool) -> Iterable[tuple[str, bytes]]:
    for name in PLAIN:
        if (run.folder / name).exists():
            yield name, _content(run.folder / name)
    for path in sorted((run.folder / "code").rglob("*.py")):
        yield path.relative_to(run.folder).as_posix(), _content(path)
    for name in ROUNDED:
        if (run.folder / name).exists():
            yield name, _rounded(run.folder / name)
    if picture and (epochs := numbered(run.folder / "samples", ".png")):
        with own_picture(run.sample(epochs[-1])) as grid:
            row = grid.crop((0, 0, grid.width, run.recipe.data.size))
        buffer = io.BytesIO()
        row.save(buffer, "PNG", optimize=True)
        yield f"samples/{run.sample(epochs[-1]).name}", buffer.getvalue()


def _rounded(file: Path) -> bytes:
    content = _content(file)
    try:
        return _with_fewer_digits(content.decode(), file.name).encode()
    except ValueError as error:
        raise unreadable(f"the file {file}", error, RESTORE) from None


def _with_fewer_digits(text: str, name: str) -> str:
    if name == METRICS:
        return json.dumps(_short(json.loads(text)), ensure_ascii=False)
    rows = [json.loads(line) for line in text.splitlines()]
    if name == "scalars.jsonl":
        rows = [{k: v for k, v in row.items() if not k.endswith(("_std", "_min"))} for row in rows]
    return "".join(json.dumps(_short(row)) + "\n" for row in rows)


def _short(value: Any) -> Any:
    """``value`` with every float to 8 significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    return [_short(inner) for inner in value] if isinstance(value, list) else value


def unpack(path: Path, store: Store) -> tuple[list[Run], list[Run]]:
    """Copy the runs of a pack into ``store``; returns (new runs, existing runs).

    An existing run is not changed, finished or not. Raises :class:`UserError` for a file that is
    not a pack, and then writes nothing.
    """
    if not path.is_file():  # opening a pipe would block forever
        raise UserError(f"cannot read {path}: no such file; expected one made by `bascule pack`")
    try:
        with tarfile.open(path, "r:xz") as archive:
            found = _checked(path, archive)
    except (OSError, tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise UserError(
            f"cannot read {path}: {error}; expected a file made by `bascule pack`"
        ) from None
    new, old = [], []
    for folder in BESIDE:
        for inner, content in found.pop(folder, {}).items():
            file = store.root / folder / inner
            if not file.exists() or len(content) > file.stat().st_size:  # more looks or answers
                file.parent.mkdir(parents=True, exist_ok=True)
                atomic.write(file, content)
    for name, files in found.items():
        run = Run(store.root / name)
        if (run.folder / "recipe.json").exists():
            old.append(run)
            continue
        for part in ("samples", "checkpoints"):
            (run.folder / part).mkdir(parents=True, exist_ok=True)
        # The recipe is written last: a folder without it does not count as a run.
        for inner in sorted(files, key=lambda inner: inner == "recipe.json"):
            (run.folder / inner).parent.mkdir(parents=True, exist_ok=True)
            atomic.write(run.folder / inner, files[inner])
        new.append(run)
    return new, old


def _checked(path: Path, archive: tarfile.TarFile) -> dict[str, dict[str, bytes]]:
    """Run id -> file name -> content, after checking that a pack can contain every name."""
    found: dict[str, dict[str, bytes]] = {}
    total = 0
    for number, entry in enumerate(archive):
        total += entry.size
        if total > MOST_TOTAL_BYTES or number >= MOST_FILES:
            raise UserError(
                f"{path} unpacks to more than {MOST_FILES:,} files or {MOST_TOTAL_BYTES:,} bytes: "
                "no pack is so large; not unpacked"
            )
        run, _, inner = entry.name.partition("/")
        known = inner in (*PLAIN, *ROUNDED) or SAMPLE.fullmatch(inner) or CODE.fullmatch(inner)
        of_run = known and re.fullmatch(r"\d{8}-[\w-]+", run) and ".." not in Path(inner).parts
        if not of_run and not HISTORY.fullmatch(entry.name):
            raise UserError(f"{path} is no pack of runs: it holds {entry.name!r}")
        if entry.size > MOST_BYTES:
            raise UserError(f"{path}: {entry.name} unpacks to {entry.size:,} bytes")
        content = archive.extractfile(entry) if entry.isreg() else None
        if content is None:
            raise UserError(f"{path} is no pack of runs: {entry.name!r} is no file")
        found.setdefault(run, {})[inner] = content.read()
    for run, files in found.items():
        if run not in BESIDE and (
            missing := {"recipe.json", "run.json", "status.json"} - files.keys()
        ):
            raise UserError(f"{path} is no pack of runs: {run} lacks {', '.join(sorted(missing))}")
    return found

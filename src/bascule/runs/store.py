"""A run is a folder with its complete recipe, origin, scalars, images and checkpoints.

    recipe.json        the recipe, with every "auto" resolved
    run.json           name, code version, environment, data digest, parent of a fork
    code/              the user files that the recipe needs, if any; older runs have a single
                       experiment.py
    scalars.jsonl      one row per epoch
    diagnostics.jsonl  diagnostics of D and G, one row every few epochs
    replay/            old fakes, to test whether D still recognises them
    metrics.json       evaluations, by epoch; neighbours-0020.png: fakes next to their nearest reals
    status.json        running, finished, interrupted or failed, and why
    train.json         the last training job; measure.json: the last measuring job; errors.log: the
                       error output of its worker
    samples/           epoch-0005.png: G on the fixed z after 5 epochs; shown-0005.png: the batch
                       of D in the last step before that, reals on the left, fakes on the right
    checkpoints/       last.pt, epoch-0020.pt: after 20 epochs
    note.md, note.html
    board.json         the title and the tags that a person gave it on the board
    stop               asks the process that trains it to stop, until it is resumed

Every file is written whole or not at all (:mod:`bascule.core.atomic`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bascule
from bascule.core import atomic
from bascule.core.errors import InUse, UserError, unknown, unreadable
from bascule.core.reading import numbered, parsed, read_bytes, read_json
from bascule.core.sums import load_checked
from bascule.runs import recipe_format

if TYPE_CHECKING:  # runs can be listed without loading PyTorch
    from bascule.core.user_code import Code
    from bascule.training.loop import Row
    from bascule.training.recipe import Recipe
    from bascule.training.state import State

MOST_ROWS_BYTES = 2**30  # a row is 600 bytes
# Values of run.json, where they are there: their kind, and what is said of one of another kind.
ABOUT: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("name", "created", "data_digest", "code"), (str, "no text")),
    "machine": (dict, "no object"),
    "processes": (int, "no whole number"),
}
GO_ON = "delete it, and the run goes on from an earlier one"
LOOK_S = 0.05  # seconds; longer than another process holds the lock to test whether it is free


@dataclass(frozen=True)
class Fork:
    """The origin of a fork: its first ``epoch`` epochs are those of the run ``parent``."""

    parent: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.parent} at {self.epoch}"


@dataclass(frozen=True)
class Run:
    """One run folder. ``rules``: loaded user classes that its recipe may name."""

    folder: Path
    rules: tuple[type, ...] = field(default=(), compare=False, repr=False)

    @property
    def id(self) -> str:
        return self.folder.name

    @cached_property
    def about(self) -> dict[str, Any]:
        told = _read_json(self.folder / "run.json", "name", "created", "data_digest")
        for key, (kind, called) in ABOUT.items():
            if key in told and not isinstance(told[key], kind):
                raise UserError(f"cannot read {self.folder / 'run.json'}: {key} is {called}")
        return told

    @property
    def name(self) -> str:
        name: str = self.about["name"]
        return name

    def rename(self, name: str) -> None:
        """Give it another name; its id stays. Raises UserError for a name that says nothing."""
        if not name.strip() or not name.isprintable():
            raise UserError(f"{name!r}: expected a name that can be read, such as portraits")
        about = json.dumps({**self.about, "name": name}, indent=1, ensure_ascii=False)
        atomic.write(self.folder / "run.json", about)

    @property
    def epochs(self) -> int:
        """The number of epochs of its recipe, read without building the recipe."""
        epochs: int = self._plain_recipe["epochs"]
        return epochs

    @cached_property
    def _plain_recipe(self) -> dict[str, Any]:
        path = self.folder / "recipe.json"
        told = _read_json(path, "is", "epochs")
        if type(told["epochs"]) is not int:
            raise UserError(f"cannot read {path}: epochs is no whole number")
        try:
            plain: dict[str, Any] = recipe_format.checked(told)
            return plain
        except UserError as refusal:
            raise UserError(f"cannot read {path}: {refusal}") from None

    @cached_property
    def recipe(self) -> Recipe:
        """Its recipe, for viewing: no code from the run's folder is executed.

        A value whose class only the run's own code defines becomes a placeholder
        (:class:`bascule.interventions.foreign.Foreign`), unless the class is among ``rules``.
        """
        return self._looked_at(self.rules)

    def _looked_at(self, rules: tuple[type, ...] = ()) -> Recipe:
        try:
            text = read_bytes(self.folder / "experiment.py", MOST_ROWS_BYTES).decode(
                errors="replace"
            )
        except (OSError, ValueError):
            text = ""
        own = re.findall(r"^class\s+(\w+)", text, re.MULTILINE)
        return self._decoded(rules, own)

    @cached_property
    def playable(self) -> Recipe:
        """Its recipe, for training, drawing or measuring.

        Executes the run's own code if its recipe needs any. Raises :class:`UserError` if this user
        neither made that code nor allowed it (:mod:`bascule.core.trust`).
        """
        code = self.code()
        old = self._old_rules() if code and code.root != self.code_folder.resolve() else ()
        return self._decoded(old, code=code)

    @property
    def code_folder(self) -> Path:
        return self.folder / "code"

    def code(self) -> Code | None:
        """The run's own code, to execute; None if it needs none. Raises as :attr:`playable`."""
        from bascule.core import trust
        from bascule.core.user_code import code_at
        from bascule.runs import codec

        needed = [cls.written for cls in codec.unloaded(self._looked_at())]
        if not needed:
            return None
        root, files = self._own_files()
        if not files:
            raise UserError(
                f"{self.id} needs {', '.join(needed)}, and its folder holds no code: install the "
                "plug-in that defines it, or unpack the run again"
            )
        trust.check(root, files, f"the run {self.id}", needed)
        return code_at(root)

    def _own_files(self) -> tuple[Path, list[Path]]:
        """The folder with the run's own code, and all files in it that may be executed."""
        from bascule.core.trust import MARK

        if self.code_folder.is_dir():
            found = (path for path in self.code_folder.rglob("*") if path.is_file())
            return self.code_folder, sorted(path for path in found if path.name != MARK)
        old = self.folder / "experiment.py"
        return self.folder, [old] if old.exists() else []

    def _old_rules(self) -> tuple[type, ...]:
        """The interventions of an ``experiment.py``, which older runs name by a single word."""
        from bascule.core.user_code import classes_in_file
        from bascule.interventions import Intervention

        found = classes_in_file(self.folder / "experiment.py")
        return tuple(cls for cls in found if issubclass(cls, Intervention))

    def _decoded(
        self,
        rules: tuple[type, ...],
        to_look: Iterable[str] | None = None,
        code: Code | None = None,
    ) -> Recipe:
        from bascule.runs import codec
        from bascule.training.recipe import as_recipe

        path = self.folder / "recipe.json"
        try:
            recipe = codec.decode(self._plain_recipe, rules, to_look, code)
        except UserError as refusal:
            raise UserError(f"cannot read {path}: {refusal}") from None
        except Exception as error:  # a bad value that no check covers
            raise UserError(f"cannot read {path}: {type(error).__name__}: {error}") from error
        return as_recipe(recipe, f"cannot read {path}: it holds no recipe")

    def trust(self, texts: Mapping[str, bytes]) -> None:
        """Trust the run's own code if it equals ``texts``, the files that the user has loaded."""
        from bascule.core import trust

        root, files = self._own_files()
        found = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
        if files and found == texts and not trust.is_trusted(root, files):
            trust.mark(root, files)

    def keeps(self, texts: Mapping[str, bytes]) -> bool:
        """Whether the ``experiment.py`` of an older run is equivalent to the current ``texts``."""
        from bascule.core.user_code import fingerprint

        old = self.folder / "experiment.py"
        if self.code_folder.exists() or not old.exists() or len(texts) != 1:
            return False
        try:
            then = fingerprint({"experiment.py": read_bytes(old, MOST_ROWS_BYTES)})
        except (OSError, ValueError, UserError):
            return False
        return then == fingerprint({"experiment.py": next(iter(texts.values()))})

    @property
    def saw(self) -> tuple[str, ...]:
        """The feature networks through which its game was trained, also before it was forked."""
        told = self.about.get("saw", [])
        if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
            raise UserError(f"cannot read {self.folder / 'run.json'}: saw={told!r}")
        return tuple(sorted({*self.recipe.saw, *told}))

    @property
    def fork(self) -> Fork | None:
        told = self.about.get("fork")
        if not told:
            return None
        try:
            branch = Fork(**told)
        except TypeError:
            branch = Fork("", -1)
        if not isinstance(branch.parent, str) or type(branch.epoch) is not int or branch.epoch < 0:
            raise UserError(f"cannot read {self.folder / 'run.json'}: fork={told!r}")
        return branch

    @property
    def status(self) -> dict[str, Any]:
        path = self.folder / "status.json"
        told = _read_json(path, "state") if path.exists() else {"state": "new"}
        if not isinstance(told["state"], str):
            raise UserError(f"cannot read {path}: state={told['state']!r}")
        if told["state"] in ("new", "running"):
            told["state"] = "running" if self.is_locked() else "interrupted"
        return told

    def set_status(self, state: str, **more: Any) -> None:
        atomic.write(self.folder / "status.json", json.dumps({"state": state, **more}, indent=1))

    def check(self) -> None:
        """Raises :class:`UserError` with the reason if the folder cannot be read as a run."""
        for path in _links(self.folder):
            if not path.resolve().is_relative_to(self.folder.parent.resolve()):
                raise UserError(
                    f"{path} is a link to a place outside the runs, which is not followed"
                )
        _ = self.about, self.epochs, self.fork, self.status
        self.last_row()

    # scalars

    def rows(self) -> list[Row]:
        """One row for every complete epoch. Raises :class:`UserError` if one lacks."""
        path = self.folder / "scalars.jsonl"
        rows = _read_rows(path)
        for epoch, row in enumerate(rows):
            if row.get("epoch") != epoch:
                raise UserError(
                    f"cannot read {path}: its line {epoch + 1} is not that of epoch {epoch}; put "
                    "the file back, or start the run again"
                )
        return rows

    def rows_until(self, epoch: int) -> list[Row]:
        """The rows of the epochs before ``epoch``, of which there is a checkpoint.

        Raises :class:`UserError` if some are gone: they are written before the checkpoint.
        """
        rows = self.rows()[:epoch]
        if len(rows) < epoch:
            raise UserError(
                f"{self.folder / 'scalars.jsonl'} has {len(rows)} lines, and there is a checkpoint "
                f"of {epoch} epochs: put the file back, or start a new run"
            )
        return rows

    def last_row(self) -> tuple[int, Row]:
        """The number of rows and the last row, which is empty if there is none.

        It parses only the last row of the file, so that listing many runs is fast.
        """
        path = self.folder / "scalars.jsonl"
        text = _read_text(path).rstrip()
        return (text.count("\n") + 1, _row(path, text.rpartition("\n")[2])) if text else (0, {})

    def set_rows(self, rows: list[Row]) -> None:
        _write_rows(self.folder / "scalars.jsonl", rows)

    def diagnostics(self) -> list[Row]:
        path = self.folder / "diagnostics.jsonl"
        rows = _read_rows(path)
        if not all("epoch" in row for row in rows):
            raise UserError(f"cannot read {path}: a line has no epoch; delete it")
        return rows

    def set_diagnostics(self, rows: list[Row]) -> None:
        _write_rows(self.folder / "diagnostics.jsonl", rows)

    @property
    def replay(self) -> Path:
        return self.folder / "replay"

    # checkpoints

    def checkpoint(self, epoch: int | None = None) -> Path:
        name = "last.pt" if epoch is None else f"epoch-{epoch:04d}.pt"
        return self.folder / "checkpoints" / name

    def kept_epochs(self) -> list[int]:
        """The epochs whose checkpoints are kept, in ascending order."""
        return numbered(self.folder / "checkpoints", ".pt")

    def save_checkpoint(self, saved: dict[str, Any], keep_as: int | None = None) -> None:
        """Write ``last.pt``. ``keep_as``: an epoch under whose name the checkpoint is kept too."""
        import torch

        def put(path: Path) -> None:
            with path.open("wb") as file:
                torch.save(saved, file)

        if keep_as is None:
            atomic.write(self.checkpoint(), put)
            return
        kept = self.checkpoint(keep_as)
        atomic.write(kept, put)
        try:
            atomic.write(self.checkpoint(), lambda path: os.link(kept, path))
        except OSError:  # the file system has no hard links
            atomic.write(self.checkpoint(), put)

    def load_checkpoint(self, epoch: int | None = None) -> dict[str, Any]:
        """The checkpoint of an epoch, or the newest.

        Raises :class:`UserError` if it cannot be read, differs from its check sums, or is no
        checkpoint of that epoch.
        """
        path = self.checkpoint(epoch)
        try:
            saved: dict[str, Any] = load_checked(path)
            _check_checkpoint(saved, epoch)
            return saved
        except Exception as error:  # PyTorch raises many classes of errors on damaged files
            raise unreadable(f"the checkpoint {path}", error, GO_ON) from error

    def restore(self, saved: dict[str, Any], state: State) -> None:
        """Load a checkpoint into the state of a recipe.

        Raises :class:`UserError` if it is one of other networks.
        """
        try:
            state.load_state_dict(saved)
        except Exception as error:  # of PyTorch, or of a part that lacks
            told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UserError(
                f"the checkpoint of epoch {saved['epoch']} in {self.folder / 'checkpoints'} does "
                f"not fit recipe.json ({told}): one of the two is of another run, or was edited; "
                "put the right file back"
            ) from error

    def sample(self, epoch: int) -> Path:
        return self.folder / "samples" / f"epoch-{epoch:04d}.png"

    def shown(self, epoch: int) -> Path:
        return self.folder / "samples" / f"shown-{epoch:04d}.png"

    # a stop asked for by another process, which may not know the one that trains

    def ask_to_stop(self) -> None:
        """Ask the process that trains it to save a checkpoint and end, as SIGTERM does."""
        (self.folder / "stop").touch()

    def is_asked_to_stop(self) -> bool:
        return (self.folder / "stop").exists()

    def forget_stop(self) -> None:
        (self.folder / "stop").unlink(missing_ok=True)

    # one writer at a time

    def is_locked(self) -> bool:
        """Whether a process is training it. Nothing is written."""
        from filelock import FileLock, Timeout

        lock = self.folder / ".lock"
        if not lock.exists():
            return False
        try:
            with FileLock(lock, timeout=LOOK_S, poll_interval=LOOK_S / 5):
                return False
        except Timeout:
            return True
        except OSError:  # we may not open it
            return False

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Lock the run for writing. The lock ends with this process, even if it is killed."""
        return _alone(self.folder / ".lock", f"{self.id} is being trained by another process")


@dataclass(frozen=True)
class Store:
    """A folder of runs; ``root`` may be a text too."""

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))

    def lock(self, experiment: str) -> contextlib.AbstractContextManager[None]:
        """Lock the runs of an experiment, by its name, so that one process trains them.

        Raises :class:`InUse` while another one does.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        refusal = (
            f"the experiment {experiment} is being run by another process in {self.root}: look at "
            "it with `bascule board`, or give the command again when it has ended"
        )
        return _alone(self.root / f".{slug(experiment)}.lock", refusal)

    def create(
        self,
        recipe: Recipe,
        name: str,
        data_digest: str,
        fork: Fork | None = None,
        keyed: bool = True,
        processes: int = 1,
        saw: Sequence[str] = (),
    ) -> Run:
        """A new run folder for a recipe without "auto", or the existing folder of the same run.

        ``keyed``: whether the origin of a fork is part of its identity, so that it differs from a
        run of the same recipe from the start. ``processes``: the number of processes that train it,
        which is part of its identity too. ``saw``: what the parent of a fork saw. The user files
        that the recipe needs are copied. They are trusted, since the user has just loaded them.
        """
        from bascule.core import trust
        from bascule.runs import codec
        from bascule.training.hardware import describe

        origin = fork if keyed else None
        texts = _texts(recipe)
        if same := self.same(recipe, name, data_digest, origin, processes):
            same.trust(texts)
            return same
        key = _key(recipe, data_digest, origin, processes)
        run = Run(self.root / f"{datetime.now():%Y%m%d}-{slug(name)}-{key}")
        building = run.folder.with_name(f".{run.id}.{os.getpid()}.partial")
        try:
            shutil.rmtree(building, ignore_errors=True)  # left by a process that was killed
            for part in ("samples", "checkpoints"):
                (building / part).mkdir(parents=True)
            about = {
                "name": name,
                "created": datetime.now().astimezone().isoformat(timespec="seconds"),
                "code": code_version(),
                "machine": describe(),
                "data_digest": data_digest,
                **({"processes": processes} if processes > 1 else {}),
                **({"saw": list(saw)} if saw else {}),
                "fork": {"parent": fork.parent, "epoch": fork.epoch} if fork else None,
            }
            for rel, text in texts.items():
                path = building / "code" / rel
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic.write(path, text)
            if texts:
                trust.mark(building / "code", [building / "code" / rel for rel in texts])
            told = recipe_format.stamped(codec.encode(recipe))
            plain = json.dumps(told, indent=1, ensure_ascii=False)
            atomic.write(building / "recipe.json", plain)
            atomic.write(building / "run.json", json.dumps(about, indent=1, ensure_ascii=False))
            building.rename(run.folder)
        except BaseException as error:
            shutil.rmtree(building, ignore_errors=True)
            if (run.folder / "recipe.json").exists():  # another process was faster
                return run
            if atomic.disk_is_full(error):
                raise UserError(f"no space left to create {run.folder}: free some space") from error
            raise
        return run

    def same(
        self,
        recipe: Recipe,
        name: str,
        data_digest: str,
        fork: Fork | None = None,
        processes: int = 1,
    ) -> Run | None:
        """The complete run ``name`` with this recipe, data and origin; None if there is none."""
        key, old_key = (_key(recipe, data_digest, fork, processes, old) for old in (False, True))
        for folder in sorted(self.root.glob(f"*-{key}")):
            run = Run(folder, _own_classes(recipe))
            if _why_unreadable(run) is None and run.name == name:
                return run
        for folder in sorted(self.root.glob(f"*-{old_key}")) if old_key else ():
            run = Run(folder, _own_classes(recipe))
            if _why_unreadable(run) is None and run.name == name and run.keeps(_texts(recipe)):
                return run
        return None

    def runs(self) -> list[Run]:
        """All readable runs, oldest first."""
        return self.scan()[0]

    def named(self, name: str) -> list[Run]:
        """The readable runs of this name, oldest first, without a look at any other folder."""
        folders = sorted(self.root.glob(f"*-{slug(name)}-*"))
        runs = [Run(folder) for folder in folders if _is_run(folder)]
        return [run for run in runs if _why_unreadable(run) is None and run.name == name]

    def scan(self) -> tuple[list[Run], dict[str, str]]:
        """All readable runs, oldest first, and id -> reason for the others."""
        found, unreadable = [], {}
        for folder in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            if folder.name.startswith(".") or not _is_run(folder):
                continue
            if why := _why_unreadable(run := Run(folder)):
                unreadable[run.id] = why
            else:
                found.append(run)
        return sorted(found, key=lambda run: (run.about["created"], run.id)), unreadable

    def find(self, text: str) -> Run:
        """The run with this id or path, or the only run whose id or name contains ``text``.

        Raises :class:`UserError` if there is none or several, or if the run is unreadable, with the
        reason.
        """
        path = Path(text)
        if _is_run(path):
            run = Run(path.resolve())
            if why := _why_unreadable(run):
                raise UserError(f"{run.id} is unreadable: {why}")
            return run
        runs, unreadable = self.scan()
        if text in unreadable:
            raise UserError(f"{text} is unreadable: {unreadable[text]}")
        hits = [r for r in runs if text in (r.id, r.name)] or [
            r for r in runs if text in r.id or text in r.name
        ]
        if not hits:
            for name, why in unreadable.items():
                if text in name:
                    raise UserError(f"{name} is unreadable: {why}")
            raise unknown("run", text, [r.id for r in runs])
        if len(hits) > 1:
            names = ", ".join(r.id for r in hits)
            raise UserError(f"{text!r} names {len(hits)} runs: {names}; give one id")
        return hits[0]


@contextlib.contextmanager
def _alone(lock: Path, refusal: str) -> Iterator[None]:
    """Hold the lock file ``lock``; raises InUse with ``refusal`` while another process does."""
    from filelock import FileLock, Timeout

    held = FileLock(lock, poll_interval=LOOK_S / 5)
    try:
        held.acquire(timeout=LOOK_S)
    except Timeout:
        raise InUse(refusal) from None
    try:
        yield
    finally:
        held.release()


def _check_checkpoint(saved: Any, epoch: int | None) -> None:
    """Raise ValueError if ``saved`` is no checkpoint, or that of another epoch."""
    kinds = {"game": dict, "epoch": int, "step": int, "partial": dict}
    if not isinstance(saved, dict):
        raise ValueError("it holds no state of a run")
    for name, kind in kinds.items():
        if not isinstance(saved.get(name), kind):
            raise ValueError(f"its part {name!r} is missing or of another kind")
    if epoch is not None and saved["epoch"] != epoch:
        raise ValueError(f"it is one of epoch {saved['epoch']}")


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run folder, possibly a damaged one."""
    try:
        return (folder / "recipe.json").exists()
    except PermissionError:  # not permitted to read it: it is listed with that reason
        return True
    except OSError:  # the text is not a path
        return False


def _why_unreadable(run: Run) -> str | None:
    try:
        run.check()
    except UserError as refusal:
        return str(refusal)
    except (OSError, RuntimeError) as error:
        return f"cannot read {run.folder}: {error}"
    return None


def _links(folder: Path) -> Iterator[Path]:
    """The symbolic links in a run folder, including the folder itself."""
    if folder.is_symlink():
        yield folder
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(top, name)
            if os.path.islink(path):
                yield Path(path)


def _own_classes(recipe: Recipe) -> tuple[type, ...]:
    """The classes in a recipe that come from user code, not from the package or a plug-in."""
    from bascule.core.user_code import code_in, is_users

    return tuple(cls for cls in code_in(recipe) if is_users(cls))


def _texts(recipe: Recipe) -> dict[str, bytes]:
    """The user files that a recipe needs: relative path -> content."""
    from bascule.core.user_code import sources

    return sources(_own_classes(recipe))


def _key(
    recipe: Recipe, data_digest: str, fork: Fork | None, processes: int, old: bool = False
) -> str | None:
    """The key of a run: a digest of everything that decides its result.

    ``old``: the key of older versions, which covered only the source of the intervention classes
    and no other user code; None if an older version could not have made such a run.
    """
    from bascule.core.user_code import code_in, fingerprint, source_of, sources
    from bascule.runs import codec

    classes = code_in(recipe)
    if not classes:
        told = []
    elif not old:
        told = [fingerprint(sources(classes))]
    else:
        told = [source_of(type(c)) for c in recipe.interventions if type(c) in classes]
    if old and not (
        told and len(set(map(type, recipe.interventions)) & set(classes)) == len(classes)
    ):
        return None
    shared = [f"{processes} processes"] if processes > 1 else []
    return codec.digest((recipe, data_digest, fork, *told, *shared), bare=old)


def slug(text: str) -> str:
    """``text`` as a file name that is valid on every system.

    >>> slug("Perfect G, every input noised")
    'perfect-g-every-input-noised'
    """
    whole = re.sub(r"[^\w]+", "-", text.lower()).strip("-")
    return whole.encode()[:120].decode(errors="ignore")


def code_version() -> str:
    """The version of the package, and the commit if it runs from a git checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(here), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not (Path(git("rev-parse", "--show-toplevel")) / "src" / "bascule").is_dir():
            return bascule.__version__
        commit = git("rev-parse", "--short=12", "HEAD")
        dirty = git("status", "--porcelain", "--", str(here.parent))
        return f"{bascule.__version__} ({commit}{', changed' if dirty else ''})"
    except (OSError, subprocess.CalledProcessError):
        return bascule.__version__


def _read_rows(path: Path) -> list[Row]:
    return [_row(path, line) for line in _read_text(path).splitlines()]


def _read_text(path: Path) -> str:
    """The text of a file of rows; empty if there is no file."""
    try:
        return read_bytes(path, MOST_ROWS_BYTES).decode()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def _row(path: Path, line: str) -> Row:
    try:
        row = parsed(line)
    except ValueError as error:
        raise UserError(f"cannot read {path}: {error}") from None
    if not isinstance(row, dict):
        raise UserError(f"cannot read {path}: expected a row of scalars, not {line[:40]}")
    for name, value in row.items():
        if not isinstance(value, float) and not (type(value) is int and abs(value) < 2**63):
            raise UserError(f"cannot read {path}: {name[:40]} is no number")
    return row


def _write_rows(path: Path, rows: list[Row]) -> None:
    atomic.write(path, "".join(json.dumps(row) + "\n" for row in rows))


def _read_json(path: Path, *needed: str) -> dict[str, Any]:
    try:
        told = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    missing = [name for name in needed if name not in told]
    if missing:
        raise UserError(f"cannot read {path}: it lacks {', '.join(missing)}")
    return told

"""Does a command that dies, or that the disk refuses, leave the old state or the new one?

    python benchmarks/interrupted.py kills [-n 300] [--seed 0] [--only WORD] [--base DIR]
    python benchmarks/interrupted.py faults [--every 1] [--seed 0] [--only WORD] [--base DIR]

A small store is made first, and every command below is done once without trouble. Then each trial
copies the store and troubles one command. With `kills` it gets SIGKILL, SIGTERM or SIGINT at a
random moment, alone or with its workers. With `faults` one call of the system that writes under
the working folder fails: the k-th open for writing, write, rename, sync, mkdir or link says that
there is no space, no right, or that the disk failed (a C compiler is needed). k goes through all
calls, or through every N-th with `--every N`.

After that, the same command is given again. A trial is bad if

- the troubled command prints a traceback, more than one line that begins with `bascule:`, or ends
  with another code than 0, 2, 130 or that of the signal;
- a worker is alive 15 s after its parent has died;
- the second command does not succeed, or anything in the store then differs from what the command
  makes without trouble: weights, optimisers, scalars, pictures, measurements, sets, packs;
- a temporary file or a half-made folder is left after it.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACES = ("seconds", "images_per_s")
BY_CHANCE = ("tune", "ladder")  # their settings or lengths vary: only what is the same twice counts
SHIM = Path(__file__).with_name("interrupted.c")
ERRORS = {"no space": 28, "no right": 13, "input/output error": 5}
PATIENCE_S, ORPHAN_S, OLD_S = 300, 15, 2 * 24 * 3600
NET = "model=DCGAN(width=4,z_dim=8,size=32)"
FACES = "data=Faces(n=80,size=32,held_out=0.5)"
TINY = ("epochs=4", "batch=8", "threads=1", "device=cpu", "precision=fp32", "compile=false")
TINY += ("sample_every_epochs=2", "keep_every_epochs=2")
MEASURED = ("-n", "16", "--extractor", "pixels", "--no-attributes")
SDPC = ("model=SDPC([Layer(8,kernel=8,stride=4,padding=2,threshold=0.5)],size=32)", "batch=8")
CUT = "model=CUT(4,1,32,width_D=4,halvings=2,taps=[rgb,down1],features=8)"
PAIR = "data=TwoSets(Faces(n=12,size=32,style=adventurer),Faces(n=9,size=32))"
FLOW = "model=Flow(width=8,levels=2,size=32)"

WORK: dict[str, Sequence[str]] = {
    "train": ("train", "dcgan64-tiny", "--name", "new", "--set", FACES, NET, *TINY, "seed=5"),
    "train EMA": (
        *("train", "dcgan64-tiny", "--name", "new", "--set", FACES, NET, *TINY),
        *("ema_half_life=30", "interventions=[InstanceNoise(0.1)]"),
    ),
    "train on an import": (
        *("train", "dcgan64-tiny", "--name", "new", "--set", "data=Imported(own,32)", NET, *TINY),
    ),
    "train CUT": (
        *("train", "cut-light", "--name", "new", "--set", CUT, PAIR, "epochs=2", "patches=16"),
        *("threads=1", "device=cpu", "augment=[]", "keep_every_epochs=1"),
    ),
    "fork": ("fork", "gan", "--at-epoch", "2", "--set", "lr_D=1e-4", "--name", "new"),
    "resume": ("resume", "gan", "--epochs", "6"),
    "sdpc fit": ("sdpc", "fit", "faces", "--name", "new", "--set", *SDPC, "epochs=3", FACES),
    "import": ("data", "import", "pictures", "--name", "new", "--size", "32"),
    "import again": ("data", "import", "others", "--name", "own", "--size", "32", "--replace"),
    "evaluate": ("evaluate", "other", *MEASURED),
    "pack": ("pack", "small.py", "-o", "new.tar.xz"),
    "unpack": ("--runs", "fresh", "unpack", "small.tar.xz"),
    "generate": ("generate", "gan", "-n", "40", "-o", "drawn"),
    "export": ("export", "gan", "-o", "new.pt"),
    "run": ("run", "late.py", "--jobs", "2"),
    "tune": ("tune", "search.py", "--trials", "3", "--workers", "1"),
    "ladder": (
        *(
            "ladder",
            "dcgan64-tiny",
            "dcgan64-light",
            "--data",
            "Faces(n=80,size=64)",
            "--minutes",
            "0.2",
        ),
        *("--seeds", "0", "-n", "16", "--no-attributes", "--name", "small-ladder"),
    ),
}
OF_FAULTS = ("train", "train on an import", "fork", "resume", "import", "import again")
OF_FAULTS += ("evaluate", "pack", "unpack", "generate", "export", "sdpc fit")


# the store


def make_base(base: Path) -> None:
    """The store that is troubled; also the names of the modules that the commands need."""
    import bad_input

    base.mkdir(parents=True)
    os.chdir(base)
    bad_input.make_base(base)
    shutil.copytree("pictures", "others")
    for path in sorted(Path("others").iterdir())[:4]:
        path.unlink()
    late = bad_input.EXPERIMENT.replace('name="small"', 'name="late"')
    Path("late.py").write_text(late.replace("lr_D=1e-4", "lr_D=2e-4"))
    shutil.rmtree("runs/tuning", ignore_errors=True)
    names = sorted(name for name in sys.modules if name.partition(".")[0] == "bascule")
    Path("modules.txt").write_text("\n".join(names))


def finger(place: Path) -> dict[str, str]:
    """What the commands made in ``place``, by path without dates: digests of the contents."""
    found = {}
    for path in sorted(p for p in place.rglob("*") if p.is_file()):
        told = path.relative_to(place).as_posix()
        parts = [p.partition("-")[2] if p[:8].isdecimal() else p for p in path.parts]
        name = "/".join(parts[len(place.parts) :])
        if path.name.startswith(".") or told.startswith(("state", "data/features", "modules")):
            continue
        if content := _content(path):
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _content(path: Path) -> bytes | None:
    """What must be equal in a file; None for times, paces and the machine's journals."""
    if path.suffix == ".pt":
        return _plain(_loaded(path)).encode()
    if path.name == "metrics.json":
        kept = json.loads(path.read_text())["evaluations"]
        return json.dumps([e["values"] for e in kept], sort_keys=True).encode()
    if path.name == "about.json":
        return json.dumps({**json.loads(path.read_text()), "made": 0}, sort_keys=True).encode()
    if path.parent.name == "looks":
        return repr([look["seeds"] for look in json.loads(path.read_text())["looks"]]).encode()
    if path.name in ("run.json", "status.json", "paces.json") or path.suffix == ".log":
        return None
    if path.suffix in (".html", ".md") or "notes" in path.parts or "figures" in path.parts:
        return b"there"  # they tell paces and dates
    if path.name == "scalars.jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return _plain([{k: v for k, v in row.items() if k not in PACES} for row in rows]).encode()
    if path.suffix in (".db", ".journal", ".sqlite3") or "tuning" in path.parts:
        return None
    if path.suffix == ".xz":
        return _packed(path)
    return path.read_bytes()


def _packed(path: Path) -> bytes:
    import tarfile

    with tarfile.open(path) as archive:
        told = [(m.name, m.size) for m in archive if not m.name.endswith(("run.json", ".md"))]
    return json.dumps(told).encode()


def _loaded(path: Path) -> Any:
    import torch

    return torch.load(path, weights_only=True)


def _plain(value: Any) -> str:
    """A text of nested containers and tensors that differs if any value does."""
    import torch

    if isinstance(value, torch.Tensor):
        data = value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return f"{value.dtype}{tuple(value.shape)}{hashlib.sha256(data).hexdigest()}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k!r}:{_plain(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_plain, value)) + "]"
    return repr(value)


def leftovers(place: Path) -> list[str]:
    hidden = (p for p in place.rglob(".*") if p.name.endswith(".partial") or p.is_dir())
    return [path.relative_to(place).as_posix() for path in hidden]


def grow_old(place: Path) -> None:
    """Hidden files and folders look as if the process that left them had died two days ago."""
    old = time.time() - OLD_S
    for path in (*place.rglob(".*"), *place.rglob(".*/*")):
        os.utime(path, (old, old))


def fresh(base: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place, symlinks=True)


# one command


def _call(words: Sequence[str], place: Path, said: Path, fault: tuple[int, int] | None) -> None:
    """In a child: run the command with its output in a file. ``fault``: which call, which error."""
    os.setsid()
    os.chdir(place)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with said.open("wb", 0) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    from bascule.__main__ import main

    sys.argv = ["bascule", *words]
    if fault:
        shim().arm(str(place).encode(), *fault)
    try:
        code = main()
    except SystemExit as end:  # argparse
        code = end.code if isinstance(end.code, int) else 2
    finally:
        if fault:
            count = shim().disarm()
            said.with_suffix(".calls").write_text(str(count))
    sys.stdout.flush()
    os._exit(code)


def shim() -> Any:
    return ctypes.CDLL(None)


def begin(words: Sequence[str], place: Path, said: Path, fault: tuple[int, int] | None = None):
    child = multiprocessing.get_context("fork").Process(
        target=_call, args=(words, place, said, fault)
    )
    child.start()
    return child


@dataclass(frozen=True)
class Trial:
    work: str
    trouble: str
    wrong: str
    said: str

    def __str__(self) -> str:
        return f"{self.wrong}: {self.work}; {self.trouble}\n{self.said}"


def outcome(said: str, code: int | None, allowed: Sequence[int]) -> str:
    """What is wrong with how a troubled command ended."""
    if code is None:
        return "no end"
    if code not in allowed:
        return f"exit code {code}"
    if "Traceback" in said:
        return "a traceback"
    lines = [line for line in said.splitlines() if "bascule: " in line]
    if code == 2 and len(lines) != 1:
        return f"a refusal in {len(lines)} lines"
    return ""


def again(work: str, place: Path, said: Path, wanted: Mapping[str, str]) -> str:
    """Give the command again; returns what is wrong with it or with the store after it."""
    grow_old(place)
    child = begin(WORK[work], place, said)
    child.join(PATIENCE_S)
    if child.exitcode != 0:
        child.kill()
        return f"the second time: exit code {child.exitcode}"
    have = finger(place)
    asked = wanted if work in BY_CHANCE else {*wanted, *have}
    if differ := [p for p in sorted(asked) if wanted.get(p) != have.get(p)]:
        return f"differs: {', '.join(differ[:3])}"
    if left := leftovers(place):
        return f"left behind: {', '.join(left[:3])}"
    return ""


def alive(place: Path) -> list[int]:
    """The processes whose command line or working folder is in ``place``."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
            inside = os.readlink(entry / "cwd").startswith(str(place))
        except OSError:
            continue
        if words and (str(place).encode() in words or inside) and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


# both kinds of trouble


class Bench:
    def __init__(self, base: Path, made: Path, only: str, names: Sequence[str]) -> None:
        self.base, self.place, self.said = base, made / "trial", made / "said.txt"
        self.works = [name for name in names if only in name]
        self.wanted: dict[str, dict[str, str]] = {}
        self.took: dict[str, float] = {}
        self.told: Counter[str] = Counter()
        self.bad = 0
        for work in self.works:
            begun = time.monotonic()
            first, second = self._reference(work), self._reference(work)
            self.took[work] = (time.monotonic() - begun) / 2
            if work in BY_CHANCE:
                first = {p: s for p, s in first.items() if second.get(p) == s}
            elif first != second:
                differ = [p for p in first if first[p] != second.get(p)]
                sys.exit(f"{work} is not the same twice: {differ[:5]}")
            self.wanted[work] = first
            print(f"{work}: {len(first)} files, {self.took[work]:.1f} s", file=sys.stderr)

    def _reference(self, work: str) -> dict[str, str]:
        fresh(self.base, self.place)
        child = begin(WORK[work], self.place, self.said)
        child.join(PATIENCE_S)
        if child.exitcode:
            sys.exit(f"{work}: exit code {child.exitcode}\n{self.said.read_text()}")
        return finger(self.place)

    def note(self, trial: Trial, number: int) -> None:
        self.told[trial.wrong.partition(":")[0] or "good"] += 1
        if trial.wrong:
            self.bad += 1
            print(f"--- {number}: {trial}", flush=True)
        if number % 25 == 24:
            print(f"{number + 1} trials, {self.bad} bad", file=sys.stderr, flush=True)

    def kill(self, draw: random.Random) -> Trial:
        work = draw.choice(self.works)
        number = draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        whole_group = draw.random() < 0.5
        after = draw.uniform(0, self.took[work])
        trouble = f"{number.name} after {after:.2f} s{' to all' if whole_group else ''}"
        fresh(self.base, self.place)
        child = begin(WORK[work], self.place, self.said)
        child.join(after)
        if child.is_alive():
            try:
                (os.killpg if whole_group else os.kill)(child.pid, number)
            except ProcessLookupError:  # it has not made its group yet, or has ended
                os.kill(child.pid, number)
        child.join(PATIENCE_S)
        said = self.said.read_text(errors="replace")
        allowed = (0, 2, 130, 143, -number)
        wrong = outcome(said, child.exitcode, allowed)
        end = time.monotonic() + ORPHAN_S
        while (left := alive(self.place)) and time.monotonic() < end:
            time.sleep(0.1)
        for process in left:
            os.kill(process, signal.SIGKILL)
        if left:
            wrong = wrong or f"{len(left)} orphans"
        wrong = wrong or again(work, self.place, self.said, self.wanted[work])
        return Trial(work, trouble, wrong, said + "\n" + self.said.read_text(errors="replace"))

    def calls(self, work: str) -> int:
        """How many calls of the system write under the store in this command."""
        fresh(self.base, self.place)
        begin(WORK[work], self.place, self.said, (0, 0)).join(PATIENCE_S)
        return int(self.said.with_suffix(".calls").read_text())

    def fail(self, work: str, call: int, error: str) -> Trial:
        fresh(self.base, self.place)
        child = begin(WORK[work], self.place, self.said, (call, ERRORS[error]))
        child.join(PATIENCE_S)
        said = self.said.read_text(errors="replace")
        wrong = outcome(said, child.exitcode, (0, 2))
        wrong = wrong or again(work, self.place, self.said, self.wanted[work])
        told = said + "\n" + self.said.read_text(errors="replace")
        return Trial(work, f"{error} at call {call}", wrong, told)


def kills(bench: Bench, n: int, seed: int) -> int:
    for k in range(n):
        bench.note(bench.kill(random.Random(f"{seed} {k}")), k)
    return n


def faults(bench: Bench, every: int, seed: int) -> int:
    done = 0
    for work in bench.works:
        total = bench.calls(work)
        print(f"{work}: {total} calls", file=sys.stderr, flush=True)
        for call in range(1 + seed % every, total + 1, every):
            error = list(ERRORS)[(call + seed) % len(ERRORS)]
            bench.note(bench.fail(work, call, error), done)
            done += 1
    return done


def preloaded(arguments: Sequence[str], folder: Path) -> None:
    """Start this program again with the calls of the system in our hands, if they are not yet."""
    if os.environ.get("LD_PRELOAD", "").endswith("interrupted.so"):
        return
    library = folder / "interrupted.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    sys.exit(subprocess.run([sys.executable, *arguments], env=environment).returncode)


def main_() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("trouble", choices=("kills", "faults"))
    arguments.add_argument("-n", type=int, default=300, help="kills")
    arguments.add_argument("--every", type=int, default=1, help="of the calls that fail")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", default="", help="part of the name of a command")
    arguments.add_argument("--base", type=Path, help="the store, made if it is not there")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        if args.trouble == "faults":
            preloaded(sys.argv, folder)
        base = (args.base or folder / "base").resolve()
        os.environ |= {"BASCULE_DATA": "data", "BASCULE_STATE": "state", "OMP_NUM_THREADS": "1"}
        if not base.exists():
            child = multiprocessing.get_context("spawn").Process(target=make_base, args=(base,))
            child.start()
            child.join()
            if child.exitcode:
                return 1
        for name in (base / "modules.txt").read_text().split():
            importlib.import_module(name)
        names = list(WORK) if args.trouble == "kills" else OF_FAULTS
        bench = Bench(base, folder, args.only, names)
        if args.trouble == "kills":
            n = kills(bench, args.n, args.seed)
        else:
            n = faults(bench, args.every, args.seed)
        for told, count in bench.told.most_common():
            print(f"{count:6} {told}")
        print(f"{n} trials, {bench.bad} bad")
    return 1 if bench.bad else 0


if __name__ == "__main__":
    sys.exit(main_())

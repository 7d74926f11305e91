"""Processes that start at once, for tests of what they do and not of how they start.

A process needs seconds to load PyTorch. Here one process loads it, and the others are forks of it:
they have loaded libraries, but nothing of the test, neither its patches nor code of the user's. A
test of how workers start is marked ``real_workers``.
"""

import importlib
import multiprocessing
import os
import sys
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
LOADED = ["presets", "cli.experiment", "experiments.measuring", "runs.execute", "runs.own"]
CONTEXT.set_forkserver_preload(["quick_workers", *(f"bascule.{name}" for name in LOADED)])


class Process:
    """``python -m WORDS``, with what tests and schedulers use of :class:`subprocess.Popen`.

    ``words``: a module with a function ``main``, and its arguments. ``errors``: the file for its
    standard error. ``listen``: whether ``stdout`` is a pipe to read; otherwise it is dropped.
    """

    def __init__(self, words: list[str], errors: Path, listen: bool = False) -> None:
        said, says = CONTEXT.Pipe(duplex=False)
        given = (words, str(errors), says if listen else None, os.getcwd(), {**os.environ})
        self._process = CONTEXT.Process(target=_run, args=given)
        self._process.start()
        says.close()
        self.stdout = os.fdopen(os.dup(said.fileno()), encoding="utf-8") if listen else None
        said.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode


def start(launcher, job: Path, errors: Path, threads: int, listen: bool = False) -> Process:
    """In place of ``LocalLauncher.start``."""
    return Process(["bascule.worker", str(job)], errors, listen)


def _run(words: list[str], errors: str, says, folder: str, environment: dict[str, str]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(says.fileno() if says else os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
    sys.path.insert(0, folder)  # as `python -m` does
    sys.argv = words
    try:
        code = importlib.import_module(words[0]).main()
    except SystemExit as end:  # argparse
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

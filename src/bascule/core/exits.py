"""Exit codes of the program's commands, and the one line that an error becomes.

0 done, 2 refused (bad input, full disk, diverged losses), 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from bascule.core.errors import UserError, lacks_memory, of_system
from bascule.core.processes import rank

REFUSED, INTERRUPTED = 2, 130
LAST_S = 5.0  # seconds that other processes of torchrun wait, so that the first one ends first


def exit_code(command: Callable[[], int]) -> int:
    """Run ``command`` and return its exit code.

    An error with a reason outside the program (:class:`bascule.core.errors.UserError`, OSError,
    too little memory) is printed as one line on standard error, and the code is 2. Any other
    exception is a bug and keeps its traceback.
    """
    with _interrupts() as interrupted:
        try:
            return _code_of(command)
        except Exception:
            if interrupted():  # while a module was loaded, which made another error of it
                return _told_interrupted()
            raise


def _code_of(command: Callable[[], int]) -> int:
    try:
        try:
            return command()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # a failed write shows here, and not after the end
    except UserError as error:
        if rank() > 0:  # the first process prints the same line, and torchrun then ends all
            time.sleep(LAST_S)
            return REFUSED
        return _refused(error)
    except KeyboardInterrupt:
        return _told_interrupted()
    except OSError as error:
        _drop_output()
        return _refused(of_system(error))
    except (MemoryError, RuntimeError) as error:
        if str(error).startswith("Symlink loop"):  # of pathlib, before Python 3.13
            return _refused(UserError(f"{error}: a link leads back to itself; give another path"))
        if not lacks_memory(error):
            raise
        return _refused(UserError(f"not enough memory ({error}): give smaller numbers"))


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C has come. It still raises KeyboardInterrupt.

    Where Python can only report that (in a callback, in a finaliser), nothing is printed.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    came: list[int] = []
    report = sys.unraisablehook

    def note(number: int, frame: FrameType | None) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    def tell(unraisable: Any) -> None:
        if not (came and issubclass(unraisable.exc_type, KeyboardInterrupt)):
            report(unraisable)

    signal.signal(signal.SIGINT, note)
    sys.unraisablehook = tell
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = report


def _told_interrupted() -> int:
    with suppress(OSError):
        print("bascule: interrupted", file=sys.stderr, flush=True)
    return INTERRUPTED


def _refused(error: UserError) -> int:
    with suppress(OSError):  # standard error may be full or closed, too
        print(f"bascule: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return REFUSED


def _drop_output() -> None:
    """Drop what standard output can no longer take; else Python fails again at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # tests replace it by one without a file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

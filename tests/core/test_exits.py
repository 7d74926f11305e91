"""How a command ends: its exit code, and the one line that an error becomes."""

import errno
import signal
import subprocess
import sys

import pytest

from bascule.core import exits
from bascule.core.errors import UserError
from bascule.core.exits import exit_code


def failing(error: BaseException):
    def command() -> int:
        raise error

    return command


def test_a_command_gives_its_own_code(capsys):
    assert (exit_code(lambda: 0), exit_code(lambda: 1)) == (0, 1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UserError("epochs=0:\n expected more"), "epochs=0: expected more"),
        (OSError(errno.ENOSPC, "", "runs"), "runs: no space left; free some and try again"),
        (MemoryError("7 TiB"), "not enough memory (7 TiB): give smaller numbers"),
        (
            RuntimeError("Symlink loop from 'a.png'"),  # as pathlib says it
            "Symlink loop from 'a.png': a link leads back to itself; give another path",
        ),
        (KeyboardInterrupt(), "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_from_outside_is_one_line(capsys, error, told):
    code = exit_code(failing(error))
    assert code == (130 if isinstance(error, KeyboardInterrupt) else 2)
    assert capsys.readouterr().err == f"bascule: {told}\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(RuntimeError, match="mat1"):
        exit_code(failing(RuntimeError("mat1 and mat2")))


def test_of_several_processes_only_the_first_one_speaks(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(exits, "LAST_S", 0.0)
    assert exit_code(failing(UserError("no"))) == 2 and not capsys.readouterr().err


def test_ctrl_c_is_one_line_whatever_the_program_makes_of_it(capsys):
    """Modules that load make an ImportError of it; callbacks and finalisers only report it."""

    class Reports:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def loading() -> int:
        Reports()
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as stop:
            raise ImportError("C extensions failed") from stop
        return 0

    before = signal.getsignal(signal.SIGINT)
    assert exit_code(loading) == 130
    assert capsys.readouterr().err == "bascule: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_the_first_moments_is_one_line():
    """A signal that comes before the command line is loaded."""
    script = (
        "import sys, signal\n"
        "class Stop:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'bascule.cli': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stop())\n"
        "from bascule.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "bascule: interrupted\n")

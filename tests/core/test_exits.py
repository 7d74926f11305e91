"""How a command ends: its exit code, and the one line that an error becomes."""

import errno

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

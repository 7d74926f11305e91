"""What the system refuses is one line and exit code 2, whichever verb it meets."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bascule import cli


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300),
        NotADirectoryError(errno.ENOTDIR, "Not a directory", "runs/x"),
        PermissionError(errno.EACCES, "Permission denied", "runs"),
        OSError(errno.ELOOP, "Too many levels of symbolic links", "runs"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        OSError("of no number"),
        MemoryError("Unable to allocate 7.28 TiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
    ids=lambda error: f"{type(error).__name__}-{getattr(error, 'errno', '')}",
)
def test_an_error_from_outside_is_one_line(bascule, monkeypatch, error):
    def fail(arguments):
        raise error

    monkeypatch.setattr(cli, "_done", fail)
    code, _, err = bascule("list")
    assert code == 2 and err.startswith("bascule: ") and err.count("\n") == 1, err


def test_a_bug_keeps_its_traceback(bascule, monkeypatch):
    def fail(arguments):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(cli, "_done", fail)
    with pytest.raises(RuntimeError, match="mat1"):
        bascule("list")


def test_places_that_are_no_place(bascule):
    Path("file").write_text("")
    Path("loop").symlink_to("loop")
    for words, told in (
        (["--runs", "file/x", "train", "dcgan64-tiny"], "a file stands where a folder is expected"),
        (["--runs", "r" * 300, "train", "dcgan64-tiny"], "the name is too long"),
        (["--runs", "loop/x", "train", "dcgan64-tiny"], "the links lead in a circle"),
        (["data", "import", "loop", "--name", "x"], "no such file or folder"),
        (["train", f"{'r' * 300}.json"], "too long"),
    ):
        small = ["--set", "data=Faces(n=40,size=32)", "model.size=32", "batch=8", "device=cpu"]
        code, _, err = bascule(*words, *(small if words[-1] == "dcgan64-tiny" else []))
        assert code == 2 and told in err and err.count("\n") == 1, err


RUN = [sys.executable, "-m", "bascule"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_standard_output_is_told(tmp_path):
    """Both by what is printed at once and by what waits in a buffer till the end."""
    for words in (["--version"], ["data", "list"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [*RUN, *words], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path
            )
        assert done.returncode == 2, done.stderr
        assert done.stderr == "bascule: no space left; free some and try again\n"


def test_a_closed_pipe_is_told(tmp_path):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*RUN, "data", "list"], stdout=theirs, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    os.close(theirs)
    assert done.returncode == 2
    assert done.stderr == "bascule: standard output was closed before everything was written\n"

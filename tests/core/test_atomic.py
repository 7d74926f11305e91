"""A file is whole or absent, whatever happens while it is written."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bascule.core import atomic
from bascule.core.errors import UserError

UNIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX limits and signals")


@pytest.fixture
def path(tmp_path):
    """A file that holds b"old"."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def only_the_old(path) -> bool:
    return path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


def no_space(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("été 完璧\n", "été 完璧\n".encode()),
        ("", b""),
        (b"\x00\xff\r\n", b"\x00\xff\r\n"),
        (lambda path: path.write_bytes(b"by a function"), b"by a function"),
    ],
    ids=["text", "nothing", "bytes", "function"],
)
@pytest.mark.parametrize("name", ["file", "new", "完璧 é.json"])
def test_content_lands_at_the_path_and_nothing_beside_it(path, name, content, expected):
    target = path.with_name(name)
    atomic.write(target, content)
    assert target.read_bytes() == expected
    assert {p.name for p in path.parent.iterdir()} == {"file", name}


@UNIX
def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        "dead": f".a.{gone.pid}.partial",
        "alive": f".a.{os.getpid()}.partial",
        "new": f".b.{gone.pid}.partial",
        "old": f".c.{os.getpid()}.partial",
        "other": "notes.partial",
    }
    ages = {"dead": 120, "alive": 120, "new": 1, "old": 2 * 24 * 3600, "other": 10**6}
    for name, age in ages.items():
        (tmp_path / names[name]).write_bytes(b"half")
        os.utime(tmp_path / names[name], (time.time() - age,) * 2)
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        names[name] for name in ("alive", "new", "other")
    }
    atomic.sweep(tmp_path / "missing")


@UNIX
def test_the_first_file_written_into_a_folder_sweeps_it(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f".pack.{gone.pid}.partial"
    for swept in (True, False):  # a process lists a folder once, however many files it writes
        left.write_bytes(b"half")
        os.utime(left, (time.time() - 120,) * 2)
        atomic.write(tmp_path / "other", "whole")
        assert left.exists() is not swept


@UNIX
def test_nothing_but_a_file_is_replaced(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    kinds = {"pipe": "a device or a pipe", "link": "a link", "dangling": "a link"}
    for name, kind in kinds.items():
        with pytest.raises(UserError, match=f"{name} is {kind}: give the name of"):
            atomic.write(tmp_path / name, b"new")
    with pytest.raises(UserError, match="a device or a pipe"):
        atomic.write(Path("/dev/null"), b"new")
    assert path.read_bytes() == b"old" and (tmp_path / "link").is_symlink()
    assert not (tmp_path / "nothing").exists()


def test_the_old_file_is_there_until_the_new_one_is_complete(path):
    def slow(temporary):
        temporary.write_bytes(b"half")
        assert path.read_bytes() == b"old"
        temporary.write_bytes(b"whole")

    atomic.write(path, slow)
    assert path.read_bytes() == b"whole"


def test_the_file_is_synced_before_the_rename_and_the_folder_after(path, monkeypatch):
    """Otherwise a power cut may leave an empty file under the good name."""
    events = []
    fsync, replace = os.fsync, os.replace

    def spied_fsync(handle):
        events.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    def spied_replace(old, new):
        events.append("rename")
        replace(old, new)

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("needs /proc to name an open file")
    monkeypatch.setattr(os, "fsync", spied_fsync)
    monkeypatch.setattr(os, "replace", spied_replace)
    atomic.write(path, b"new")
    file, rename, folder = events
    assert file.endswith(".partial") and rename == "rename"
    assert folder == str(path.parent)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupted_write_keeps_the_old_file(path, error):
    def broken(temporary):
        temporary.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)) as caught:
        atomic.write(path, broken)
    assert caught.value is error
    assert only_the_old(path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file_and_says_so(path, monkeypatch, call):
    with monkeypatch.context() as patch:
        patch.setattr(os, call, no_space)
        with pytest.raises(
            UserError, match=r"no space left to write .*file: .* is kept"
        ) as refusal:
            atomic.write(path, b"new")
    assert "\n" not in str(refusal.value)
    assert only_the_old(path)
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_fills_up_while_writing(path, number):
    def broken(temporary):
        temporary.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    with pytest.raises(UserError, match="no space left"):
        atomic.write(path, broken)
    assert only_the_old(path)


@UNIX
@pytest.mark.parametrize("writer", ["bytes", "torch.save"])
def test_the_systems_own_limit_while_writing(path, writer):
    """No fake: the kernel refuses the write, and PyTorch wraps that in a RuntimeError."""
    import resource

    def save(temporary):
        with temporary.open("wb") as file:
            torch.save({"weights": torch.zeros(100_000)}, file)

    content = bytes(400_000) if writer == "bytes" else save
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(UserError, match="no space left"):
            atomic.write(path, content)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert only_the_old(path)


def test_another_error_of_the_system_is_not_called_a_full_disk(path, monkeypatch):
    def denied(*args):
        raise PermissionError(errno.EACCES, "denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", denied)
        with pytest.raises(PermissionError):
            atomic.write(path, b"new")
    assert only_the_old(path)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic.write(tmp_path / "absent" / "file", b"new")


def chained(cause: BaseException | None, context: BaseException | None) -> RuntimeError:
    error = RuntimeError("write failed")
    error.__cause__, error.__context__ = cause, context
    return error


FULL = OSError(errno.ENOSPC, "")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FULL, True),
        (chained(FULL, None), True),
        (chained(None, FULL), True),
        (chained(chained(None, FULL), None), True),
        (RuntimeError("[enforce fail] No space left on device"), True),
        (RuntimeError("write failed"), False),
        (OSError(errno.EACCES, "denied"), False),
        (chained(OSError(errno.EACCES, "denied"), None), False),
        (None, False),
    ],
)
def test_disk_is_full(error, expected):
    assert atomic.disk_is_full(error) is expected


def test_pytorch_s_error_for_a_failed_write_is_that_of_the_system(path):
    """It makes a RuntimeError of it: unexpected pos 64 vs 0."""

    class Broken(io.BytesIO):
        def write(self, content):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError) as refusal:
        atomic.write(path, lambda to: torch.save({"w": torch.zeros(3)}, Broken()))
    assert (refusal.value.errno, refusal.value.filename) == (errno.EIO, str(path))
    assert only_the_old(path)


WRITER = """
import sys
from pathlib import Path
from bascule.core import atomic
for k in range(10**9):
    atomic.write(Path(sys.argv[1]), bytes([k % 256]) * 200_000)
"""


@UNIX
@pytest.mark.parametrize("after_s", [0.0, 0.003, 0.017])
def test_kill_9_never_leaves_a_torn_file(path, after_s):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) as worker:
        try:
            deadline = time.monotonic() + 30
            while path.read_bytes() == b"old" and time.monotonic() < deadline:
                assert worker.poll() is None
            time.sleep(after_s)
        finally:
            worker.send_signal(signal.SIGKILL)
    assert worker.returncode == -signal.SIGKILL
    left = path.read_bytes()
    assert len(left) == 200_000 and len(set(left)) == 1
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"

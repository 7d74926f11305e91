"""Errors of the user's making, as one clear line each."""

import difflib
import errno
from collections.abc import Iterable

OF_SYSTEM = {  # error numbers of the system, as sentences that say what to do
    errno.ENOENT: "there is no such file or folder",
    errno.EEXIST: "something with that name exists already; give another name",
    errno.ENOTDIR: "a file stands where a folder is expected; give another place, or move the file",
    errno.EISDIR: "this is a folder; give a file",
    errno.EACCES: "you may not read or write here; give another place, or change the permissions",
    errno.EPERM: "you may not read or write here; give another place, or change the permissions",
    errno.EROFS: "the file system is read-only; give another place",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.ELOOP: "the links lead in a circle; give another place",
    errno.ENOSPC: "no space left; free some and try again",
    errno.EDQUOT: "your disk quota is used up; free some space and try again",
    errno.EFBIG: "the file is larger than this file system allows; give another place",
    errno.EMFILE: "too many open files; allow more (ulimit -n)",
    errno.ENFILE: "too many open files on this machine; close some programs",
    errno.EIO: "the disk or the network failed to read or write; try again, and check the disk",
    errno.ESTALE: "the network folder has changed; try again",
    errno.EPIPE: "standard output was closed before everything was written",
}

STRUCTURE = (  # of these, a damaged or foreign folder is the cause
    *(errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL),
)


class UserError(Exception):
    """One clear line for the user: what was given, what was expected, what to do.

    The command line prints it without a traceback and exits with code 2.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the line alone."""
        return [f"bascule: {self}"]


class InUse(UserError):
    """Another process is working on the same run, file or folder."""


def unknown(kind: str, given: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the most similar one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return UserError(f"unknown {kind} {given!r}: {hint}known: {', '.join(names) or 'none'}")


def of_system(error: OSError) -> UserError:
    """The error of the operating system as a :class:`UserError`: which file, and what to do."""
    places = [str(name) for name in (error.filename, error.filename2) if name is not None]
    told = OF_SYSTEM.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
    return UserError(": ".join([" to ".join(places), told] if places else [told]))


def unreadable(what: str, error: Exception, remedy: str) -> UserError:
    """The error for a damaged file. ``what``: kind and path. ``remedy``: what to do about damage.

    Where the system refuses (no right, a failing disk), it says that instead, since the file may be
    whole.
    """
    if isinstance(error, OSError) and error.errno and error.errno not in STRUCTURE:
        return UserError(f"cannot read {what}: {OF_SYSTEM.get(error.errno) or error.strerror}")
    told = getattr(error, "strerror", None) or str(error).partition("\n")[0][:200]
    return UserError(f"cannot read {what} ({told or type(error).__name__}): {remedy}")


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or PyTorch reports that memory ran out."""
    named = type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError)
    return named or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))

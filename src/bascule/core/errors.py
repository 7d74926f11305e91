"""What the program says when it cannot do what was asked."""

import difflib
import errno
from collections.abc import Iterable

OF_SYSTEM = {  # what the system says, in words that say what to do
    errno.ENOENT: "there is no such file or folder",
    errno.EEXIST: "there is something of that name already; give another",
    errno.ENOTDIR: "a file stands where a folder is expected; give another place, or move the file",
    errno.EISDIR: "this is a folder; give a file",
    errno.EACCES: "no right to read or write here; give another place, or change its rights",
    errno.EPERM: "no right to read or write here; give another place, or change its rights",
    errno.EROFS: "nothing can be written here; give another place",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.ELOOP: "links that lead in a circle; give another place",
    errno.ENOSPC: "no space left; free some and do it again",
    errno.EDQUOT: "no space left for you; free some and do it again",
    errno.EFBIG: "larger than a file may be here; give another place",
    errno.EMFILE: "too many open files; allow more (ulimit -n)",
    errno.ENFILE: "too many open files on this machine; close some programs",
    errno.EPIPE: "standard output was closed before all was written",
}


class UserError(Exception):
    """One clear line for the user: what was given, what was expected, what to do.

    The command line prints it without a traceback and exits with code 2.
    """


class InUse(UserError):
    """Another process works on the very thing."""


def unknown(kind: str, given: str, known: Iterable[str]) -> UserError:
    """The refusal of a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return UserError(f"unknown {kind} {given!r}: {hint}known: {', '.join(names) or 'none'}")


def of_system(error: OSError) -> UserError:
    """The refusal that stands for an error of the system: where it was, and what to do."""
    places = [str(name) for name in (error.filename, error.filename2) if name is not None]
    told = OF_SYSTEM.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
    return UserError(": ".join([" to ".join(places), told] if places else [told]))


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or PyTorch says that there is not enough memory."""
    named = type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError)
    return named or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))

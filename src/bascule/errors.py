"""What the program says when it cannot do what was asked."""

import difflib
from collections.abc import Iterable


class Refusal(Exception):
    """One clear line for the user: what was given, what was expected, what to do.

    The command line prints it without a traceback and exits with code 2.
    """


class InUse(Refusal):
    """Another process works on the very thing."""


def unknown(kind: str, given: str, known: Iterable[str]) -> Refusal:
    """The refusal of a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return Refusal(f"unknown {kind} {given!r}: {hint}known: {', '.join(names) or 'none'}")

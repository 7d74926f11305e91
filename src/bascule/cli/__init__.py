"""The command line: verbs, one line for every refusal, and exit codes.

0 done, 2 refused (bad input, full disk, diverged losses), 130 interrupted (go on with resume).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from bascule import __version__
from bascule.cli.verbs import Parser
from bascule.core.errors import UserError, lacks_memory, of_system
from bascule.core.processes import processes, rank

TRUSTING = (  # verbs that may execute code of a run or a recipe
    *("run", "tune", "train", "resume", "fork", "ladder"),
    *("evaluate", "generate", "draw", "translate", "export", "sdpc"),
)
SHARED = ("train", "resume", "fork")  # verbs that torchrun may start


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from bascule.cli import (
        data,
        draw,
        evaluate,
        experiment,
        generate,
        inspect,
        lists,
        remove,
        train,
    )
    from bascule.ladder import cli as ladder
    from bascule.sdpc import cli as sdpc
    from bascule.theory import cli as theorise
    from bascule.translation import cli as translate
    from bascule.tuning import cli as tune

    top = Parser(
        prog="bascule",
        description="Change one rule of the adversarial game, and read an honest verdict.",
    )
    top.add_argument("--version", action="version", version=f"bascule {__version__}")
    top.add_argument(
        "--runs",
        type=Path,
        default=Path(os.environ.get("BASCULE_RUNS", "runs")),
        metavar="DIR",
        help="where runs are kept (default: $BASCULE_RUNS, or ./runs)",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    experiment.add(verbs)
    ladder.add(verbs)
    tune.add(verbs)
    train.add(verbs)
    inspect.add(verbs)
    remove.add(verbs)
    evaluate.add(verbs)
    generate.add(verbs)
    translate.add(verbs)
    draw.add(verbs)
    sdpc.add(verbs)
    theorise.add(verbs)
    data.add(verbs)
    lists.add(verbs)
    for name in TRUSTING:
        _add_trust(verbs.choices[name])
    return top


def _add_trust(verb: argparse.ArgumentParser) -> None:
    for action in verb._actions:
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                _add_trust(part)
            return
    told = "allow the Python code that a run or a recipe brings from elsewhere"
    verb.add_argument("--trust", action="store_true", help=told)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code.

    What goes wrong for a reason outside the program, an OSError or too little memory, is one line
    and 2, as a refusal is. Any other exception is a bug, and keeps its traceback.
    """
    try:
        try:
            return _done(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # what cannot be written is seen here, not after the end
    except UserError as refusal:
        if rank() > 0:  # the first process says the same, and torchrun ends all when one ends
            time.sleep(5)
            return 2
        return _refused(refusal)
    except KeyboardInterrupt:
        print("bascule: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        _forget_output()
        return _refused(of_system(error))
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        return _refused(UserError(f"not enough memory ({error}): give smaller numbers"))


def _done(arguments: list[str] | None) -> int:
    args = parser().parse_args(arguments)
    if getattr(args, "trust", False):
        from bascule.core import trust

        trust.allow()
    if processes() > 1 and args.verb not in SHARED:
        raise UserError(f"torchrun with `bascule {args.verb}`: expected {', '.join(SHARED)}")
    code: int = args.do(args)
    return code


def _refused(refusal: UserError) -> int:
    with suppress(OSError):  # standard error may be full or closed, too
        print(f"bascule: {' '.join(str(refusal).split())}", file=sys.stderr, flush=True)
    return 2


def _forget_output() -> None:
    """Where standard output takes no more, drop what is left for it: Python would fail again."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # tests replace it by one without a file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

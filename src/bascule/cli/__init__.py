"""The command line: verbs, one line for every refusal, and exit codes.

0 done, 2 refused (bad input, full disk, diverged losses), 130 interrupted (go on with resume).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from bascule import __version__
from bascule.errors import Refusal
from bascule.processes import processes, rank

SHARED = ("train", "resume", "fork")  # verbs that torchrun may start


class _Parser(argparse.ArgumentParser):
    """A ``help`` may be a function, asked when help is shown: what it tells may be slow to load."""

    def add_argument(self, *names: Any, **words: Any) -> argparse.Action:
        told = words.get("help")
        if not callable(told):
            return super().add_argument(*names, **words)
        action = super().add_argument(*names, **{**words, "help": ""})
        action.help = told
        return action

    def format_help(self) -> str:
        for action in self._actions:
            if callable(action.help):
                action.help = action.help()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from bascule.cli import (
        data,
        draw,
        experiment,
        ladder,
        look,
        measure,
        play,
        sdpc,
        theorise,
        translate,
        tune,
    )

    top = _Parser(
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
    play.add(verbs)
    look.add(verbs)
    measure.add(verbs)
    translate.add(verbs)
    draw.add(verbs)
    sdpc.add(verbs)
    theorise.add(verbs)
    data.add(verbs)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        args = parser().parse_args(arguments)
        if processes() > 1 and args.verb not in SHARED:
            raise Refusal(f"torchrun with `bascule {args.verb}`: expected {', '.join(SHARED)}")
        return args.do(args)
    except Refusal as refusal:
        if rank() > 0:  # the first process says the same, and torchrun ends all when one ends
            time.sleep(5)
            return 2
        print(f"bascule: {' '.join(str(refusal).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bascule: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0

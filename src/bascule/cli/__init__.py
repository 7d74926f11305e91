# PYTHON_ARGCOMPLETE_OK
"""The command line: verbs, one line for every error, and exit codes.

0 done, 2 refused (bad input, full disk, diverged losses), 130 interrupted (go on with resume).
"""

from __future__ import annotations

import os
from pathlib import Path

from bascule import __version__
from bascule.cli.arguments import add_trust
from bascule.cli.verbs import Parser
from bascule.core.errors import UserError
from bascule.core.exits import exit_code
from bascule.core.processes import processes

GROUPS = {
    "experiments": (
        *("plan", "register", "run", "report", "experiments", "predictions", "pack", "unpack"),
    ),
    "training a single run": ("train", "resume", "fork", "presets", "interventions"),
    "learning": ("show",),
    "looking at runs": ("board", "list", "check", "compare", "rename", "rm", "gc"),
    "measuring": ("evaluate", "ladder", "tune", "theory"),
    "drawing and exporting": ("generate", "draw", "translate", "sdpc", "export", "publish"),
    "image sets": ("data",),
    "the shell": ("completion",),
}
TRUSTING = (  # verbs that may execute code of a run or a recipe
    *("plan", "run", "tune", "train", "resume", "fork", "ladder", "board"),
    *("evaluate", "generate", "draw", "translate", "export", "publish", "sdpc"),
)
SHARED = ("train", "resume", "fork")  # verbs that torchrun may start


def parser() -> Parser:
    """The whole command line."""
    from bascule.board import cli as board
    from bascule.cli import (
        completion,
        data,
        draw,
        evaluate,
        experiment,
        generate,
        inspect,
        lists,
        plan,
        remove,
        train,
    )
    from bascule.export import cli as export
    from bascule.ladder import cli as ladder
    from bascule.lessons import cli as lessons
    from bascule.sdpc import cli as sdpc
    from bascule.theory import cli as theory
    from bascule.translation import cli as translation
    from bascule.tuning import cli as tuning

    top = Parser(
        prog="bascule",
        usage="bascule [--runs DIR] VERB ...",
        description="Change one rule of a GAN's training, and test what the change does.",
        groups=GROUPS,
        examples=[
            "bascule run perfect-g --quick --open",
            "bascule train dcgan64-light --set epochs=100",
            "bascule VERB --help",
        ],
    )
    top.add_argument("--version", action="version", version=f"bascule {__version__}")
    top.add_argument(
        "--runs",
        type=Path,
        default=Path(os.environ.get("BASCULE_RUNS", "runs")),
        metavar="DIR",
        help="folder of all runs (default: $BASCULE_RUNS, or ./runs)",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB", prog="bascule")
    for part in (experiment, plan, train, inspect, remove, board, evaluate, ladder, tuning, theory):
        part.add(verbs)
    for part in (generate, draw, translation, export, sdpc, data, lists, lessons, completion):
        part.add(verbs)
    for name in TRUSTING:
        add_trust(verbs.choices[name])
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    return exit_code(lambda: _done(arguments))


def _done(arguments: list[str] | None) -> int:
    top = parser()
    if "_ARGCOMPLETE" in os.environ:
        from bascule.cli import completion

        completion.answer(top)
    args = top.parse_args(arguments)
    if getattr(args, "trust", False):
        from bascule.core import trust

        trust.allow()
    if processes() > 1 and args.verb not in SHARED:
        raise UserError(f"torchrun with `bascule {args.verb}`: expected {', '.join(SHARED)}")
    code: int = args.do(args)
    return code

"""Arguments that many verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

from bascule.cli import completion
from bascule.cli.numbers import a_seed, an_epoch
from bascule.cli.verbs import Parser


def add_run(verb: Parser) -> None:
    """Add the run that the verb is about."""
    verb.add_argument(
        "run", help="the run's id, a part of it, or its folder", completer=completion.runs
    )


def add_epoch(verb: Parser) -> None:
    """Add ``--epoch``."""
    verb.add_argument(
        "--epoch",
        type=an_epoch,
        metavar="E",
        help="use the checkpoint after E epochs (default: the newest)",
    )


def add_seed(verb: Parser, of: str = "the latents") -> None:
    """Add ``--seed``."""
    verb.add_argument(
        "--seed", type=a_seed, default=0, metavar="S", help=f"seed of {of} (default: 0)"
    )


def add_output(verb: Parser, metavar: str, told: str, required: bool = False) -> None:
    """Add ``-o``, a file or a folder to write."""
    verb.add_argument("-o", "--output", type=Path, metavar=metavar, required=required, help=told)


def add_trust(verb: argparse.ArgumentParser) -> None:
    """Add ``--trust`` to a verb, or to all of its parts."""
    for action in verb._actions:
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                add_trust(part)
            return
    verb.add_argument(
        "--trust",
        action="store_true",
        help="run Python code that a run or a recipe brings from elsewhere",
    )

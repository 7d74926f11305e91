"""The parser of the command line and of its verbs."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn, TypeAlias


class Parser(argparse.ArgumentParser):
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

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:
            print(message, end="")  # argparse would be silent where that fails
        else:
            super()._print_message(message, file)


Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"  # what a verb is added to

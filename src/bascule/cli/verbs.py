"""The parser of the command line and of its verbs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias


class Parser(argparse.ArgumentParser):
    """An argparse parser whose help ends with examples.

    ``examples``: whole command lines. ``groups``: headings, and the verbs under each of them.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        groups: Mapping[str, Sequence[str]] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.examples, self.groups = tuple(examples), dict(groups or {})

    def add_argument(self, *names: Any, completer: Any = None, **more: Any) -> argparse.Action:
        """``completer``: what completes the argument in a shell (:mod:`bascule.cli.completion`)."""
        action = super().add_argument(*names, **more)
        if completer:
            action.completer = completer  # type: ignore[attr-defined]  # argcomplete reads it
        return action

    def format_help(self) -> str:
        told = self._grouped() if self.groups else super().format_help()
        examples = "".join(f"  {example}\n" for example in self.examples)
        return f"{told}\nexamples:\n{examples}" if examples else told

    def _grouped(self) -> str:
        """The help of a parser with verbs, which stand under their headings."""
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        verbs = {verb.dest: verb for verb in verbs_of(self)._get_subactions()}
        for heading, names in self.groups.items():
            formatter.start_section(heading)
            formatter.add_arguments(verbs[name] for name in names)
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments(self._optionals._group_actions)
        formatter.end_section()
        return formatter.format_help()

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:
            print(message, end="")  # argparse would be silent where that fails
        else:
            super()._print_message(message, file)


Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"  # what a verb is added to


def verbs_of(parser: argparse.ArgumentParser) -> Verbs:
    """The verbs of a parser that has some."""
    return next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))


def all_verbs(parser: Parser) -> list[Parser]:
    """The parsers of all verbs, and of their parts."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                found += [verb, *all_verbs(verb)]
    return found

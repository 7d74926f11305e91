"""Fork from here: the same past, then a rule that a person chose in a form.

The form is made of the rules' own fields. What it asks for is written as the command line that does
the same (:func:`command`), and made by the same functions (:mod:`bascule.runs.fork`), so a fork
that was started by clicks equals that of the command, bit for bit.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bascule.board.board import Board, json_object, post
from bascule.core.errors import UserError, unknown
from bascule.runs.store import Run

TAB = None  # it is a part of the game page
SHORT = ("at_epoch", "from_epoch")  # fields that begin at the moment of the fork


@dataclass(frozen=True)
class Asked:
    """A fork that a person asks for.

    rule    the name of an intervention, or "" for none
    fields  its fields as texts; those with their default may be missing
    epochs  after the branch; None: as many as the parent has left
    name    of the fork; "" for the usual one
    """

    run: str
    at_epoch: int
    rule: str = ""
    fields: Mapping[str, str] | None = None
    epochs: int | None = None
    name: str = ""

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Asked:
        """From JSON. Raises :class:`UserError` for a wrong type."""
        names = cls.__dataclass_fields__
        if not {"run", "at_epoch"} <= told.keys() or not isinstance(told.get("fields", {}), dict):
            raise UserError("expected run, at_epoch, and fields as an object")
        asked = cls(**{name: told[name] for name in names if name in told})
        texts = (asked.run, asked.rule, asked.name, *(asked.fields or {}).values())
        numbers = (asked.at_epoch, *([] if asked.epochs is None else [asked.epochs]))
        if not all(isinstance(text, str) for text in texts):
            raise UserError("expected texts for run, rule, name and fields")
        if not all(type(n) is int and 0 < n < 10**6 for n in numbers):
            raise UserError("expected at_epoch and epochs as whole numbers above 0")
        return asked

    @property
    def changes(self) -> list[str]:
        """The intervention as a call, with only what differs from its defaults."""
        return [_call(self.rule, self.fields or {})] if self.rule else []


def routes(board: Board) -> list[BaseRoute]:
    """The URLs of this page."""

    def rules(request: Request) -> Response:
        return JSONResponse({"rules": known_rules(), "begin": SHORT})

    def plan(request: Request) -> Response:
        asked = Asked.parse(json_object(request.query_params.get("asked", "")))
        run = board.run(asked.run)
        try:
            check(run, asked)
        except UserError as refusal:
            return JSONResponse({"command": "", "problem": str(refusal)})
        return JSONResponse({"command": command(board, asked), "problem": ""})

    def start(told: dict[str, Any]) -> dict[str, str]:
        asked = Asked.parse(told)
        parent = board.run(asked.run)
        check(parent, asked)
        made = make(board, parent, asked)
        if made.status["state"] not in ("finished", "running"):
            board.workers.start(made)
        return {"run": made.id}

    return [
        Route("/fork/rules", rules),
        Route("/fork/plan", plan),
        post("/do/fork", start),
    ]


def known_rules() -> list[dict[str, Any]]:
    """The interventions with their fields, for a form; those that hold others are left out."""
    from bascule.core.described import described
    from bascule.experiments.files import first_sentence
    from bascule.interventions.known import known_interventions

    found = []
    for kind in known_interventions():
        fields = [asdict(each) for each in described(kind)]
        doc = inspect.getdoc(kind) or ""
        if not any("Intervention" in each["type"] for each in fields):
            told = {"name": kind.__name__, "summary": first_sentence(doc), "doc": doc}
            found.append({**told, "fields": fields})
    return found


def check(parent: Run, asked: Asked) -> None:
    """Raise :class:`UserError` for what would be refused later, without executing any code."""
    from bascule.runs import codec

    parent.check()
    done, _ = parent.last_row()
    if not 1 <= asked.at_epoch <= done:
        raise UserError(f"at_epoch {asked.at_epoch}: this run has {done} complete epochs")
    if not asked.rule and not asked.epochs:
        raise UserError("choose a rule, or how many epochs to add")
    if not asked.epochs and parent.epochs <= asked.at_epoch:
        raise UserError("this is its last epoch: say how many epochs to train after it")
    for change in asked.changes:
        codec.parse(change)


def command(board: Board, asked: Asked) -> str:
    """The command line that makes the same fork."""
    words = ["bascule", "--runs", str(board.root), "fork", asked.run]
    words += ["--at-epoch", str(asked.at_epoch)]
    for change in asked.changes:
        words += ["--change", change]
    words += ["--epochs", str(asked.epochs)] if asked.epochs else []
    words += ["--name", asked.name] if asked.name else []
    return shlex.join(words)


def make(board: Board, parent: Run, asked: Asked) -> Run:
    """The run folder of the fork, not yet trained. Raises as :func:`bascule.runs.fork.fork`."""
    from bascule.runs.fork import changed_recipe, fork, name_of_fork

    changes, epochs = asked.changes, asked.epochs
    recipe = changed_recipe(parent, asked.at_epoch, changes, epochs=epochs)
    name = asked.name or name_of_fork(parent, asked.at_epoch, changes, recipe)
    return fork(board.store, parent, asked.at_epoch, recipe, name)


def _call(rule: str, fields: Mapping[str, str]) -> str:
    """``PerfectG(at_epoch=60)``. Classes of files are refused: a form executes no code."""
    from bascule.core.described import described
    from bascule.interventions.known import known_interventions
    from bascule.runs import codec

    kinds = {kind.__name__: kind for kind in known_interventions()}
    if rule not in kinds:
        raise unknown("rule", rule, kinds)
    known = {each.name: each for each in described(kinds[rule])}
    given = []
    for name, text in fields.items():
        text = text.strip()
        if name not in known:
            raise unknown(f"field of {rule}", name, known)
        if ":" in text:
            raise UserError(f"{name}={text}: a class of a file is for the command line alone")
        if text and text != known[name].default:
            codec.build(kinds[rule], {**_needed(known, fields), name: codec.parse(text)})
            given.append(f"{name}={text}")
    return f"{rule}({', '.join(given)})"


def _needed(known: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """The values of fields without a default."""
    from bascule.runs import codec

    return {n: codec.parse(fields.get(n, "")) for n, each in known.items() if each.default is None}

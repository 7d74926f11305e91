"""The user's own metrics, feature extractors, callbacks and trackers, found by name.

``my_metrics.py:Eyes`` is the class ``Eyes`` of that file; ``my_metrics.py:Eyes(threshold=3)`` also
sets parameters. The command line and the job files of workers use these names.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from bascule.core.errors import UserError, lacks_memory, unknown
from bascule.core.user_code import code_of, file_of, load_file
from bascule.features.extractor import FeatureExtractor, OfUser
from bascule.metrics.measurement import check_own
from bascule.metrics.metric import Metric
from bascule.tracking.services import SERVICES, service
from bascule.tracking.tracker import Service, Tracker
from bascule.training.loop import Callback, Record, Stopped
from bascule.training.state import State

Kind = TypeVar("Kind")


def named(text: str, kind: type[Kind], option: str) -> Kind:
    """The instance of ``kind`` that ``text`` names. ``option``: its command-line option.

    Raises :class:`UserError` if the file does not load or does not define it.
    """
    path, colon, call = text.partition(".py:")
    if not colon:
        raise UserError(f"{option} {text}: expected a file and a name, such as mine.py:Mine")
    name, parameters = _called(call, f"{option} {text}")
    module = load_file(Path(f"{path}.py"))
    defined = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, kind) or (isinstance(value, type) and issubclass(value, kind))
    }
    found = getattr(module, name, None)
    if found is None:
        raise unknown(f"{kind.__name__} in {path}.py", name, defined)
    if isinstance(found, kind):
        return found
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise UserError(
            f"{option} {text}: {name} is not a {kind.__name__}; derive its class from it"
        )
    try:
        return found(**parameters)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{option} {text}: {type(error).__name__}: {error}") from error


def words_for(value: Any) -> str:
    """The name from which :func:`named` makes ``value``; valid in any folder."""
    cls = type(value)
    told = ""
    if is_dataclass(value):
        given = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        told = ", ".join(f"{name}={each!r}" for name, each in given.items())
    words = f"{cls.__name__}({told})" if told else cls.__name__
    _called(words, repr(value))
    return f"{file_of(cls)}:{words}"


def metric_named(text: str) -> Metric:
    """The user's metric that ``text`` names."""
    found = named(text, Metric, "--metric")
    check_own(found)
    return found


def extractor_of(own: FeatureExtractor) -> OfUser:
    """The user's extractor, wrapped for the package."""
    return OfUser(own, code_of(own))


def extractor_named(text: str) -> OfUser:
    """The user's extractor that ``text`` names."""
    return extractor_of(named(text, FeatureExtractor, "--features"))


def callback_named(text: str) -> Guarded:
    """The user's callback that ``text`` names."""
    return Guarded(named(text, Callback, "--callback"))


def tracker_named(text: str) -> Tracker:
    """The tracker that ``--track`` names: ``tensorboard``, ``mlflow:PLACE``, ``mine.py:Mine``.

    Raises :class:`UserError` for an unknown one, and if the package that it needs is missing.
    """
    if ".py:" in text:
        return named(text, Tracker, "--track")
    name, _, place = text.partition(":")
    if name not in SERVICES:
        known = ", ".join(SERVICES)
        raise UserError(f"--track {text}: expected {known}, or a class of yours, mine.py:Mine")
    return service(name)(place)


def tracker_words(text: str) -> str:
    """``text``, which names a tracker, so that it is the same in any folder. Raises as above."""
    tracker = tracker_named(text)
    if isinstance(tracker, Service):
        return ":".join(filter(None, [text.partition(":")[0], tracker.place]))
    path, _, name = text.partition(".py:")
    return f"{Path(f'{path}.py').resolve()}:{name}"


class Guarded(Callback):
    """A user's callback: an exception in it becomes a :class:`UserError`."""

    def __init__(self, own: Callback) -> None:
        self.own, self.adds = own, own.adds

    def on_step_end(self, state: State, seconds: float) -> None:
        self._call(self.own.on_step_end, state, seconds)

    def on_progress(self, what: str, done: int, of: int) -> None:
        self._call(self.own.on_progress, what, done, of)

    def on_epoch_end(self, record: Record) -> None:
        self._call(self.own.on_epoch_end, record)

    def _call(self, method: Callable[..., None], *given: Any) -> None:
        try:
            method(*given)
        except (UserError, Stopped):
            raise
        except Exception as error:
            if lacks_memory(error):
                raise
            told = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise UserError(f"the callback {type(self.own).__name__} failed: {told}") from error


def _called(text: str, told: str) -> tuple[str, dict[str, Any]]:
    """``"Eyes(threshold=3)"`` as a name and its parameters."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if isinstance(call, ast.Name):
            return call.id, {}
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
            parameters = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
            return call.func.id, parameters
    except (SyntaxError, ValueError):
        pass
    raise UserError(f"{told}: expected a name, such as Mine or Mine(width=3), with plain values")

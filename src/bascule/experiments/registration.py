"""What is registered of an experiment before it is run, its hash, and what changed since.

The content that is hashed holds all that could be changed after a look at results: the question,
the hypothesis, predictions and which of them is primary, checks, arms, what is measured, the user's
code, the images, the seeds and the version of the program.

Registrations of an experiment stand in ``registration.json`` beside its note, the first one first.
None is ever changed or removed; a later one is called an amendment.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import inf, isfinite
from pathlib import Path
from typing import Any

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.core.reading import read_json
from bascule.core.user_code import code_in, code_of, fingerprint, is_users, name_of, sources
from bascule.experiments.experiment import Experiment, Measure
from bascule.experiments.predictions import Prediction
from bascule.experiments.schedule import Results, seed_in
from bascule.metrics.measurement import Measurement
from bascule.runs import codec
from bascule.runs.store import Run

Content = dict[str, Any]  # JSON values
FILE = "registration.json"
CONTENT = {
    *("question", "hypothesis", "predictions", "primary", "checks", "arms", "measure"),
    *("callbacks", "code", "seeds", "version"),
}


@dataclasses.dataclass(frozen=True)
class Registration:
    """One registration of an experiment.

    ``number``: 1 for the first one, more for amendments. ``registered``: the date, in ISO 8601 with
    a time zone. ``earlier_runs``: when the runs on the registered seeds began that there were by
    then; ``pilot_runs``: those on other seeds.
    """

    experiment: str
    number: int
    registered: str
    earlier_runs: tuple[str, ...]
    pilot_runs: tuple[str, ...]
    content: Content

    @property
    def sha256(self) -> str:
        return sha256(self.content)

    def precedes(self, begun: Iterable[str]) -> bool:
        """Whether it is older than all runs on its seeds, and than runs that began at ``begun``."""
        then = _seconds(self.registered)
        return not self.earlier_runs and all(then <= _seconds(date) for date in begun)


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A difference between what was registered and what is there; "" for nothing."""

    what: str
    registered: str
    now: str


def canonical(content: Content) -> str:
    """The text that is hashed: JSON with sorted keys, without spaces, in UTF-8."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256(content: Content) -> str:
    """The SHA-256 of :func:`canonical`: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def content_of(
    experiment: Experiment, seeds: Sequence[int], data_digests: Mapping[object, str], version: str
) -> Content:
    """All that is registered, as JSON values. ``version``: of the program, with its commit."""
    return {
        **_asked(experiment, data_digests),
        "seeds": sorted(seeds),
        "version": version,
    }


def content_of_runs(results: Results) -> Content:
    """What finished runs were made from. Images of arms without a run, and versions: "" if none."""
    experiment = results.experiment
    digests: dict[object, str] = {recipe.data: "" for recipe in experiment.arms.values()}
    for arm, by_seed in results.runs.items():
        for run in by_seed.values():
            digests[experiment.arms[arm].data] = run.about["data_digest"]
    versions = dict.fromkeys(str(run.about.get("code", "unknown")) for run in results.every_run)
    return content_of(experiment, results.seeds, digests, "; ".join(versions))


def _asked(experiment: Experiment, data_digests: Mapping[object, str]) -> Content:
    return {
        "question": experiment.question,
        "hypothesis": experiment.hypothesis,
        "predictions": [_prediction(each) for each in experiment.predictions],
        "primary": experiment.primary and _prediction(experiment.primary),
        "checks": [_prediction(each) for each in experiment.checks],
        "arms": [
            {
                "name": name,
                "digest": codec.digest(recipe.replace(seed=0)),
                "recipe": codec.encode(recipe.replace(seed=0)),
                "images": data_digests[recipe.data],
            }
            for name, recipe in experiment.arms.items()
        ],
        "measure": _plain(experiment.measure),
        "callbacks": _plain(experiment.callbacks),
        "code": _code_digest(experiment),
        **({"vary": sorted(experiment.vary)} if experiment.vary else {}),
    }


def _prediction(prediction: Prediction) -> Content:
    return {"claim": prediction.claim(), "is": _plain(prediction)}


def _code_digest(experiment: Experiment) -> str:
    """The fingerprint of the user's files behind an experiment; "" if it needs none."""
    values: list[Any] = [*experiment.predictions, *experiment.checks, *experiment.callbacks]
    if isinstance(measure := experiment.measure, Measure):
        values += [*measure.metrics, measure.features]
    kinds = [type(value) for value in values if not isinstance(value, str)]
    things = [*code_in(tuple(experiment.arms.values())), *filter(is_users, kinds)]
    return fingerprint(sources(things)) if things else ""


def _plain(value: Any) -> Any:
    """JSON values for a prediction or a measure. Fields that have their default are left out.

    So a field that a later version adds changes nothing. Measurements are told by their labels,
    and values of the user's that are no dataclasses by their code.
    """
    if isinstance(value, Measurement):
        return str(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        raise UserError(f"{value!r} cannot be registered: expected numbers, text, or dataclasses")
    cls = name_of(type(value)) if is_users(type(value)) else type(value).__name__
    if not dataclasses.is_dataclass(value):
        return {"class": cls, "code": code_of(value)}
    fields = {f.name: (getattr(value, f.name), f.default) for f in dataclasses.fields(value)}
    told = {name: _plain(part) for name, (part, default) in fields.items() if part != default}
    return {"class": cls, **told}


# the file


def registrations(folder: Path) -> list[Registration]:
    """The registrations in ``folder``, the first one first; empty if there is none.

    Raises :class:`UserError` for a file that cannot be read, or whose content has another hash than
    the file says.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        told = read_json(path)
        found = [
            Registration(
                str(told["experiment"]),
                number,
                str(each["registered"]),
                tuple(map(str, each["earlier_runs"])),
                tuple(map(str, each["pilot_runs"])),
                dict(each["content"]),
            )
            for number, each in enumerate(told["registrations"], 1)
        ]
        hashes = [each["sha256"] for each in told["registrations"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"cannot read {path}: {type(error).__name__}: {error}; restore it, or give another "
            "--note"
        ) from None
    for one, said in zip(found, hashes, strict=True):
        if one.sha256 != said or not one.content.keys() >= CONTENT:
            raise UserError(
                f"{path}: registration {one.number} is not as it was written (its hash is "
                f"{one.sha256[:12]}, the file says {str(said)[:12]}); restore it, or give another "
                "--note"
            )
    return found


def register(
    folder: Path, experiment: str, content: Content, runs: Iterable[Run]
) -> tuple[list[Registration], bool]:
    """Write a registration into ``folder``; returns all that are there, and whether it is new.

    The last one is kept as it is if it has the same content. ``experiment``: the name. ``runs``:
    all that there are. Raises :class:`UserError` as :func:`registrations`, and if another
    experiment is registered in ``folder``.
    """
    there = registrations(folder)
    if there and there[0].experiment != experiment:
        raise UserError(
            f"{folder / FILE} is the registration of {there[0].experiment}, not of {experiment}: "
            "give another --note"
        )
    if there and there[-1].sha256 == sha256(content):
        return there, False
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    begun = runs_begun(experiment, runs, content["seeds"])
    every = [*there, Registration(experiment, len(there) + 1, now, *begun, content)]
    told = {
        "experiment": experiment,
        "registrations": [
            {
                "number": one.number,
                "registered": one.registered,
                "sha256": one.sha256,
                "earlier_runs": one.earlier_runs,
                "pilot_runs": one.pilot_runs,
                "content": one.content,
            }
            for one in every
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / FILE, json.dumps(told, indent=1, ensure_ascii=False))
    return every, True


def runs_begun(
    experiment: str, runs: Iterable[Run], seeds: Sequence[int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """When runs of an experiment began on ``seeds``, and on other seeds; the first one first.

    ``experiment``: its name. All runs under that name count, whatever their settings.
    """
    named = [(str(run.about["created"]), seed_in(run.name, experiment)) for run in runs]
    found = [(date, seed) for date, seed in named if seed is not None]
    parts = (
        [date for date, seed in found if (seed in seeds) == registered]
        for registered in (True, False)
    )
    ours, others = (tuple(sorted(part, key=_seconds)) for part in parts)
    return ours, others


def earliest(dates: Iterable[str]) -> str:
    """The earliest of some dates in ISO 8601."""
    return min(dates, key=_seconds)


def judged_by(every: Sequence[Registration], begun: Sequence[str]) -> Registration:
    """The registration that runs are compared with: the last one that precedes them all.

    If none does, the first one. ``begun``: when the runs began.
    """
    before = [one for one in every if one.precedes(begun)]
    return before[-1] if before else every[0]


def _seconds(date: str) -> float:
    """A date in ISO 8601 as seconds since 1970; -inf for other text."""
    try:
        return datetime.fromisoformat(date).timestamp()
    except (ValueError, OverflowError):
        return -inf


# what changed


def deviations(
    registered: Content, now: Content, user_classes: Iterable[type] = ()
) -> list[Deviation]:
    """How ``now`` differs from what was registered. ``user_classes``: those that arms may name."""
    found = [
        Deviation(name, registered[name], now[name])
        for name in ("question", "hypothesis")
        if registered[name] != now[name]
    ]
    for kind in ("predictions", "checks"):
        before, after = (
            {canonical(p["is"]): p["claim"] for p in c[kind]} for c in (registered, now)
        )
        word = kind.removesuffix("s")
        found += [Deviation(word, before[key], "") for key in before if key not in after]
        found += [Deviation(word, "", after[key]) for key in after if key not in before]
    if registered["primary"] != now["primary"]:
        claims = [c["primary"]["claim"] if c["primary"] else "" for c in (registered, now)]
        found.append(Deviation("primary prediction", *claims))
    found += _of_arms(registered["arms"], now["arms"], tuple(user_classes))
    old, new = set(registered["seeds"]), set(now["seeds"])
    found += [Deviation(f"seed {seed}", "registered", "") for seed in sorted(old - new)]
    found += [Deviation(f"seed {seed}", "", "added") for seed in sorted(new - old)]
    if registered.get("vary", []) != now.get("vary", []):
        varied = [", ".join(c.get("vary", [])) for c in (registered, now)]
        found.append(Deviation("what varies with the seed", *varied))
    for name, told in (("measure", "what is measured"), ("callbacks", "callbacks")):
        if registered[name] != now[name]:
            texts = [json.dumps(c[name], ensure_ascii=False) for c in (registered, now)]
            found.append(Deviation(told, *texts))
    if registered["code"] != now["code"]:
        codes = [c["code"][:12] or "none" for c in (registered, now)]
        found.append(Deviation("your code", *codes))
    if now["version"] and registered["version"] != now["version"]:
        found.append(Deviation("version of bascule", registered["version"], now["version"]))
    return found


def _of_arms(
    registered: Sequence[Content], now: Sequence[Content], user_classes: tuple[type, ...]
) -> list[Deviation]:
    before, after = ({arm["name"]: arm for arm in arms} for arms in (registered, now))
    found = [Deviation(f"arm “{name}”", "registered", "") for name in before if name not in after]
    found += [Deviation(f"arm “{name}”", "", "added") for name in after if name not in before]
    if registered[0]["name"] != now[0]["name"]:
        found.append(Deviation("the control", registered[0]["name"], now[0]["name"]))
    for name in (name for name in before if name in after):
        old, new = before[name], after[name]
        if old["digest"] != new["digest"]:
            changed = _fields_changed(old["recipe"], new["recipe"], user_classes)
            found += [Deviation(f"arm “{name}”, {field}", *texts) for field, texts in changed]
        if new["images"] and old["images"] != new["images"]:
            digests = old["images"][:12], new["images"][:12]
            found.append(Deviation(f"images of arm “{name}”", *digests))
    return found


def _fields_changed(
    before: Content, after: Content, user_classes: tuple[type, ...]
) -> list[tuple[str, tuple[str, str]]]:
    """The dotted fields in which two encoded recipes differ, with both values as text."""
    try:
        old, new = (codec.decode(plain, user_classes, ()) for plain in (before, after))
    except UserError:  # a class that this version does not know
        return [("recipe", (canonical(before), canonical(after)))]
    pairs = codec.differences(old, new).items()
    return [(field, (_text(a), _text(b))) for field, (a, b) in pairs]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)

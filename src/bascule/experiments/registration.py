"""What is registered of an experiment before it is run, its hash, and what changed since.

The content that is hashed holds all that could be changed after a look at results: the question,
the hypothesis, predictions, checks, arms, what is measured, the user's code, the images, the seeds
and the version of the program.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from bascule.core.errors import UserError
from bascule.core.user_code import code_in, code_of, fingerprint, is_users, name_of, sources
from bascule.experiments.experiment import Experiment, Measure
from bascule.experiments.predictions import Prediction
from bascule.metrics.measurement import Measurement
from bascule.runs import codec

Content = dict[str, Any]  # JSON values


def experiment_key(experiment: Experiment, data_digests: Mapping[object, str]) -> str:
    """A hash of what an experiment asks and does: 64 hexadecimal digits.

    It is equal for any seeds, version and date, and for another wording of claims by the program.
    ``data_digests``: the digest of the images of each ``recipe.data``.
    """
    asked = _asked(experiment, data_digests)
    for name in ("predictions", "checks"):
        asked[name] = [told["is"] for told in asked[name]]
    for arm in asked["arms"]:
        arm["recipe"] = codec.encode(experiment.arms[arm["name"]].replace(seed=0), brief=True)
    return sha256(asked)


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


def _asked(experiment: Experiment, data_digests: Mapping[object, str]) -> Content:
    return {
        "question": experiment.question,
        "hypothesis": experiment.hypothesis,
        "predictions": [_prediction(each) for each in experiment.predictions],
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

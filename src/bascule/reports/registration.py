"""The page of a registration, its RO-Crate, and what a note says of it.

The page answers the questions of AsPredicted, so that it can be filed there or at OSF.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
from typing import Any

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.experiments import inference, verdict
from bascule.experiments.experiment import Experiment
from bascule.experiments.predictions import worded
from bascule.experiments.registration import (
    Registration,
    content_of_runs,
    deviations,
    earliest,
    judged_by,
    registrations,
)
from bascule.experiments.schedule import Results
from bascule.reports import facts, markdown
from bascule.reports.page import Block, Lines, Page, Section, Table, Text

CRATE = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/crate/1.1"
FORMATS = {
    ".json": "application/json",
    ".md": "text/markdown",
    ".html": "text/html",
}
CHECK = (
    "python -c \"import hashlib, json; r = json.load(open('registration.json', encoding='utf-8'))"
    "['registrations'][{place}]; t = json.dumps(r['content'], sort_keys=True, "
    "separators=(',', ':'), ensure_ascii=False); print(hashlib.sha256(t.encode()).hexdigest())\""
)
CHECKS = "A check must hold if the program is right; it is no part of the hypothesis."
NOT_REGISTERED = Text(
    "Not registered: no file beside this note shows that the predictions are older than the runs."
)


def registered(results: Results, folder: Path) -> list[Block]:
    """Whether an experiment was registered before its first run, and what has changed since.

    ``folder``: where its registration is looked for.
    """
    try:
        every = registrations(folder)
    except UserError as refusal:
        return [Text(f"Not known to be registered: {facts.without_paths(str(refusal))}.")]
    if not every or every[0].experiment != results.experiment.name:
        return [NOT_REGISTERED]
    begun = [str(run.about["created"]) for run in results.every_run]
    one = judged_by(every, begun)
    told = [Text(_when(one, begun))]
    if later := every[one.number :]:
        dates = ", ".join(f"{each.registered} ({each.sha256[:12]})" for each in later)
        told.append(Text(f"Amended after the first run, which does not count: {dates}."))
    rows = _rows(one, content_of_runs(results), results.experiment.user_classes)
    if not rows:
        return [*told, Text("There is no deviation from the registration.")]
    return [*told, Table(("deviation", "registered", "now"), rows)]


def _when(one: Registration, begun: Sequence[str]) -> str:
    on = f"on {one.registered} (sha256 {one.sha256[:12]})"
    if not begun and not one.earlier_runs:
        return f"Registered {on}; no run is finished yet."
    if one.precedes(begun):
        n = len(one.pilot_runs)
        pilot = f" {n} run{'s' * (n > 1)} on other seeds had begun before." if n else ""
        return f"Registered before the first run: yes, {on}.{pilot}"
    first = earliest([*one.earlier_runs, *begun])
    return f"Registered before the first run: no, {on}, and the first run began on {first}."


def _rows(
    one: Registration, now: dict[str, Any], user_classes: Sequence[type] = ()
) -> list[tuple[str, str, str]]:
    return [
        (each.what, each.registered or "–", each.now or "–")
        for each in deviations(one.content, now, user_classes)
    ]


def write_registration(experiment: Experiment, every: Sequence[Registration], folder: Path) -> None:
    """Write ``registration.md`` and ``ro-crate-metadata.json`` into ``folder``.

    ``every``: all registrations of the experiment; the last one is that of ``experiment`` as it is.
    """
    page = Page(
        "registration", f"Registration of {experiment.name}", [], _sections(experiment, every)
    )
    atomic.write(folder / "registration.md", markdown.render(page, "registration"))
    write_crate(folder)


def _sections(experiment: Experiment, every: Sequence[Registration]) -> list[Section]:
    one = every[-1]
    claims = [*experiment.predictions, *experiment.checks]
    kinds = [
        *(
            "primary" if each == experiment.primary else "prediction"
            for each in experiment.predictions
        ),
        *("check" for _ in experiment.checks),
    ]
    numbers = [
        (kind, each.claim(), each.measured(), facts.region(*each.region()))
        for kind, each in zip(kinds, map(worded, claims), strict=True)
    ]
    (control, recipe), *others = experiment.arms.items()
    arms = [
        (control, "the control: the recipe below"),
        *((name, facts.recipe_differences(recipe, other)) for name, other in others),
    ]
    digests = [(arm["name"], arm["digest"], arm["images"]) for arm in one.content["arms"]]
    seeds = ", ".join(map(str, one.content["seeds"]))
    blocks: dict[str, list[Block]] = {
        "Have data been collected already?": [Text(_collected(one))],
        "Hypothesis": [Text(experiment.question), Text(experiment.hypothesis)],
        "Dependent variables": [
            Table(("kind", "claim", "measured on each seed", "claimed"), numbers),
            *([Text(CHECKS)] if experiment.checks else []),
            *_measured(one.content["measure"]),
        ],
        "Conditions": [
            Table(("arm", "differs from the control in"), arms),
            Table(("field", "value"), facts.recipe_rows(recipe), f"The recipe of “{control}”."),
            Table(("arm", "digest of its recipe", "digest of its images"), digests),
        ],
        "Analyses": [
            Text(f"How bascule {one.content['version']} comes from numbers to words:"),
            *(Lines(_prose(module.__doc__ or "")) for module in (verdict, inference)),
        ],
        "Outliers and exclusions": [
            Text("None. No run and no seed is left out. A note names every run that failed.")
        ],
        "Sample size": [
            Text(
                f"Every arm is trained once with each of the seeds {seeds}. Seeds that are added "
                "or left out later are deviations, which the note lists. Every further look at "
                "more seeds allows a smaller error."
            )
        ],
        "Other": [
            Table(
                ("fact", "value"),
                [
                    ("program", f"bascule {one.content['version']}"),
                    ("digest of the user's code", one.content["code"] or "no such code"),
                ],
            )
        ],
        "Registered": _dates(every),
    }
    titles = enumerate(blocks.items(), 1)
    return [Section(f"{place}. {title}", told) for place, (title, told) in titles]


def _prose(docstring: str) -> str:
    """A docstring as Markdown: names of modules and functions as code."""
    return re.sub(r":\w+:`", "`", cleandoc(docstring))


def _measured(measure: dict[str, Any] | None) -> list[Block]:
    if measure is None:
        return [Text("Nothing is measured beside the scalars of training and the diagnostics.")]
    told = json.dumps(measure, ensure_ascii=False)
    return [
        Text(
            f"What is measured of every finished run; fields not named have their defaults: {told}"
        )
    ]


def _collected(one: Registration) -> str:
    ours, others = one.earlier_runs, one.pilot_runs
    told = (
        f"Yes, on the seeds below: {_runs(ours)}."
        if ours
        else "No: there was no run on the seeds below when it was registered."
    )
    pilot = f" On other seeds, which are no part of it: {_runs(others)}." if others else ""
    return told + pilot


def _runs(begun: Sequence[str]) -> str:
    """A number of runs and the dates at which they began."""
    return f"{len(begun)} run{'s' * (len(begun) > 1)} (begun {', '.join(dict.fromkeys(begun))})"


def _dates(every: Sequence[Registration]) -> list[Block]:
    rows = [
        (
            *(str(one.number), one.registered, one.sha256),
            *(str(len(one.earlier_runs)), str(len(one.pilot_runs))),
        )
        for one in every
    ]
    blocks: list[Block] = [
        Table(("number", "date", "sha256", "runs before it", "on other seeds"), rows),
    ]
    for old, new in pairwise(every):
        blocks.append(Text(f"Amendment {new.number} changes:"))
        blocks.append(Table(("what", "before", "after"), _rows(old, new.content)))
    return [
        *blocks,
        Text("This prints the last hash, from the file alone:"),
        Lines(CHECK.format(place=len(every) - 1), code=True),
    ]


def write_crate(folder: Path) -> None:
    """Describe the registration in ``folder``, and its note if there is one, as an RO-Crate 1.1.

    Does nothing in a folder without a registration, or with a damaged one.
    """
    try:
        every = registrations(folder)
    except UserError:
        return
    if not every:
        return
    known = [*sorted(folder.glob("registration*")), folder / "note.md", folder / "note.html"]
    files = [path for path in known if path.is_file()]
    entities: list[dict[str, Any]] = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": PROFILE},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Registration of {every[0].experiment}",
            "description": f"{every[-1].content['question']} {every[-1].content['hypothesis']}",
            "datePublished": every[-1].registered,
            "identifier": f"sha256:{every[-1].sha256}",
            "license": {"@id": "#licence"},
            "hasPart": [{"@id": path.name} for path in files],
        },
        {
            "@id": "#licence",
            "@type": "CreativeWork",
            "name": "No licence stated",
            "description": "The authors have not said yet under which licence these files are.",
        },
        *(
            {
                "@id": path.name,
                "@type": "File",
                "name": path.name,
                "encodingFormat": FORMATS.get(path.suffix, "application/octet-stream"),
                "contentSize": str(path.stat().st_size),
            }
            for path in files
        ),
    ]
    told = {"@context": f"{PROFILE}/context", "@graph": entities}
    atomic.write(folder / CRATE, json.dumps(told, indent=1, ensure_ascii=False))

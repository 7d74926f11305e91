"""Experiments in Python: run one, and get its verdict as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bascule.api.progress import job_bars
from bascule.api.runs import Place, TrainedRun, source, store_at
from bascule.core import html
from bascule.core.errors import UserError
from bascule.core.user_code import said
from bascule.data.source import Data
from bascule.experiments.experiment import Experiment
from bascule.experiments.schedule import Results
from bascule.runs.store import slug


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    results  its runs, their curves, and the verdict with all findings
    note     the HTML file of its note
    """

    results: Results
    note: Path

    @property
    def word(self) -> str:
        """ "supported", "refuted" or "inconclusive"."""
        return self.results.verdict.word

    @property
    def found(self) -> str:
        """The finding, in one or two sentences."""
        from bascule.reports.answer import finding

        return finding(self.results)

    @property
    def why(self) -> str:
        """Why the verdict is this one."""
        return self.results.verdict.why

    def runs(self, arm: str) -> list[TrainedRun]:
        """The finished runs of an arm, by seed."""
        by_seed = self.results.runs.get(arm)
        if by_seed is None:
            known = ", ".join(self.results.runs)
            raise UserError(f"arm {arm!r}: expected one of {known}")
        return [TrainedRun(by_seed[seed]) for seed in sorted(by_seed)]

    @property
    def findings(self) -> list[tuple[str, str, str]]:
        """Of every prediction and check: the verdict, the claim, and what was measured."""
        from bascule.reports import facts

        verdict = self.results.verdict
        return [
            (f.word, f.prediction.claim(), facts.interval(f.shown))
            for f in (*verdict.findings, *verdict.checks)
        ]

    def __repr__(self) -> str:
        told = [f"  {word:12} {claim}" for word, claim, _ in self.findings]
        return "\n".join([self.found, f"{self.word}: {self.why}", *told, f"note: {self.note}"])

    def _repr_html_(self) -> str:
        columns = ("verdict", "prediction", "measured")
        failed = [f"failed: {name}: {why}" for name, why in self.results.failures.items()]
        return (
            html.lines(self.results.experiment.question)
            + html.heading(self.found)
            + html.lines(f"{self.word}: {self.why}")
            + html.table(columns, self.findings)
            + html.lines(*failed, f"note: {self.note}")
        )


def run(
    experiment: Experiment | str | Path,
    *,
    quick: bool = False,
    seeds: Sequence[int] = (),
    arms: Sequence[str] = (),
    data: str | Data | None = None,
    jobs: int | None = None,
    runs: Place | None = None,
    note: Place | None = None,
    **changes: Any,
) -> Outcome:
    """Train what is missing of an experiment, judge it, write its note, and return the verdict.

    ``experiment``: a value, or the name or file of one. ``quick``: its small version. ``seeds``
    and ``arms``: others than all of its own. ``data``: another image set. ``jobs``: runs at once
    (default: one a core). ``runs``: the folder of runs. ``note``: the folder of the note.
    ``changes``: fields of every arm's recipe. An interrupt saves every run, and the same call goes
    on.

    Raises :class:`UserError` for a bad value, and KeyboardInterrupt after all is saved.
    """
    from bascule.cli import experiment as verbs
    from bascule.data.images import credits_of
    from bascule.experiments.launchers import LocalLauncher
    from bascule.experiments.measurable import check_measurable
    from bascule.experiments.schedule import plan
    from bascule.reports.note import write_experiment_note

    found = _changed(_known(experiment, quick), data, changes)
    every = list(seeds) or list(found.seeds)
    verbs.check_seeds(every)
    store = store_at(runs)
    planned = plan(found, every, arms)
    sets = verbs.images_of(planned)
    check_measurable(found, sets)
    if not verbs.train_all(found, planned, sets, store, LocalLauncher(jobs), job_bars):
        raise KeyboardInterrupt("every run is saved: the same call goes on")
    results = verbs.judged(found, planned, sets, store, every)
    told = _told(data, changes, found)
    place = verbs.note_name(found.name, found.seeds, told, every, list(arms))
    folder = Path(note) if note else store.root / "notes" / place
    credit = credits_of(images.credit for images in sets.values())
    if not verbs.may_replace(folder, "note", [results], train=True):
        raise UserError(f"{folder} holds a note of more runs: give another note=")
    registration = store.root / "notes" / slug(found.name)
    return Outcome(results, write_experiment_note(results, folder, credit, told, registration))


def _known(experiment: Experiment | str | Path, quick: bool) -> Experiment:
    """An experiment with a name. A value without one is named after its question."""
    from bascule.experiments.experiment import load
    from bascule.experiments.files import find_file

    if not isinstance(experiment, Experiment):
        return load(find_file(str(experiment)), quick)
    found = experiment.quick if quick else experiment
    if found is None:
        raise UserError("quick=True: this experiment has no quick version; give it a quick=")
    return replace(found, name=found.name or slug(found.question)[:50].strip("-") or "experiment")


def _changed(found: Experiment, data: str | Data | None, changes: dict[str, Any]) -> Experiment:
    """The experiment with other images and other values of fields in every arm."""
    arms = dict(found.arms)
    for name, recipe in arms.items():
        new = {"data": source(data, recipe)} if data is not None else {}
        arms[name] = recipe.replace(**new, **changes)
    return replace(found, arms=arms)


def _told(data: str | Data | None, changes: dict[str, Any], found: Experiment) -> list[str]:
    """The changes as pairs FIELD=VALUE, as the command line takes them."""
    first = next(iter(found.arms.values()))
    new = {"data": first.data, **changes} if data is not None else changes
    return [f"{name}={said(value)}" for name, value in new.items()]

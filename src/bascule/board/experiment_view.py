"""An experiment as it stands now: the pieces of its note, made from the runs that there are.

Nothing is trained, measured or written. The file of the experiment is executed, as `bascule report`
does; it is one of the user's or the package's, never one of a run folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from bascule.board.summary import Summary
from bascule.core.errors import UserError
from bascule.experiments.files import known_files, verb_and_question
from bascule.runs.pack import JUDGMENTS
from bascule.runs.store import Store, slug

if TYPE_CHECKING:  # the list of experiments needs no PyTorch
    from bascule.experiments.experiment import Experiment
    from bascule.experiments.schedule import Job, Results
    from bascule.reports.page import Page

FIRST = ("Forest plot", "Not finished", "Curves", "Predictions", "Measured")  # then the others
READ = ("status.json", "scalars.jsonl", "diagnostics.jsonl", "metrics.json")
QUICK = "-quick"


@dataclass(frozen=True)
class Begun:
    """An experiment that has runs. ``question``: the first sentence of its file."""

    name: str
    question: str
    path: Path
    runs: int
    finished: int


def begun(runs: Sequence[Summary]) -> list[Begun]:
    """The experiments of known files that have any of ``runs``, by name. No file is executed."""
    found = []
    for name, path in known_files().items():
        for whole in (name, name + QUICK):
            own = [run for run in runs if run.name.startswith(f"{whole} ")]
            verb, question = verb_and_question(path) if own else ("", "")
            if verb == "run":
                finished = sum(run.state == "finished" for run in own)
                found.append(Begun(whole, question, path, len(own), finished))
    return sorted(found, key=lambda one: one.name)


def loaded(name: str) -> Experiment:
    """The experiment ``name`` of a known file, which is executed.

    Raises :class:`UserError` if no known file has this name.
    """
    from bascule.experiments.experiment import load

    path, quick = _file_of(name)
    if path is None:
        raise UserError(f"there is no experiment {name!r} in experiments/: look at the list")
    return load(path, quick)


def _file_of(name: str) -> tuple[Path | None, bool]:
    """The known file of the experiment ``name``, and whether its quick version is meant."""
    files = known_files()
    quick = name not in files and name.endswith(QUICK)
    return files.get(name.removesuffix(QUICK) if quick else name), quick


def results_of(experiment: Experiment, store: Store) -> Results:
    """What the finished runs say of ``experiment``; no image set is loaded.

    The digest of its images is that of the newest run of the same name.
    """
    from bascule.experiments.schedule import find_runs, gather, plan

    jobs = plan(experiment, experiment.seeds)
    digests = dict(_digests(jobs, experiment, store))
    find_runs(jobs, experiment, store, digests)
    return gather(jobs, experiment, experiment.seeds)


def _digests(
    jobs: Sequence[Job], experiment: Experiment, store: Store
) -> Iterator[tuple[object, str]]:
    from bascule.experiments.factors import names_of
    from bascule.experiments.schedule import run_name

    for job in jobs:
        named = store.named(run_name(experiment, job))
        digest = named[-1].about["data_digest"] if named else ""
        for data in names_of(job.recipe.data):
            yield data, digest


def page_of(results: Results) -> Page:
    """The note's page with the forest plot and the curves first, then the tables."""
    from bascule.reports.note import experiment_page
    from bascule.reports.page import Section

    note = experiment_page(results, "", f"bascule run {results.experiment.name}")
    forest = [b for section in note.sections for b in section.blocks if _name(b) == "findings"]
    rest = [
        Section(s.title, [b for b in s.blocks if _name(b) != "findings"]) for s in note.sections
    ]
    order = {title: place for place, title in enumerate(FIRST)}
    sections = sorted(
        [Section("Forest plot", forest), *rest], key=lambda s: order.get(s.title, len(order))
    )
    return replace(note, kind="experiment, live", sections=[s for s in sections if s.blocks])


def _name(block: object) -> str:
    return getattr(block, "name", "")


class Views:
    """The pages of experiments as HTML, made again when a file that they were made of changes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._kept: dict[str, tuple[str, str]] = {}
        self._lock = Lock()

    def html(self, name: str, home: str) -> str:
        """The page of the experiment ``name``."""
        from bascule.reports.publish import html

        with self._lock:
            stamp = self._stamp(name)
            if (kept := self._kept.get(name)) and kept[0] == stamp:
                return kept[1]
            results = results_of(loaded(name), self.store)
            if not results.every_run:
                raise UserError(f"no run of {name} is finished yet: look again later")
            made = html(page_of(results), home)
            self._kept = {name: (stamp, made)}  # one at a time: pages hold pictures
            return made

    def _stamp(self, name: str) -> str:
        """Other files, other text: of the experiment's own file, its runs, and of judgments."""
        root = self.store.root
        own, _ = _file_of(name)
        paths = [own] if own else []
        paths += [f / each for f in sorted(root.glob(f"*-{slug(name)}-*")) for each in READ]
        paths += sorted((root / JUDGMENTS).glob("*.json"))
        told = []
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            told.append(f"{path} {status.st_mtime_ns} {status.st_size}")
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

"""Several experiments on one page: questions, verdicts, effects with intervals, cost, images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bascule.experiments.schedule import Results
from bascule.experiments.verdict import holm
from bascule.reports import facts
from bascule.reports.answer import finding
from bascule.reports.gallery import gallery
from bascule.reports.made import keep_made, made_of
from bascule.reports.page import Block, Lines, Page, Section, Table, Text
from bascule.reports.publish import write_page
from bascule.runs.store import Run

WORDS = ("supported", "refuted", "inconclusive")
MANY = (
    "Every interval below stands by itself, at 95 % with five seeds or more, at 97.5 % with three "
    "or four, so among {m} predictions that were all false about {false:.1f} could be called "
    "supported by chance. The verdict of an experiment is guarded: it is supported only when all "
    "its predictions are, and refuted only by a prediction that is refuted after Bonferroni's "
    "correction for their number; or its primary prediction alone decides. The last "
    "column corrects for all {m} of this page (Holm 1979): only “holds” is safe to be quoted alone."
)
EFFECTS = f"Effect: the mean over seeds and its interval. {facts.NUMBERS}"


def write_summary(told: Sequence[Results], folder: Path, title: str, credit: str) -> Path:
    """Write ``summary.md`` and ``summary.html`` into ``folder``; returns the HTML file.

    ``credit``: the credit lines of the data whose images are shown.
    """
    finished = [results for results in told if any(results.runs.values())]
    counts = [sum(r.verdict.word == word for r in finished) for word in WORDS]
    answers = ", ".join(f"{n} {word}" for n, word in zip(counts, WORDS, strict=True))
    missing = [r.experiment.name for r in told if r not in finished]
    blank = sum(f.word == "not measured" for r in finished for f in r.verdict.findings)
    lead = [("Verdicts", Text(f"Of {len(finished)} experiments that were run: {answers}."))]
    if blank:
        every = sum(len(r.verdict.findings) for r in finished)
        lead.append(("Not measured", Text(f"{blank} of {every} predictions.")))
    if missing:
        lead.append(("Not run yet", Text(", ".join(missing))))
    runs = [run for results in finished for run in results.every_run]
    sections = [
        Section("Questions", [_questions(finished)]),
        Section("Predictions", _predictions(finished)),
        Section("Gallery", _gallery(finished, credit)),
        Section("Where it comes from", _origins(runs)),
    ]
    page = write_page(Page("summary", title, lead, sections), folder, "summary")
    keep_made(folder, "summary", made_of(runs))
    return page


def _questions(told: Sequence[Results]) -> Table:
    rows = []
    for results in told:
        experiment, runs = results.experiment, results.every_run
        recipe = next(iter(experiment.arms.values()))
        scale = (
            f"{facts.told(recipe.data)}, batch {recipe.batch}, {facts.told(recipe.model)}; "
            f"{len(experiment.arms)} arms of at most "
            f"{max(r.epochs for r in experiment.arms.values())} epochs, "
            f"{len(results.seeds)} seeds"
        )
        time = facts.duration(sum(map(facts.training_seconds, runs)))
        cost = f"{time}, {sum(map(facts.images_trained, runs)):,} images"
        rows.append(
            (
                experiment.title,
                " ".join(experiment.question.split()),
                results.verdict.word,
                finding(results),
                facts.without_paths(results.verdict.why),
                scale,
                cost,
            )
        )
    caption = "Cost: training time, summed over the runs, each on the threads of its recipe."
    columns = ("experiment", "question", "verdict", "found", "because", "scale", "cost")
    return Table(columns, rows, caption)


def _predictions(told: Sequence[Results]) -> list[Block]:
    found = [(r.experiment.title, f) for r in told for f in r.verdict.findings]
    safe = [p <= 0.05 for p in holm([f.p for _, f in found])]
    rows = [
        (
            name,
            f.prediction.claim(),
            f.word,
            facts.interval(f.shown),
            facts.region(*f.prediction.region()),
            "holds" if ok and f.word in ("supported", "refuted") else "–",
        )
        for (name, f), ok in zip(found, safe, strict=True)
    ]
    columns = ("experiment", "prediction", "verdict", "effect", "claimed", "after correction")
    by_chance = sum((1 - r.verdict.level) / 2 * len(r.verdict.findings) for r in told)
    many = Text(MANY.format(m=len(found), false=by_chance))
    return [many, Table(columns, rows, EFFECTS)]


def _gallery(told: Sequence[Results], credit: str) -> list[Block]:
    blocks: list[Block] = []
    for place, results in enumerate(told):
        if drawn := gallery(results, f"gallery-{place}"):
            blocks += [Text(results.experiment.title), drawn]
    return [*blocks, Lines(credit)] if blocks else [Text("No pictures.")]


def _origins(runs: Sequence[Run]) -> list[Block]:
    if not runs:
        return [Text("No run is finished.")]
    time = facts.duration(sum(map(facts.training_seconds, runs)))
    own = [("training", f"{time}, summed over {len(runs)} runs")]
    return [Table(("fact", "value"), [*own, *facts.provenance(runs)], plain=True)]

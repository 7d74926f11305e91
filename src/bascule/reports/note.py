"""The lab note of an experiment: question, verdict, protocol, measurements, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite, nan
from pathlib import Path

import numpy as np

from bascule.core.reading import needed
from bascule.experiments.digits import rounded
from bascule.experiments.inference import FEWEST
from bascule.experiments.planning import outlook, told
from bascule.experiments.predictions import numbers_of
from bascule.experiments.scalars import explained
from bascule.experiments.schedule import Results
from bascule.experiments.verdict import Finding, holm, ranked
from bascule.reports import facts
from bascule.reports.answer import PREDICTIONS, answer
from bascule.reports.bounds import BOUNDS, best_of, bounds_table
from bascule.reports.curves import curves_drawing, panels_of
from bascule.reports.figures import colours
from bascule.reports.forest import findings_drawing
from bascule.reports.gallery import gallery, hero, judged
from bascule.reports.made import keep_made, made_of
from bascule.reports.measures import measures
from bascule.reports.page import (
    Block,
    Lines,
    Page,
    Samples,
    Section,
    Table,
    Text,
)
from bascule.reports.protocol import command, failures, origins, protocol
from bascule.reports.publish import write_page
from bascule.reports.registration import registered, write_crate
from bascule.reports.samples import Picture, at_or_before, sampled_epochs, shown, strips
from bascule.runs.store import Run, slug
from bascule.sdpc.reports.abilities import abilities
from bascule.sdpc.reports.coding import decoding, denoising
from bascule.sdpc.reports.settling import settling

CURVES = (
    "Thin: one seed, the mean of its batches in each epoch. Bold: the mean over seeds. Band: from "
    "the lowest seed to the highest. Dashed: a changed rule begins to act."
)
BLIND_D = " Dotted: where a D that cannot tell stands."
SHARED = (
    " Dot: an arm leaves the control, whose past it shares bit for bit; that past is drawn once."
)
PAIRS = (("D_x", "D_Gz"), ("loss_D", "loss_G"))  # scalars to be read together
MEASURED = "Measured"  # the title of a section that a ladder moves
MANY_ARMS = 4  # with more arms, Markdown shows fewer grids
SEVERAL = (
    "{m} predictions are tested, each by an interval of its own. The verdict is guarded against "
    "chance among them (it needs all of them, or one that is refuted at {level} %); single "
    "verdicts are not. p is that of each verdict, corrected for all {m} (Holm 1979): where it is "
    "below 0.05, the verdict may be quoted alone."
)
PRIMARY = (
    "The primary prediction, “{claim}”, was named before the runs and alone decides; the other "
    "{others} are told beside it. Their p is corrected for all {m} (Holm 1979): where it is below "
    "0.05, the verdict may be quoted alone."
)
RULE = (
    "A verdict is about the typical run (the median over seeds). It needs the whole interval on "
    "one side of every edge, and seeds that agree in an exact test; equal seeds, and seeds that "
    "fall apart, get none. Arms that share a past are compared seed by seed, others as independent "
    "runs. How often such verdicts are false, by simulation: at most 5 %."
)
UNSEEN = (
    "A rare collapse is not seen with few seeds: one that befalls up to {share} of all runs can be "
    "missing among {n} (95 %)."
)
LOOK = (
    "This is look {look} at these results: {earlier} came before. Every look halves the error that "
    "the next one may make, so intervals are at {level} %."
)
CORRELATION = (
    "Correlation of two arms over seeds, median: {told}. Without a shared past, a seed in common "
    "makes no pair."
)
ASKED = (  # diagnostics; a level for comparison (None: the floor) and the level's name
    ("mmd", None, ""),
    ("coverage", None, ""),
    ("auc_held_out", 0.5, "1/2"),
    ("auc_train_vs_held_out", 0.5, "1/2"),
    ("grad_norm_D", 0.0, ""),
    ("grad_norm_G", 0.0, ""),
)
DIAGNOSED = (
    "Measured every few epochs during training, on some 200 pictures of each kind. Dotted: "
    "held-out reals in place of the fakes, or the score of a D that knows nothing."
)
FINDINGS = (
    "Dots: seeds. Diamond and bar: their mean and its {level} % interval. Framed: the region that "
    "the claim names. Supported: the whole bar lies in it; refuted: none of it does."
)


def write_experiment_note(
    results: Results,
    folder: Path,
    credit: str,
    settings: Sequence[str] = (),
    registration: Path | None = None,
) -> Path:
    """Write ``note.md`` and ``note.html`` into ``folder``; returns the HTML file.

    ``credit``: the licence and credit lines of the data, shown with every picture. ``settings``:
    the FIELD=VALUE pairs of the experiment, for the command line that repeats it.
    ``registration``: the folder of its registration (default: ``folder``).
    """
    repeat = command(results, settings)
    page = experiment_page(results, credit, repeat, registered(results, registration or folder))
    written = write_note(page, results, folder)
    write_crate(folder)
    return written


def write_note(page: Page, results: Results | None, folder: Path) -> Path:
    """Write a page about an experiment and its record of runs; returns the HTML file."""
    written = write_page(page, folder, "note")
    keep_made(folder, "note", made_of(results.every_run if results else ()))
    return written


def experiment_page(
    results: Results, credit: str, repeat: str, registration: Sequence[Block] = ()
) -> Page:
    """The note of an experiment; ``repeat``: the command line that runs it again.

    ``registration``: what is said of its registration.
    """
    experiment = results.experiment
    blocks: dict[str, list[Block]] = {
        "Not finished": [failures(results)] if results.failures else [],
        PREDICTIONS: _predictions(results),
        MEASURED: measures(results),
        "Back from the codes": decoding(results),
        "Settled fakes": settling(results),
        "What codes can do": abilities(results),
        "Curves": _curves(results),
        "Noise": denoising(results),
        "Samples": _samples(results, credit),
        "Protocol": [*registration, *protocol(results, credit)],
    }
    sections = [Section(name, inner) for name, inner in blocks.items() if inner]
    if experiment.remarks.strip():
        sections.append(Section("Remarks", [Text(experiment.remarks)]))
    sections += [
        Section("Reproduce", [Lines(repeat, code=True), _repeats(results)]),
        Section("Runs", origins(results)),
    ]
    lead = [("Question", Text(experiment.question)), ("Hypothesis", Text(experiment.hypothesis))]
    title = experiment.name or "experiment"
    return Page("lab note", title, lead, sections, answer(results), _hero(results))


def _repeats(results: Results) -> Text:
    runs = [run for by_seed in results.runs.values() for run in by_seed.values()]
    return Text(facts.reproducibility(runs, "Runs"))


def _hero(results: Results) -> Block | None:
    """The images of the arms in the most informative predictions.

    If images are not shown: the curves of the scalars in the first of these predictions.
    """
    claims = [finding.prediction for finding in ranked(results.verdict)]
    arms = [getattr(claim, side, "") for claim in claims for side in ("than", "arm")]
    if drawn := hero(results, arms):
        return drawn
    scalar = str(numbers_of(claims[0]).get("scalar", ""))
    every = [curve for by_seed in results.curves.values() for curve in by_seed.values()]
    if not any(np.isfinite(curve.get(scalar, ())).any() for curve in every):
        return None
    scalars = next((pair for pair in PAIRS if scalar in pair), (scalar,))
    return curves_drawing(
        "hero",
        results.curves,
        f"Curves of {' and '.join(scalars)}, one colour an arm",
        CURVES,
        facts.changes([results.experiment.arms[arm] for arm in results.runs]),
        facts.branches(results.runs),
        panels=panels_of(scalars, results.experiment.arms.values()),
    )


def _predictions(results: Results) -> list[Block]:
    verdict = results.verdict
    blocks: list[Block] = [_findings("prediction", verdict.findings, results)]
    claims = [f.prediction for f in (*verdict.findings, *verdict.checks)]
    scalars = [numbers_of(claim).get("scalar") for claim in claims]
    if lines := explained(scalar for scalar in scalars if scalar):
        blocks.append(Table(("number", "what it is"), lines, plain=True))
    m, level = len(verdict.findings), verdict.level
    if m > 1 and verdict.primary:
        claim = verdict.primary.prediction.claim()
        blocks.append(Text(PRIMARY.format(claim=claim, others=m - 1, m=m)))
    elif m > 1:
        strict = facts.number(100 - 100 * (1 - level) / m)
        blocks.append(Text(SEVERAL.format(m=m, level=strict)))
    blocks.append(Text(" ".join(_how(results))))
    if verdict.checks:
        blocks.append(
            Text("Checks must hold if the program is right; they are no part of the hypothesis.")
        )
        blocks.append(_findings("check", verdict.checks, results))
    caption = FINDINGS.format(level=facts.number(100 * level))
    return [*blocks, findings_drawing(verdict, caption)]


def _how(results: Results) -> Iterator[str]:
    """How the verdicts came about: the rule, the look, what stays unseen, correlations of arms."""
    verdict, n = results.verdict, len(results.seeds)
    yield RULE
    if verdict.look > 1:
        earlier = "one other" if verdict.look == 2 else f"{verdict.look - 1} others"
        level = facts.number(100 * verdict.level)
        yield LOOK.format(look=verdict.look, earlier=earlier, level=level)
    if n >= FEWEST:
        yield UNSEEN.format(share=f"{1 - 0.05 ** (1 / n):.0%}", n=n)
    found = []
    for paired, name in ((False, "without a shared past"), (True, "with a shared past")):
        known = [f.correlation for f in verdict.findings if f.paired is paired]
        if known := [x for x in known if isfinite(x)]:
            found.append(f"{np.median(known):.2f} {name} ({len(known)} predictions)")
    if found:
        yield CORRELATION.format(told=", ".join(found))


def _findings(kind: str, findings: Sequence[Finding], results: Results) -> Table:
    several = kind == "prediction" and len(findings) > 1
    seeds, verdict = results.seeds, results.verdict
    rows = [
        (
            f.prediction.claim(),
            f.word,
            f.prediction.measured(),
            facts.interval(f.shown),
            *([facts.probability(p)] if several else []),
            facts.region(*f.prediction.region()),
            "; ".join(facts.number(f.values.get(s, nan)) for s in seeds),
            "; ".join(filter(None, (f.reason, _reason(f), _outlook(f, results)))),
        )
        for f, p in zip(findings, holm([f.p for f in findings]), strict=True)
    ]
    per_seed = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    corrected = ["p, corrected"] if several else []
    columns = (
        *(kind, "verdict", "measured", f"mean [{facts.number(100 * verdict.level)} % interval]"),
        *(*corrected, "claimed", per_seed, "why"),
    )
    return Table(columns, rows, facts.NUMBERS)


def _outlook(finding: Finding, results: Results) -> str:
    """Beside an inconclusive verdict: what so many seeds find, and how many the distance takes."""
    if finding.word != "inconclusive" or len(results.seeds) < FEWEST:
        return ""
    seeds = len(results.seeds)
    return told(outlook(finding, seeds, results.verdict.look), seeds)


def _reason(finding: Finding) -> str:
    """How the interval lies to the claimed region; "" if there is no interval."""
    found = finding.interval
    if not (isfinite(found.low) and isfinite(found.high)) or finding.reason:
        return ""
    if finding.word == "supported":
        return "the interval lies inside"
    if finding.word == "refuted":
        only = "" if finding.refuted_strictly else ", but not at the level of several predictions"
        return f"the interval lies outside{only}"
    edges = [edge for edge in finding.prediction.region() if isfinite(edge)]
    for edge in edges:
        low, high, at = rounded(found.half, found.low, found.high, edge)
        if at in (low, high):
            return "the interval touches the edge"
    return "the interval crosses the edge"


def _curves(results: Results) -> list[Block]:
    changes = facts.changes([results.experiment.arms[arm] for arm in results.runs])
    branches, best = facts.branches(results.runs), best_of(results)
    scalars = results.scalars
    panels = panels_of(scalars, results.experiment.arms.values())
    blind = BLIND_D if "D_x" in scalars else ""
    drawn = curves_drawing(
        "curves",
        results.curves,
        f"Learning curves of {', '.join(scalars)}, one colour an arm",
        CURVES + blind + (SHARED if branches else "") + (BOUNDS if best else ""),
        changes,
        branches,
        best,
        panels,
    )
    tables = [_last(results), *([bounds_table(results, best)] if best else [])]
    return [drawn, *tables, *_asked(results)]


def _asked(results: Results) -> list[Block]:
    """The diagnostics of every arm; empty if there are none."""
    every = [curve for by_seed in results.curves.values() for curve in by_seed.values()]

    def floor(name: str) -> float | None:
        found = [c[f"{name}_floor"] for c in every if f"{name}_floor" in c]
        return float(np.nanmean(np.concatenate(found))) if found else None

    panels = [
        (name, "", floor(name) if level is None else level, "floor" if level is None else told)
        for name, level, told in ASKED
        if any(name in curve for curve in every)
    ]
    if not panels:
        return []
    return [
        curves_drawing(
            "diagnostics",
            results.curves,
            "What diagnostics measured in every arm: " + ", ".join(name for name, *_ in panels),
            DIAGNOSED,
            panels=panels,
        ),
        Table(("number", "what it is"), explained(name for name, *_ in panels), plain=True),
    ]


def _last(results: Results) -> Table:
    cells = [
        (
            arm,
            str(len(curves)),
            *facts.finals(list(curves.values()), results.scalars, [results.experiment.arms[arm]]),
        )
        for arm, curves in results.curves.items()
    ]
    caption = f"Of each seed, the {facts.LAST}; over seeds, mean ± half width of its 95 % interval."
    return Table(("arm", "seeds", *results.scalars), cells, f"{caption} {facts.NUMBERS}")


def _samples(results: Results, credit: str) -> list[Block]:
    """The grids of the first seed that finished in any arm; for many arms also one row of each."""
    if not results.experiment.pictures:
        return [Text("The pictures of this image set may not be published, so none is shown.")]
    seeds = [s for s in results.seeds if any(s in by_seed for by_seed in results.runs.values())]
    if not seeds:
        return [Text("No run finished, so there are no pictures.")]
    runs = {arm: r[seeds[0]] for arm, r in results.runs.items() if seeds[0] in r}
    places, drawn = strips(runs, colours(results.curves))
    if not drawn:
        return [Text("No sample grid was kept.")]
    told = Text(f"Seed {seeds[0]}. Every picture shows {shown(runs.values())}.")
    seen = [found] if (found := judged(runs, seeds[0])) else []
    if len(runs) > MANY_ARMS and (rows := gallery(results)):
        return [rows, told, Samples(places, drawn, [], credit), *seen]
    return [told, Samples(places, drawn, _pictures(runs, seeds[0]), credit), *seen]


def _pictures(runs: Mapping[str, Run], seed: int) -> list[Picture]:
    """For each arm the last grid, and the last one before its first intervention; each grid once.

    Arms with a shared past, or with a G that no longer learns, have grids in common.
    """
    found: dict[bytes, Picture] = {}
    used: set[str] = set()
    for arm, run in runs.items():
        epochs = sampled_epochs(run)
        if not epochs:
            continue
        name = stem = slug(arm) or "arm"
        while name in used:
            name = f"{stem}-{len(used) + 1}"
        used.add(name)
        first = min((c.first_epoch() for c in run.recipe.interventions), default=0)
        before = [at_or_before(epochs, first)] if epochs[0] <= first < epochs[-1] else []
        for epoch in (*before, epochs[-1]):
            when = "the end" if epoch == epochs[-1] else "just before the change"
            caption = f"{arm}, seed {seed}, after {epoch} epochs ({when})"
            content = needed(
                run.sample(epoch), "the picture", "delete it; the note is made without it"
            )
            if content in found:
                same = found[content]
                found[content] = replace(same, caption=f"{same.caption}; the same: {caption}")
            else:
                file = f"{name}-s{seed}-epoch-{epoch:04d}.png"
                found[content] = Picture(run.sample(epoch), file, caption)
    return list(found.values())

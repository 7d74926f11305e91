"""The note of one run: its recipe, curves, images and origin."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from bascule.diagnostics.rules import Finding, diagnose, silence
from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.schedule import curve
from bascule.reports import facts
from bascule.reports.compare import curves_of, distinct_names
from bascule.reports.evaluation import evaluation_table, title
from bascule.reports.figures import colours
from bascule.reports.page import Block, Lines, Page, Samples, Section, Table, Text
from bascule.reports.publish import write_page
from bascule.reports.samples import Picture, Strip, data_uri, sampled_epochs, strips
from bascule.runs.evaluations import judged, neighbour_file
from bascule.runs.store import Run
from bascule.sdpc.reports import coding
from bascule.translation.report import translation_tables

NEIGHBOURS = (
    "Left: random fakes, each beside its 4 nearest training images. Middle: the fakes nearest to a "
    "training image. Right: the pairs of fakes nearest to one another."
)
SHOWN = (  # name in diagnostics.jsonl; description; name of its floor, or else its ideal value
    ("auc_held_out", "AUC of D, held-out reals against fakes", "", "0.5"),
    ("auc_train_vs_held_out", "AUC of D, training against held-out reals", "", "0.5"),
    ("r_v", "r_v: what D knows of training images only", "", "0"),
    ("ece", "calibration error of D", "", "0"),
    ("grad_norm_D", "gradient norm of D", "", "–"),
    ("grad_norm_G", "gradient norm of G", "", "–"),
    ("auc_game", "AUC of D, training images against fakes", "", "0.5"),
    ("mmd", "KID[random-conv-s0,64px]", "mmd_floor", ""),
    ("coverage", "coverage[random-conv-s0,64px]", "coverage_floor", ""),
    ("vendi_ratio", "Vendi score over that of held-out reals", "", "1"),
    ("vendi_train", "Vendi score over that of training images", "", "1"),
    ("contrast_train", "contrast of a picture over that of training images", "", "1"),
    ("one_nn_fake", "1-NN accuracy on fakes", "", "0.5"),
    ("C_T", "C_T (copies: below −3)", "", "0"),
    ("nearest_50", "median distance to the nearest training image, over held-out", "", "1"),
)


def write_run_note(run: Run, credit: str, relatives: Sequence[Run] = ()) -> Path:
    """Write ``note.md`` and ``note.html`` into the run's folder; returns the HTML file.

    ``relatives``: other runs whose curves are drawn, such as the parent of a fork.
    """
    names = distinct_names([run, *relatives])
    drawn = {name: {r.recipe.seed: r} for name, r in zip(names, [run, *relatives], strict=True)}
    status = run.status
    state = f"{status['state']}, {len(run.rows())} of {run.recipe.epochs} epochs"
    if status.get("message"):
        state += f": {facts.without_paths(status['message'])}"
    lead = [("State", Text(state))]
    if run.fork:
        past = f"the first {run.fork.epoch} epochs are those of {run.fork.parent}"
        lead.append(("Fork", Text(past)))
    parent = next((r for r in relatives if run.fork and r.id == run.fork.parent), None)
    if parent:
        told = facts.recipe_differences(parent.recipe, run.recipe)
        lead.append(("Differs from its parent in", Text(told)))
    diagnosis = diagnose(run.diagnostics())
    if diagnosis:
        lead.append(("Diagnosis", Text(", ".join(finding.name for finding in diagnosis))))
    is_gan = run.recipe.gan_objective is not None  # other runs have no D of images
    sections = [
        Section("Curves", [curves_of(drawn)]),
        Section("Last scalars", [_scalars(run)]),
        *([Section("Diagnosis", _diagnosis(run, diagnosis))] if is_gan else []),
        Section("Measured", _measured(run, credit)),
        Section("Samples", _samples(run, credit)),
        Section(
            "Recipe",
            [
                Table(("field", "value"), [*facts.recipe_rows(run.recipe), _seed(run)], plain=True),
                Lines(credit),
            ],
        ),
        Section("Reproduce", _repeat(run)),
        Section("Where it comes from", [_provenance(run)]),
    ]
    return write_page(Page("run", run.name, lead, sections), run.folder, "note")


def _repeat(run: Run) -> list[Block]:
    """The command that trains it again, in its folder, and what of it repeats."""
    told: list[Block] = [Text(facts.reproducibility([run], "Where it comes from"))]
    if run.fork:  # its past is that of another recipe
        return told
    command = shlex.join(["bascule", "train", "recipe.json", "--name", run.name])
    return [Lines(command, code=True), Text("In the folder of the run."), *told]


def _scalars(run: Run) -> Table | Text:
    rows = run.rows()
    if not rows:
        return Text("No epoch is complete yet.")
    scalars = facts.scalars_of(run)
    averages = facts.finals([curve(run)], scalars)
    # The last value of each scalar, which may be from an earlier stage.
    last = {name: value for row in rows for name, value in row.items()}
    cells = [
        (
            scalar,
            averages[place],
            *(
                facts.number(last[name]) if name in last else "–"
                for name in (scalar, f"{scalar}_std", f"{scalar}_min", f"{scalar}_max")
            ),
        )
        for place, scalar in enumerate(scalars)
    ]
    columns = ("scalar", facts.LAST, "last epoch", "its deviation", "lowest batch", "highest batch")
    return Table(columns, cells, facts.NUMBERS)


def _samples(run: Run, credit: str) -> list[Samples | Text]:
    epochs = sampled_epochs(run)
    if not epochs:
        return [Text("No sample grid yet.")]
    places, drawn = strips({run.name: run}, colours([run.name]))
    source = run.sample(epochs[-1])
    picture = Picture(source, source.name, f"{run.name}, after {epochs[-1]} epochs")
    return [Text(f"Shown: {run.recipe.sample_caption}."), Samples(places, drawn, [picture], credit)]


def _diagnosis(run: Run, found: Sequence[Finding]) -> list[Block]:
    """The findings of the diagnosis rules, and the main numbers of the newest row with floors."""
    rows = run.diagnostics()
    if not rows:
        return [Text("No diagnostics yet.")]
    blocks: list[Block] = []
    if found:
        names = [f.name if f.calibrated else f"{f.name} (uncalibrated)" for f in found]
        told = [
            (name, str(f.since_epoch), f.evidence) for name, f in zip(names, found, strict=True)
        ]
        blocks.append(Table(("finding", "since epoch", "evidence"), told))
    if unsaid := silence(rows):
        blocks.append(Text(unsaid))
    newest = rows[-1]
    numbers = [
        (what, facts.number(newest[name]), facts.number(newest[floor]) if floor in newest else best)
        for name, what, floor, best in SHOWN
        if name in newest
    ]
    caption = (
        f"After {int(newest['epoch']) + 1} epochs, on {int(newest['asked'])} pictures of each "
        "kind; features of random convolutions. Every row is in diagnostics.jsonl."
    )
    return [*blocks, Table(("measure", "value", "floor or ideal"), numbers, caption)]


def _measured(run: Run, credit: str) -> list[Block]:
    """The table of every evaluation, the latest first, with the image of nearest neighbours."""
    kept = judged(run)
    if not kept:
        return [Text(f"Not evaluated yet: run `bascule evaluate {run.id}`.")]
    blocks: list[Block] = []
    for evaluation in reversed(kept):
        heading, tables = tables_of(evaluation, run.recipe.evaluates)
        blocks += [Text(heading), *tables]
        blocks += [Text(remark) for remark in evaluation.remarks()]
    if blocks and (picture := _neighbours(run, kept[-1].epoch, credit)):
        blocks.append(picture)
    return blocks


def tables_of(evaluation: Evaluation, evaluates: str) -> tuple[str, list[Table]]:
    """The title and the tables of an evaluation. ``evaluates``: that of the recipe."""
    if evaluates == "codes":
        return coding.title(evaluation), [coding.coding_table(evaluation)]
    if evaluates == "translations":
        return title(evaluation), translation_tables(evaluation)
    return title(evaluation), [evaluation_table(evaluation)]


def _neighbours(run: Run, epoch: int | None, credit: str) -> Samples | None:
    """The latest image of nearest neighbours from ``bascule evaluate``; None if there is none."""
    source = run.folder / neighbour_file(epoch)
    if not source.exists():
        return None
    strip = Strip(NEIGHBOURS, colours([run.name])[run.name], [(epoch or 0, data_uri(source))])
    return Samples([epoch or 0], [strip], [Picture(source, source.name, NEIGHBOURS)], credit)


def _seed(run: Run) -> tuple[str, str]:
    return "seed", str(run.recipe.seed)


def _provenance(run: Run) -> Table:
    speed = facts.speed(run)
    rows = [
        ("run", run.id),
        ("images/s", f"{speed} in the mean over epochs" if speed != "–" else speed),
        ("images trained on", f"{facts.images_trained(run):,}"),
        *facts.provenance([run]),
    ]
    return Table(("fact", "value"), rows, plain=True)

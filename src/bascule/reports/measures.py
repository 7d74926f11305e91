"""Tables of the measurements, a row for every arm: metrics, their floor, minutes and speed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf, isfinite, nan

import numpy as np

from bascule.evaluation.evaluation import Evaluation, by_reason
from bascule.experiments.experiment import Measure, MeasureTranslation
from bascule.experiments.scalars import limits
from bascule.experiments.schedule import Results
from bascule.metrics.measurement import Measurement
from bascule.metrics.metric import Measured
from bascule.reports import facts
from bascule.reports.page import Block, Table, Text
from bascule.runs.evaluations import judged
from bascule.runs.store import Run

KID = "KID"
OVERFIT = "auc_train_vs_held_out"  # its name in diagnostics, during training ...
OF_D = "AUC of D, train vs held-out"  # ... and its name here
# Labels without their brackets; the most important first.
FIRST = (
    *(KID, "KID on held-out", "coverage of held-out", "out of vocabulary", "mean TV"),
    *("paired L1", "R@1", "attributes kept", "cycle L1"),
)
MORE = (
    *("coverage", "precision", "recall", "missing categories", "joint coverage"),
    *("joint coverage in vocabulary", "authenticity", "C_T", OF_D),
    *("paired SSIM", "attributes matched"),
)
CAPTION = (
    "Mean over seeds ± half its 95 % t interval, at the end of the runs. Minutes: training time of "
    "a run as it was, without callbacks and without a past that it shares."
)
FLOOR = "Floor: held-out reals in the place of the fakes."
BEST = "Floor: what the true counterparts score, or held-out pictures of the second kind."
BY_HEART = (
    f"{OF_D}: how often D, as in training, scores a training picture higher than a held-out one; "
    "1/2: it has memorised none."
)
Last = Mapping[str, Measured]  # by the label without its brackets


def measures(results: Results) -> list[Block]:
    """Tables of all arms, and what was left out. Empty if no run was measured at its end."""
    tables = measures_tables(results)
    names = (*FIRST, *_own(results))
    shown = tables if any(name in tables[0].columns for name in names) else []
    return [*shown, *left_out(results)]


def left_out(results: Results) -> list[Text]:
    """What could not be measured at the end of the runs, one line per reason."""
    runs = [run for by_seed in results.runs.values() for run in by_seed.values()]
    found = [evaluation for run in runs if (evaluation := _at_the_end(run, results.saw))]
    told = by_reason({one.label: one.why for e in found for one in e.left_out})
    return [Text(f"{names} left out: {why}.") for names, why in told]


def measures_tables(results: Results, first: str = "arm", by_kid: bool = False) -> list[Table]:
    """One or two tables with a row for each arm, and the floor in the last row.

    The first table has the minutes and the most important measurements, the second one the others,
    if there are any. ``by_kid``: sort by KID, lowest first. ``first``: the title of the first
    column.
    """
    told = {arm: seeds for arm, seeds in _last_measured(results).items() if results.runs[arm]}
    if by_kid:
        told = dict(sorted(told.items(), key=lambda item: _mean_kid(item[1])))
    best = BEST if isinstance(results.experiment.measure, MeasureTranslation) else FLOOR
    order = " The lowest KID comes first." if by_kid else ""
    paces = {arm: _pace(list(results.runs[arm].values())) for arm in told}
    prices = _prices(results)
    draws = ("evaluations a picture", "ms a picture") if prices else ()
    own = _own(results)
    columns, rows = _cells(told, (*FIRST, *own), own)
    main = Table(
        (first, "minutes", "epochs", "images/s", *draws, *columns),
        [
            (arm, *paces.get(arm, ("", "", "")), *prices.get(arm, [""] * len(draws)), *cells)
            for arm, *cells in rows
        ],
        f"{CAPTION} {best}{order}{_judge(results)} {facts.NUMBERS}",
    )
    columns, rows = _cells(told, MORE)
    by_heart = f" {BY_HEART}" if OF_D in columns else ""
    caption = f"More of the same runs.{by_heart} {facts.NUMBERS}"
    more = Table((first, *columns), rows, caption)
    return [main, more] if columns else [main]


def _judge(results: Results) -> str:
    """The feature space, if it is not the default one."""
    measure = results.experiment.measure
    if isinstance(measure, Measure) and measure.features:
        return f" Features: {measure.space}."
    return ""


def _pace(runs: Sequence[Run]) -> tuple[str, str, str]:
    """Minutes, epochs and images/s."""
    speeds = [float(np.mean(speed)) for run in runs if (speed := facts.images_per_s(run))]
    minutes = facts.plus_minus([facts.training_seconds(run) / 60 for run in runs])
    return minutes, str(runs[0].recipe.epochs), facts.plus_minus(speeds)


def _prices(results: Results) -> dict[str, tuple[str, str]]:
    """arm -> evaluations of its network for a picture, and milliseconds.

    Empty if one evaluation draws a picture in every arm.
    """
    found = {
        arm: [
            e.price for run in by_seed.values() if (e := _at_the_end(run, results.saw)) and e.price
        ]
        for arm, by_seed in results.runs.items()
    }
    if all(price.evaluations == 1 for prices in found.values() for price in prices):
        return {}
    return {
        arm: (str(prices[0].evaluations), facts.plus_minus([price.ms for price in prices]))
        for arm, prices in found.items()
        if prices
    }


def _cells(
    told: Mapping[str, Sequence[Last]],
    names: Sequence[str],
    own: Mapping[str, Measurement] | None = None,
) -> tuple[list[str], list[tuple[str, ...]]]:
    """The ``names`` that any arm has, and a row of their cells for each arm and for the floor."""
    every = [seed for seeds in told.values() for seed in seeds]
    shown = [name for name in names if any(name in seed for seed in every)]
    rows = [
        (
            arm,
            *(
                facts.plus_minus(
                    [s[name].value for s in seeds if name in s], limits((own or {}).get(name, name))
                )
                for name in shown
            ),
        )
        for arm, seeds in told.items()
    ]
    floors = [_floor([seed[name].floor for seed in every if name in seed]) for name in shown]
    return shown, [*rows, ("floor", *floors)]


def _own(results: Results) -> dict[str, Measurement]:
    """The user's metrics in the experiment: name -> measurement."""
    measure = results.experiment.measure
    return measure.own() if isinstance(measure, Measure) else {}


def _mean_kid(seeds: Sequence[Last]) -> float:
    kids = [seed[KID].value for seed in seeds if KID in seed]
    return float(np.mean(kids)) if kids else inf


def _last_measured(results: Results) -> dict[str, list[Last]]:
    """arm -> the measurements at the end of its runs, including those of D, one item per seed."""
    found: dict[str, list[Last]] = {}
    for arm, by_seed in results.runs.items():
        found[arm] = []
        for seed, run in by_seed.items():
            told = _by_name(_at_the_end(run, results.saw))
            asked = facts.final(results.curves[arm][seed], OVERFIT)
            if asked is not None:
                told[OF_D] = Measured(asked, 0.5, nan, nan, 0, 0, 1)
            found[arm].append(told)
    return found


def _at_the_end(run: Run, saw: Collection[str]) -> Evaluation | None:
    """The evaluation after the last epoch of a run; None if there is none.

    ``saw``: feature networks that games beside it have seen.
    """
    found = [e for e in judged(run, saw) if e.epoch == run.recipe.epochs]
    return found[-1] if found else None


def _by_name(evaluation: Evaluation | None) -> dict[str, Measured]:
    """The first value of each name; it belongs to the default features."""
    found: dict[str, Measured] = {}
    for value in evaluation.values if evaluation else ():
        found.setdefault(value.measurement.name, value.measured)
    return found


def _floor(floors: Sequence[float]) -> str:
    """The floor, as the range over arms, since it depends on the size of the image set."""
    known = [x for x in floors if isfinite(x)]
    if not known:
        return "–"
    low, high = facts.number(min(known)), facts.number(max(known))
    return low if low == high else f"{low} to {high}"

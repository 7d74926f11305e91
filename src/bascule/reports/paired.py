"""Numbers of several arms: their means, and their differences to the first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from bascule.core.errors import UserError
from bascule.evaluation.evaluation import Value, by_reason, one_scale
from bascule.experiments.paired import Difference, Numbers, arms_of, difference
from bascule.experiments.scalars import limits, of_difference
from bascule.experiments.schedule import curve, share_past
from bascule.features.judges import judge_of, why_not
from bascule.reports import facts
from bascule.reports.page import Table
from bascule.runs.evaluations import evaluations, judged
from bascule.runs.store import Run

AS_COLUMNS = 4  # with more arms, arms are rows
CAPTION = (
    "Mean over seeds ± half its 95 % t interval; in brackets, the difference to “{base}” and its "
    f"interval, taken within each seed for arms with a shared past. Scalars: the {facts.LAST}; "
    f"measures: the latest evaluated epoch. {facts.NUMBERS}"
)


def paired_differences(runs: Sequence[Run]) -> tuple[list[Difference], list[str]]:
    """Every other arm minus the first, and the reasons for missing numbers, one line each."""
    (base, theirs), *others = arms_of(runs).items()
    saw = _saw(runs)
    found: list[Difference] = []
    reasons: dict[str, None] = dict.fromkeys(_lost(runs, saw))
    for arm, ours in others:
        if not set(ours) & set(theirs):
            reasons[f"“{arm}” and “{base}” share no seed: nothing can be paired"] = None
            continue
        paired = share_past(ours, theirs)
        for scalar in next(iter(ours.values())).recipe.scalars:
            a, b = _finals(ours, scalar), _finals(theirs, scalar)
            found.append(difference(scalar, arm, base, a, b, paired))
        mine, yours = _values(ours, saw), _values(theirs, saw)
        if not mine or not yours:
            reasons["not every run is evaluated: run `bascule evaluate RUN` for each"] = None
        elif epochs := _different_epochs([*ours.values(), *theirs.values()]):
            reasons[f"careful: the runs were evaluated after {epochs} epochs"] = None
        for label in [name for name in mine if name in yours]:
            try:
                _check_scales(label, mine[label], yours[label])
            except UserError as refusal:
                reasons[str(refusal)] = None
                continue
            a, b = _numbers(mine[label]), _numbers(yours[label])
            if set(a) & set(b):
                found.append(difference(label, arm, base, a, b, paired))
    return [d for d in found if d.values], list(reasons)


def _check_scales(label: str, ours: Mapping[Run, Value], theirs: Mapping[Run, Value]) -> None:
    """Raise :class:`UserError` if the two arms cannot be compared.

    From seed to seed, only what an experiment may vary with the seed may differ. Two runs of one
    seed must have the same scale.
    """
    both = [*ours.items(), *theirs.items()]
    one_scale(label, [(run.id, replace(v, scale=v.scale.over_seeds)) for run, v in both])
    for run, value in ours.items():
        same = [
            (other.id, v) for other, v in theirs.items() if other.recipe.seed == run.recipe.seed
        ]
        one_scale(label, [(run.id, value), *same])


def numbers_table(runs: Sequence[Run], found: Sequence[Difference], rows_of: str = "") -> Table:
    """Scalars and measurements of all arms, and the differences of the others to the first.

    Arms are columns, or rows if there are many. ``rows_of``: "each" gives a row for each number of
    each arm, for a narrow terminal.
    """
    arms = arms_of(runs)
    base, *_ = arms
    names = dict.fromkeys(
        [*(s for by in arms.values() for r in by.values() for s in r.recipe.scalars)]
        + [d.name for d in found]
    )
    apart = {(d.name, d.arm): d for d in found}
    saw = _saw(runs)
    means = {(name, arm): _mean(name, arms[arm], saw) for name in names for arm in arms}
    told = {key: _apart(apart[key], arms) if key in apart else "" for key in means}
    caption = CAPTION.format(base=base)
    rows: list[tuple[str, ...]]
    control = {arm: f"{arm} (control)" if arm == base and len(arms) > 1 else arm for arm in arms}
    if rows_of == "each":
        rows = [
            (name if arm == base else "", arm, means[name, arm], told[name, arm])
            for name in names
            for arm in arms
        ]
        return Table(("number", "arm", "mean", f"minus “{base}”"), rows, caption)
    cells = {key: f"{means[key]} ({told[key]})" if told[key] else means[key] for key in means}
    if len(arms) <= AS_COLUMNS:
        rows = [(name, *(cells[name, arm] for arm in arms)) for name in names]
        return Table(("number", *control.values()), rows, caption)
    rows = [(control[arm], *(cells[name, arm] for name in names)) for arm in arms]
    return Table(("arm", *names), rows, caption)


def _lost(runs: Sequence[Run], saw: Collection[str]) -> Iterator[str]:
    """What was measured, but by networks that games compared have seen; one line a reason."""
    found = {
        value.label: why
        for run in runs
        for evaluation in evaluations(run.folder)[-1:]
        for value in evaluation.values
        if (why := why_not(saw, value.space))
    }
    for names, why in by_reason(found):
        yield (f"{names} left out: {why}; evaluate every run with --extractor {judge_of(saw)}")


def _saw(runs: Sequence[Run]) -> set[str]:
    """The feature networks that the game of any run has seen."""
    return {name for run in runs for name in run.saw}


def _mean(name: str, runs: Mapping[int, Run], saw: Collection[str]) -> str:
    values = _finals(runs, name) or _numbers(_values(runs, saw).get(name, {}))
    recipes = [run.recipe for run in runs.values()]
    return facts.plus_minus(list(values.values()), limits(name, recipes))


def _apart(found: Difference, arms: Mapping[str, Mapping[int, Run]]) -> str:
    """A difference with its sign, and its seeds if not every run has a partner."""
    limit = limits(found.name)
    shown = found.interval.within(*of_difference(limit, limit))
    told = facts.interval(shown).removesuffix(" [no interval]")
    every = set(arms[found.arm]) | set(arms[found.than])
    seeds = "" if set(found.values) == every else f", seeds {' '.join(map(str, found.values))}"
    return f"{'+' if shown.mean > 0 else ''}{told}{seeds}"


def _finals(runs: Mapping[int, Run], scalar: str) -> Numbers:
    found = {seed: facts.final(curve(run), scalar) for seed, run in runs.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def _values(runs: Mapping[int, Run], saw: Collection[str]) -> dict[str, dict[Run, Value]]:
    """label -> run -> value, from each run's last evaluation.

    ``saw``: the feature networks that the games compared have seen.
    """
    found: dict[str, dict[Run, Value]] = {}
    for run in runs.values():
        for evaluation in judged(run, saw)[-1:]:
            for value in evaluation.values:
                found.setdefault(value.label, {})[run] = value
    return found


def _different_epochs(runs: Sequence[Run]) -> str:
    """ "20 and 40" if the last evaluations are of different epochs, else empty."""
    evaluated = [e for run in runs for e in judged(run)[-1:]]
    epochs = sorted({e.epoch for e in evaluated if e.epoch is not None})
    return " and ".join(map(str, epochs)) if len(epochs) > 1 else ""


def _numbers(values: Mapping[Run, Value]) -> dict[int, float]:
    return {run.recipe.seed: value.measured.value for run, value in values.items()}

"""From rows of measurements to names: what is going on in this game, since when, and why we say so.

A rule names a condition on one row and speaks when the newest rows meet it without a break: a
name is about the present, and not about one bad moment. Every threshold was chosen on synthetic
failures of some seeds and tried on others (``benchmarks/diagnostics.py``; the table is in
``notes/diagnostics.md``). A rule passes when it names four games of five in each case made for it
and no healthy one; one that was not tried, or did not pass, says that it is uncalibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bascule.metrics.oscillation import oscillation
from bascule.training.loop import Row

ROWS = 3  # in a row: the logits of one epoch jump, those of three rarely agree by chance

WON_AUC = 0.99  # of 100 pairs of a real and a fake D orders 99
WON_MMD = 0.9  # G learns all the same while its MMD falls by a tenth from three rows to the next
BLIND_AUC = 0.55  # at 192 pictures less than two standard errors above a coin
UNLIKE_MMD = 10.0  # standard errors: fakes that anyone else tells from reals
FEW_KINDS = 0.6  # of the Vendi score of held-out reals, which alone a grey young G falls short of,
FEW_DIRECTIONS = 0.4  # and of their effective rank: a few pictures again and again,
LITTLE_SPREAD = 0.35  # or of their mean distance: one picture with a little noise
BY_HEART_AUC = 0.65  # training against held-out reals: 5 standard errors at 192 pictures, 3 at 64
BY_HEART_R_V = 0.25  # a quarter of what D knows of training images it does not know of others
COPIED_C_T = -3.0  # standard errors, as Meehan et al. 2020 take them
COPIED_NEAREST = 0.5  # the typical fake is twice as near to a training image as a new real is
FORGOTTEN = 0.5  # D takes most fakes of some old epoch for real,
KNOWS_AUC = 0.75  # though it tells today's
CHANCE = 0.001  # that either series has such a wave by chance
SWING = 0.1  # of D's own spread over pictures, for its logits
SWING_BRIGHTNESS = 0.01  # two or three levels of 255, for G's pictures
NEWEST = 64  # rows in which a wave is looked for: it is about the present too

NAMES = (
    "D wins",
    "D dead",
    "mode collapse",
    "D over-fits",
    "memorisation",
    "forgetting",
    "oscillation",
    "healthy",
)
UNCALIBRATED = frozenset(
    {
        "forgetting",  # no case was made that forgets for certain
        "D over-fits",  # no false alarm, but it named 2 of 5 games with few images
    }
)


@dataclass(frozen=True)
class Finding:
    """One name, the epoch (from 0) since which it holds, and what was seen in the newest row."""

    name: str
    since_epoch: int
    evidence: str
    values: Row
    calibrated: bool


@dataclass(frozen=True)
class Rule:
    """A name, and the condition on a row that holds all that it ``needs``."""

    name: str
    needs: tuple[str, ...]
    holds: Callable[[Row], bool]
    evidence: str  # filled with the newest row's values

    def stretch(self, rows: Sequence[Row]) -> list[Row]:
        """The newest rows that meet the condition without a break, oldest first."""
        able = [row for row in rows if set(self.needs) <= row.keys()]
        length = 0
        while length < len(able) and self.holds(able[-1 - length]):
            length += 1
        return able[len(able) - length :]

    def find(self, rows: Sequence[Row]) -> Finding | None:
        stretch = self.stretch(rows)
        return self.told(stretch) if len(stretch) >= ROWS else None

    def told(self, stretch: Sequence[Row]) -> Finding:
        return _finding(self.name, stretch[0], stretch[-1], self.needs, self.evidence)


def diagnose(rows: Sequence[Row]) -> list[Finding]:
    """What the rows of one run, oldest first, say of its newest state.

    Several names may hold at once. *healthy* stands alone: nothing else was found, in at least
    three rows. Rows of too few held-out images (no ``mmd``) count for nothing; an empty list
    means that too little was measured.
    """
    rows = [_with_old_fakes(row) for row in rows if "mmd" in row]
    found = [rule.find(rows) for rule in RULES]
    found += [_wins(rows), _over_fits(rows), _oscillates(rows)]
    named = [finding for finding in found if finding]
    if named or len(rows) < ROWS:
        return sorted(named, key=lambda finding: NAMES.index(finding.name))
    needs = (
        *("auc_held_out", "mmd", "mmd_floor", "coverage", "coverage_floor", "vendi_ratio"),
        "auc_train_vs_held_out",
    )
    return [_finding("healthy", rows[-ROWS], rows[-1], needs, _HEALTHY)]


_HEALTHY = (
    "no failure that we know of: AUC {auc_held_out:.2f}, MMD {mmd:.2g} (floor {mmd_floor:.2g}), "
    "coverage {coverage:.2f} (floor {coverage_floor:.2f}), variety {vendi_ratio:.2f} of the "
    "reals', training against held-out reals {auc_train_vs_held_out:.2f}"
)

RULES = (
    Rule(
        "D dead",
        ("auc_held_out", "mmd", "mmd_se", "logit_std"),
        lambda row: row["auc_held_out"] <= BLIND_AUC and row["mmd"] >= UNLIKE_MMD * row["mmd_se"],
        "D does not tell fakes from held-out reals (AUC {auc_held_out:.2f}, logits spread "
        "{logit_std:.2g}), though they differ: MMD {mmd:.2g}, standard error {mmd_se:.1g}",
    ),
    Rule(
        "mode collapse",
        ("vendi_ratio", "rank_ratio", "distance_ratio"),
        lambda row: (
            row["vendi_ratio"] <= FEW_KINDS
            and (row["rank_ratio"] <= FEW_DIRECTIONS or row["distance_ratio"] <= LITTLE_SPREAD)
        ),
        "fakes hold {vendi_ratio:.2f} of the kinds, {rank_ratio:.2f} of the directions and "
        "{distance_ratio:.2f} of the distances of held-out reals",
    ),
    Rule(
        "memorisation",
        ("C_T", "nearest_50", "nearest_10"),
        lambda row: row["C_T"] <= COPIED_C_T and row["nearest_50"] <= COPIED_NEAREST,
        "fakes sit on training images: C_T {C_T:.1f}, and the typical one is at {nearest_50:.2f} "
        "of a held-out real's distance to its nearest; look at the pairs",
    ),
    Rule(
        "forgetting",
        ("old_fakes", "auc_held_out"),
        lambda row: row["old_fakes"] < FORGOTTEN and row["auc_held_out"] >= KNOWS_AUC,
        "D calls only {old_fakes:.2f} of the fakes of some old epoch fake, but tells today's "
        "(AUC {auc_held_out:.2f})",
    ),
)

_WON = Rule(
    "D wins",
    ("auc_held_out", "D_fake", "mmd"),
    lambda row: row["auc_held_out"] >= WON_AUC,
    "D orders a real before a fake always (AUC {auc_held_out:.3f}, mean D(G(z)) {D_fake:.2g}), and "
    "G no longer gets nearer: MMD {mmd:.2g}",
)


def _wins(rows: Sequence[Row]) -> Finding | None:
    """*D wins* needs twice as many rows: whether G still learns is seen by comparing them."""
    stretch = _WON.stretch(rows)
    if len(stretch) < 2 * ROWS:
        return None
    mmd = [row["mmd"] for row in stretch]
    if fmean(mmd[-ROWS:]) < WON_MMD * fmean(mmd[-2 * ROWS : -ROWS]):
        return None
    return _WON.told(stretch)


_OVER_FITS = Rule(
    "D over-fits",
    ("auc_train_vs_held_out", "r_v", "r_t"),
    lambda row: row["auc_train_vs_held_out"] >= BY_HEART_AUC and row["r_v"] >= BY_HEART_R_V,
    "D tells training images from held-out ones: AUC {auc_train_vs_held_out:.2f} (0.5 is right), "
    "r_v {r_v:.2f}, r_t {r_t:.2f}, means of the newest rows",
)


def _over_fits(rows: Sequence[Row]) -> Finding | None:
    """*D over-fits* goes by the means of three rows: with few images a single one jumps."""
    able = [row for row in rows if set(_OVER_FITS.needs) <= row.keys()]
    windows = [able[end - ROWS : end] for end in range(ROWS, len(able) + 1)]
    means: list[Row] = [
        {name: fmean(row[name] for row in window) for name in _OVER_FITS.needs}
        | {"epoch": window[ROWS // 2]["epoch"]}
        for window in windows
    ]
    stretch = _OVER_FITS.stretch(means)
    return _OVER_FITS.told(stretch) if stretch else None


def _oscillates(rows: Sequence[Row]) -> Finding | None:
    """*oscillation*: a wave in D's mean logit of fixed reals, or in the brightness of fixed z."""
    even = [row for row in rows if (row["epoch"] + 1) % row["every_epochs"] == 0][-NEWEST:]
    if not even:
        return None
    spread = fmean(row["logit_std"] for row in even)
    for name, least in (("logit_held_out", SWING * spread), ("fake_mean", SWING_BRIGHTNESS)):
        wave = oscillation([row[name] for row in even])
        if wave and wave.p <= CHANCE / 2 and wave.swing >= least:
            epochs = wave.period * even[-1]["every_epochs"]
            values = {"period_epochs": epochs, "swing": wave.swing, "p": wave.p}
            evidence = (
                f"{name} swings by +-{wave.swing:.2g} every {epochs:.3g} epochs "
                f"(p = {wave.p:.1g}); a wave faster than two rows would look like a slow one"
            )
            return Finding(
                "oscillation",
                int(even[0]["epoch"]),
                evidence,
                values,
                _is_calibrated("oscillation"),
            )
    return None


def _with_old_fakes(row: Row) -> Row:
    """With ``old_fakes``: the smallest share of some old epoch's fakes that D still calls fake."""
    shares = [share for name, share in row.items() if name.startswith("old_fakes_epoch_")]
    return row | {"old_fakes": min(shares)} if shares else row


def _finding(name: str, first: Row, newest: Row, needs: Sequence[str], evidence: str) -> Finding:
    values = {need: newest[need] for need in needs if need in newest}
    told = evidence.format(**values)
    return Finding(name, int(first["epoch"]), told, values, _is_calibrated(name))


def _is_calibrated(name: str) -> bool:
    return name not in UNCALIBRATED

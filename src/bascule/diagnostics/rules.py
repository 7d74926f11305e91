"""Rules that find failures of training in rows of measurements, with the first epoch and evidence.

A rule has a condition for one row. It reports its failure if all newest rows meet the condition, so
a finding is about the present and not about one bad epoch. All thresholds were chosen on synthetic
failures with some seeds, and tested on others (``benchmarks/diagnostics.py``; the table is in
``notes/diagnostics.md``). A rule passes if it reports four of five runs in each case that was made
for it, and no healthy run. A rule that was not tested, or did not pass, is marked as uncalibrated.

With few held-out images (``quality.FEWEST``), rules use training images, and for held-out images
the confidence bounds. Training images cannot show *memorisation*, nor that a run is *healthy*, so
these are not reported then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from bascule.core.errors import UserError
from bascule.diagnostics.quality import FEWEST
from bascule.metrics.logits import auc_at_least
from bascule.metrics.oscillation import oscillation
from bascule.training.loop import Row

ROWS = 3  # consecutive rows: logits of one epoch vary much, but three rarely agree by chance

WON_AUC = 0.99  # D ranks 99 of 100 pairs of a real and a fake correctly
BY_LUCK_AUC = 0.5  # with few held-out images, the 95 % lower bound must be above this
WON_MMD = 0.9  # G still learns if its MMD falls by a tenth from three rows to the next three
BLIND_AUC = 0.55  # with 192 images, less than two standard errors above 0.5
UNLIKE_MMD = 10.0  # standard errors: such fakes clearly differ from reals
FEW_KINDS = (
    0.6  # of the held-out reals' Vendi score. Early grey fakes are below it too, so one more
)
FEW_DIRECTIONS = 0.4  # condition is needed: effective rank (a few images, repeated often),
LITTLE_SPREAD = 0.35  # or mean distance (one image with a little noise), of those of held-out reals
BY_HEART_AUC = 0.65  # training against held-out reals: 5 standard errors at 192 images, 3 at 64
BY_HEART_R_V = 0.25  # a quarter of the difference that D makes between training images and fakes
COPIED_C_T = -3.0  # standard errors, as in Meehan et al. 2020
COPIED_NEAREST = 0.5  # the median fake is twice as near to a training image as a new real is
FORGOTTEN = 0.5  # D takes most fakes of some old epoch for real,
KNOWS_AUC = 0.75  # but recognises the present ones
CHANCE = 0.001  # probability that one of both series has such a wave by chance
SWING = 0.1  # amplitude of logits, as a share of their standard deviation over images
SWING_BRIGHTNESS = 0.01  # amplitude of the fakes' brightness, two or three levels of 255
NEWEST = 64  # rows in which a wave is searched, so that it too is about the present

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
        "forgetting",  # there was no test case that surely forgets
        "D over-fits",  # no false alarm, but it found only 2 of 5 runs with few images
    }
)


@dataclass(frozen=True)
class Finding:
    """A failure, the epoch (from 0) since which it holds, and the evidence in the newest row."""

    name: str
    since_epoch: int
    evidence: str
    values: Row
    calibrated: bool


@dataclass(frozen=True)
class Rule:
    """The name of a failure, and its condition for rows that have all values in ``needs``."""

    name: str
    needs: tuple[str, ...]
    holds: Callable[[Row], bool]
    evidence: str  # a format string for the values of the newest row

    def stretch(self, rows: Sequence[Row]) -> list[Row]:
        """The newest rows that meet the condition without interruption, oldest first."""
        able = [row for row in rows if set(self.needs) <= row.keys()]
        length = 0
        while length < len(able) and self.holds(able[-1 - length]):
            length += 1
        return able[len(able) - length :]

    def find(self, rows: Sequence[Row]) -> Finding | None:
        """The finding, if the newest ``ROWS`` rows or more meet the condition."""
        stretch = self.stretch(rows)
        return self.told(stretch) if len(stretch) >= ROWS else None

    def told(self, stretch: Sequence[Row]) -> Finding:
        """The finding for rows that meet the condition, oldest first."""
        return _finding(self.name, stretch[0], stretch[-1], self.needs, self.evidence)


def diagnose(rows: Sequence[Row]) -> list[Finding]:
    """The findings about the newest state of a run, from its rows, oldest first.

    There may be several. *healthy* is reported only if there is no other finding, in at least three
    rows, with enough held-out images. An empty list means that nothing can be said; then
    :func:`silence` says why. Raises :class:`UserError` for rows of another kind.
    """
    try:
        return _of_few(rows) if _few(rows) else _of_many(rows)
    except KeyError as lacking:
        raise UserError(
            f"a row of diagnostics lacks {lacking}: delete diagnostics.jsonl of the run, which "
            "trains without it"
        ) from None


def _of_many(rows: Sequence[Row]) -> list[Finding]:
    rows = [_with_old_fakes(row) for row in rows if "mmd" in row]
    found = [rule.find(rows) for rule in RULES]
    found += [_wins(rows, _WON), _over_fits(rows, _OVER_FITS), _oscillates(rows)]
    named = [finding for finding in found if finding]
    if named or len(rows) < ROWS:
        return sorted(named, key=lambda finding: NAMES.index(finding.name))
    needs = (
        *("auc_held_out", "mmd", "mmd_floor", "coverage", "coverage_floor", "vendi_ratio"),
        "auc_train_vs_held_out",
    )
    return [_finding("healthy", rows[-ROWS], rows[-1], needs, _HEALTHY)]


def silence(rows: Sequence[Row]) -> str:
    """What :func:`diagnose` cannot say yet, or never with so few held-out images; "" if nothing."""
    if not rows:
        return ""
    newest = rows[-1]
    told = []
    if len(rows) < ROWS:
        told.append(f"No diagnosis yet: {_more(rows, ROWS)} more epochs are needed.")
    if not _few(rows):
        return "".join(told)
    won = len(_WON_OF_FEW.stretch([_bounded(row) for row in rows]))
    if ROWS <= won < 2 * ROWS:
        told.append(
            f"D always ranks reals above fakes; {_more(rows[-won:], 2 * ROWS)} more epochs are "
            "needed to say whether G still improves."
        )
    elif not told and not _of_few(rows):
        told.append("No failure is seen.")
    told.append(
        f"Too few held-out images to tell {NEVER_OF_FEW}: diagnostics use "
        f"{newest['asked']:.0f}, but {FEWEST} are needed."
    )
    return " ".join(told)


def _more(rows: Sequence[Row], wanted: int) -> int:
    """How many more epochs are needed for ``wanted`` rows."""
    every, done = int(rows[-1]["every_epochs"]), int(rows[-1]["epoch"]) + 1
    return (wanted - len(rows)) * every - done % every


def _few(rows: Sequence[Row]) -> bool:
    return bool(rows) and rows[-1].get("asked", FEWEST) < FEWEST


def _of_few(rows: Sequence[Row]) -> list[Finding]:
    """Findings from training images, and confidence bounds of few held-out ones; uncalibrated."""
    rows = [_bounded(_with_old_fakes(row)) for row in rows]
    found = [rule.find(rows) for rule in OF_FEW]
    found += [_wins(rows, _WON_OF_FEW), _over_fits(rows, _OVER_FITS_OF_FEW), _oscillates(rows)]
    named = [replace(finding, calibrated=False) for finding in found if finding]
    return sorted(named, key=lambda finding: NAMES.index(finding.name))


def _bounded(row: Row) -> Row:
    """``row`` with the lower 95 % confidence bounds of the AUCs of few held-out images."""
    return row | {
        f"{name}_least": auc_at_least(row[name], int(row["asked"]))
        for name in ("auc_held_out", "auc_train_vs_held_out")
        if name in row
    }


_HEALTHY = (
    "no known failure: AUC {auc_held_out:.2f}, MMD {mmd:.2g} (floor {mmd_floor:.2g}), "
    "coverage {coverage:.2f} (floor {coverage_floor:.2f}), variety {vendi_ratio:.2f} of the "
    "reals', training against held-out reals {auc_train_vs_held_out:.2f}"
)

RULES = (
    Rule(
        "D dead",
        ("auc_held_out", "mmd", "mmd_se", "logit_std"),
        lambda row: row["auc_held_out"] <= BLIND_AUC and row["mmd"] >= UNLIKE_MMD * row["mmd_se"],
        "D does not distinguish fakes from held-out reals (AUC {auc_held_out:.2f}, logits spread "
        "{logit_std:.2g}), though they differ: MMD {mmd:.2g}, standard error {mmd_se:.1g}",
    ),
    Rule(
        "mode collapse",
        ("vendi_ratio", "rank_ratio", "distance_ratio"),
        lambda row: (
            row["vendi_ratio"] <= FEW_KINDS
            and (row["rank_ratio"] <= FEW_DIRECTIONS or row["distance_ratio"] <= LITTLE_SPREAD)
        ),
        "fakes have {vendi_ratio:.2f} of the Vendi score, {rank_ratio:.2f} of the effective rank "
        "and {distance_ratio:.2f} of the mean distance of held-out reals",
    ),
    Rule(
        "memorisation",
        ("C_T", "nearest_50", "nearest_10"),
        lambda row: row["C_T"] <= COPIED_C_T and row["nearest_50"] <= COPIED_NEAREST,
        "fakes are very near to training images: C_T {C_T:.1f}, and the median fake is at "
        "{nearest_50:.2f} of a held-out real's distance to the nearest one; look at the pairs",
    ),
    Rule(
        "forgetting",
        ("old_fakes", "auc_held_out"),
        lambda row: row["old_fakes"] < FORGOTTEN and row["auc_held_out"] >= KNOWS_AUC,
        "D calls only {old_fakes:.2f} of the fakes of some old epoch fake, but recognises the "
        "present ones (AUC {auc_held_out:.2f})",
    ),
)

NEVER_OF_FEW = "memorisation from a healthy game"
OF_FEW = (
    Rule(
        "D dead",
        ("auc_game", "asked_game", "mmd", "mmd_se", "logit_std"),
        lambda row: row["auc_game"] <= BLIND_AUC and row["mmd"] >= UNLIKE_MMD * row["mmd_se"],
        "D does not distinguish fakes from training images (AUC {auc_game:.2f} with "
        "{asked_game:.0f}, logits spread {logit_std:.2g}), though they differ: MMD {mmd:.2g}, "
        "standard error {mmd_se:.1g}",
    ),
    Rule(
        "mode collapse",
        ("vendi_train", "rank_train", "distance_train", "asked_game"),
        lambda row: (
            row["vendi_train"] <= FEW_KINDS
            and (row["rank_train"] <= FEW_DIRECTIONS or row["distance_train"] <= LITTLE_SPREAD)
        ),
        "fakes have {vendi_train:.2f} of the Vendi score, {rank_train:.2f} of the effective rank "
        "and {distance_train:.2f} of the mean distance of {asked_game:.0f} training images",
    ),
    Rule(
        "forgetting",
        ("old_fakes", "auc_game"),
        lambda row: row["old_fakes"] < FORGOTTEN and row["auc_game"] >= KNOWS_AUC,
        "D calls only {old_fakes:.2f} of the fakes of some old epoch fake, but distinguishes the "
        "present ones from training images (AUC {auc_game:.2f})",
    ),
)

_WON = Rule(
    "D wins",
    ("auc_held_out", "D_fake", "mmd"),
    lambda row: row["auc_held_out"] >= WON_AUC,
    "D always ranks reals above fakes (AUC {auc_held_out:.3f}, mean D(G(z)) {D_fake:.2g}), and "
    "G no longer improves: MMD {mmd:.2g}",
)


_WON_OF_FEW = Rule(
    "D wins",
    (
        *("auc_game", "asked_game", "auc_held_out", "auc_held_out_least", "asked", "D_fake"),
        *("mmd", "contrast_train"),
    ),
    lambda row: row["auc_game"] >= WON_AUC and row["auc_held_out_least"] > BY_LUCK_AUC,
    "D always ranks reals above fakes (AUC {auc_game:.3f} with {asked_game:.0f} training "
    "images, and {auc_held_out:.3f} with {asked:.0f} held-out ones, which shows at least "
    "{auc_held_out_least:.2f} with 95 % confidence; mean D(G(z)) {D_fake:.2g}), and G no longer "
    "improves: MMD {mmd:.2g}, and its images have {contrast_train:.2f} of the contrast of "
    "training images",
)


def _wins(rows: Sequence[Row], won: Rule) -> Finding | None:
    """*D wins* needs twice as many rows, to compare whether G still learns."""
    stretch = won.stretch(rows)
    if len(stretch) < 2 * ROWS:
        return None
    mmd = [row["mmd"] for row in stretch]
    if fmean(mmd[-ROWS:]) < WON_MMD * fmean(mmd[-2 * ROWS : -ROWS]):
        return None
    return won.told(stretch)


_OVER_FITS = Rule(
    "D over-fits",
    ("auc_train_vs_held_out", "r_v", "r_t"),
    lambda row: row["auc_train_vs_held_out"] >= BY_HEART_AUC and row["r_v"] >= BY_HEART_R_V,
    "D distinguishes training from held-out images: AUC {auc_train_vs_held_out:.2f} (ideal 0.5), "
    "r_v {r_v:.2f}, r_t {r_t:.2f}, means of the newest rows",
)
_OVER_FITS_OF_FEW = Rule(
    "D over-fits",
    ("auc_train_vs_held_out", "auc_train_vs_held_out_least", "asked", "r_v", "r_t"),
    lambda row: row["auc_train_vs_held_out_least"] >= BY_HEART_AUC and row["r_v"] >= BY_HEART_R_V,
    "D distinguishes training from held-out images: AUC {auc_train_vs_held_out:.2f} (ideal 0.5) "
    "with {asked:.0f} of each, which shows at least {auc_train_vs_held_out_least:.2f} with 95 % "
    "confidence, r_v {r_v:.2f}, r_t {r_t:.2f}, means of the newest rows",
)


def _over_fits(rows: Sequence[Row], rule: Rule) -> Finding | None:
    """*D over-fits* uses means of three rows, because single rows vary much with few images."""
    able = [row for row in rows if set(rule.needs) <= row.keys()]
    windows = [able[end - ROWS : end] for end in range(ROWS, len(able) + 1)]
    means: list[Row] = [
        {name: fmean(row[name] for row in window) for name in rule.needs}
        | {"epoch": window[ROWS // 2]["epoch"]}
        for window in windows
    ]
    stretch = rule.stretch(means)
    return rule.told(stretch) if stretch else None


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
                f"{name} oscillates by +-{wave.swing:.2g} every {epochs:.3g} epochs "
                f"(p = {wave.p:.1g}); a wave shorter than two rows would look like a slower one"
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
    """``row`` with ``old_fakes``: the least share of old fakes, over epochs, that D calls fake."""
    shares = [share for name, share in row.items() if name.startswith("old_fakes_epoch_")]
    return row | {"old_fakes": min(shares)} if shares else row


def _finding(name: str, first: Row, newest: Row, needs: Sequence[str], evidence: str) -> Finding:
    values = {need: newest[need] for need in needs if need in newest}
    told = evidence.format(**values)
    return Finding(name, int(first["epoch"]), told, values, _is_calibrated(name))


def _is_calibrated(name: str) -> bool:
    return name not in UNCALIBRATED

"""Each rule on rows made by hand: what it takes to speak, and what silences it."""

import math

import pytest

from bascule.diagnostics.rules import NAMES, ROWS, UNCALIBRATED, diagnose

GOOD = {
    **{"every_epochs": 1, "asked": 192, "auc_held_out": 0.9, "D_fake": 0.3},
    **{"mmd": 0.002, "mmd_se": 0.0001, "mmd_floor": 0.0, "logit_std": 2.0},
    **{"coverage": 0.8, "coverage_floor": 0.95, "vendi_ratio": 0.9, "rank_ratio": 0.9},
    **{"distance_ratio": 0.9, "auc_train_vs_held_out": 0.5, "r_v": 0.02, "r_t": 0.5},
    **{"C_T": 1.0, "nearest_50": 1.1, "nearest_10": 1.1},
    **{"logit_held_out": 1.0, "fake_mean": 0.5, "old_fakes_epoch_3": 0.95},
}
FAILURES = {
    "D dead": {"auc_held_out": 0.5},
    "mode collapse": {"vendi_ratio": 0.3, "rank_ratio": 0.1},
    "D over-fits": {"auc_train_vs_held_out": 0.9, "r_v": 0.6},
    "memorisation": {"C_T": -8.0, "nearest_50": 0.1, "nearest_10": 0.05},
    "forgetting": {"old_fakes_epoch_3": 0.2, "old_fakes_epoch_9": 0.9},
}
SILENCED = {  # half of each condition is no failure
    "D dead": {"auc_held_out": 0.5, "mmd": 0.0001},  # an ideal G looks so too
    "mode collapse": {"vendi_ratio": 0.3},  # a grey young G
    "D over-fits": {"auc_train_vs_held_out": 0.9, "r_v": 0.05},
    "memorisation": {"C_T": -8.0},
    "forgetting": {"old_fakes_epoch_3": 0.2, "auc_held_out": 0.6},
}


def rows_of(n=6, **changed):
    return [GOOD | {"epoch": k, "step": 10 * k} | changed for k in range(n)]


def names(rows):
    return [finding.name for finding in diagnose(rows)]


def test_a_good_game_is_healthy_and_too_few_rows_say_nothing():
    assert names(rows_of()) == ["healthy"]
    assert names(rows_of(ROWS - 1)) == [] and names([]) == []
    unmeasured = [{k: v for k, v in row.items() if k != "mmd"} for row in rows_of()]
    assert names(unmeasured) == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_named_with_its_evidence_since_it_began(failure):
    good, bad = rows_of(10)[:5], rows_of(10, **FAILURES[failure])[5:]
    (found,) = diagnose([*good, *bad])
    assert (found.name, found.since_epoch) == (failure, 5)
    assert found.calibrated == (failure not in UNCALIBRATED)
    assert "{" not in found.evidence and found.values


@pytest.mark.parametrize("failure", FAILURES)
def test_a_moment_or_half_a_condition_is_no_failure(failure):
    moment = 9 if failure == "D over-fits" else 8  # one row, for it goes by means; else two
    good, bad = rows_of(10)[:moment], rows_of(10, **FAILURES[failure])[moment:]
    assert names([*good, *bad]) == ["healthy"]
    assert names([*bad, *bad, *good]) == ["healthy"]  # it has passed
    assert names(rows_of(**SILENCED[failure])) == ["healthy"]


def test_d_wins_only_where_g_no_longer_gets_nearer():
    def game(mmd):
        rows = rows_of(8, auc_held_out=1.0)
        return [row | {"mmd": mmd(row["epoch"])} for row in rows]

    assert names(game(lambda epoch: 0.02)) == ["D wins"]
    assert names(game(lambda epoch: 0.02 * 0.9**epoch)) == ["healthy"]
    assert names(game(lambda epoch: 0.02)[:5]) == ["healthy"]  # too early to say


def test_an_oscillation_is_found_with_its_period():
    rows = rows_of(32)
    for row in rows:
        row["logit_held_out"] = 1.0 + 0.8 * math.sin(2 * math.pi * row["epoch"] / 8)
    (found,) = diagnose(rows)
    assert found.name == "oscillation"
    assert found.values["period_epochs"] == pytest.approx(8, rel=0.05)
    for row in rows:  # the same wave, too small beside D's own spread to matter
        row["logit_held_out"] = 1.0 + 0.02 * math.sin(2 * math.pi * row["epoch"] / 8)
    assert names(rows) == ["healthy"]


def test_several_names_come_in_a_fixed_order_and_never_with_healthy():
    found = names(rows_of(8, **FAILURES["memorisation"], **FAILURES["mode collapse"]))
    assert found == ["mode collapse", "memorisation"] == sorted(found, key=NAMES.index)

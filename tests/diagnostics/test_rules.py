"""Each rule on rows made by hand: what it takes to speak, and what silences it."""

import math

import pytest

from bascule.diagnostics.rules import NAMES, ROWS, UNCALIBRATED, diagnose, silence

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


FEW = {  # a healthy game of 200 images, 20 of them held out
    **{"every_epochs": 32, "asked": 20, "asked_game": 160, "auc_game": 0.9, "D_fake": 0.3},
    **{"auc_held_out": 0.9, "auc_train_vs_held_out": 0.5, "r_v": 0.02, "r_t": 0.5},
    **{"mmd": 0.002, "mmd_se": 0.0001, "logit_std": 2.0, "logit_held_out": 1.0, "fake_mean": 0.5},
    **{"vendi_train": 0.9, "rank_train": 0.9, "distance_train": 0.9, "contrast_train": 0.9},
    **{"old_fakes_epoch_3": 0.95},
}
WON = {"auc_game": 1.0, "auc_held_out": 1.0, "D_fake": 0.0005, "contrast_train": 0.1, "mmd": 0.05}
FAILURES_OF_FEW = {
    "D wins": WON,
    "D dead": {"auc_game": 0.5, "auc_held_out": 0.5},
    "mode collapse": {"vendi_train": 0.3, "rank_train": 0.1},
    "D over-fits": {"auc_train_vs_held_out": 0.95, "r_v": 0.6},
    "forgetting": {"old_fakes_epoch_3": 0.2},
}
SILENCED_OF_FEW = {
    "by heart alone": WON | {"auc_held_out": 0.6},
    "too few to tell from luck": WON | {"asked": 4},  # 4 of 4 pairs: at least 0.47
    "an ideal G": {"auc_game": 0.5, "auc_held_out": 0.5, "mmd": 0.0001},
    "a grey young G": {"vendi_train": 0.3},
    "by chance": {"auc_train_vs_held_out": 0.8, "r_v": 0.6},  # 16 of 20 pairs: at least 0.60
}


def few_rows(n=8, **changed):
    return [FEW | {"epoch": 32 * k + 31, "step": k} | changed for k in range(n)]


@pytest.mark.parametrize("failure", FAILURES_OF_FEW)
def test_on_few_pictures_a_failure_is_named_with_how_many_it_rests_on(failure):
    (found,) = diagnose(few_rows(**FAILURES_OF_FEW[failure]))
    assert found.name == failure and "{" not in found.evidence and not found.calibrated
    if failure == "D wins":
        assert "AUC 1.000 with 160 training images, and 1.000 with 20 held-out" in found.evidence
        assert "at least 0.86 with 95 %" in found.evidence and "D(G(z)) 0.0005" in found.evidence
    said = silence(few_rows(**FAILURES_OF_FEW[failure]))
    assert said.startswith("Too few held-out images to tell memorisation from a healthy game")


@pytest.mark.parametrize("case", SILENCED_OF_FEW)
def test_on_few_pictures_chance_is_no_failure_and_nothing_is_called_healthy(case):
    assert names(few_rows(**SILENCED_OF_FEW[case])) == []


def test_on_few_pictures_a_g_that_still_gets_nearer_has_not_lost():
    rows = few_rows(**WON)
    rows = [row | {"mmd": 0.05 * 0.9**k} for k, row in enumerate(rows)]
    assert names(rows) == []


def test_silence_has_its_reason():
    assert silence(rows_of()) == "" == silence([])
    assert silence(rows_of(1)) == "No diagnosis yet: 2 more epochs are needed."
    late = [row | {"every_epochs": 32} for row in (FEW | {"epoch": 31}, FEW | {"epoch": 39})]
    # a row after 32 epochs, one after the last, 40; the third comes after 64
    assert silence(late).startswith("No diagnosis yet: 24 more epochs are needed. Too few held-out")
    assert silence(few_rows()) == (
        "No failure is seen. Too few held-out images to tell memorisation from a healthy game: "
        "diagnostics use 20, but 50 are needed."
    )
    assert "96 more epochs are needed to say whether G" in silence(few_rows(3, **WON))

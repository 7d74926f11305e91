"""Intervals against textbook numbers, and every road to a verdict."""

from dataclasses import dataclass
from math import inf, isnan

import numpy as np
import pytest
from scipy import stats

from bascule.core.errors import UserError
from bascule.experiments.intervals import Interval, t_interval
from bascule.experiments.predictions import Alike, Higher, Lower, Settles, ShareOfRuns, Within
from bascule.experiments.verdict import holm, judge, ranked, verdict


def runs(by_seed, arm="a"):
    return {arm: {s: {"D_x": np.full(4, float(v))} for s, v in by_seed.items()}}


def test_t_interval_of_a_textbook_sample():
    # Student's t with 2 degrees of freedom: 4.303 at 95 %; the sample has deviation 1
    found = t_interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.high - 2.0 == pytest.approx(4.302653 / 3**0.5, abs=1e-5)
    assert found.low == pytest.approx(4.0 - found.high)


def test_t_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [i.low <= 5 <= i.high for i in (t_interval(rng.normal(5, 2, 4)) for _ in range(2000))]
    assert abs(np.mean(hits) - 0.95) < 0.02


def test_few_seeds_have_no_interval():
    assert t_interval([3.0]) == Interval(3.0, -inf, inf)
    assert isnan(t_interval([]).mean)
    assert t_interval([1.0, float("nan")]).high == inf


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(1, 2, "supported"), (1, 4, "inconclusive"), (3.5, 4, "refuted"), (-inf, inf, "inconclusive")],
)
def test_judge(low, high, word):
    assert judge(Interval((low + high) / 2, low, high), (0.0, 3.0)) == word


def test_equal_seeds_decide_nothing_but_a_check_of_the_program():
    """A difference of 0.007 on both of two seeds was once called supported."""
    same = {"a": {s: {"D_x": np.full(4, 0.507)} for s in range(5)}}
    same["b"] = {s: {"D_x": np.full(4, 0.5)} for s in range(5)}
    higher, none = Higher("D_x", "a", than="b"), Alike("D_x", "a", than="b", by=0.1)
    answer = verdict([higher], [none], same, range(5))
    (finding,), (check,) = answer.findings, answer.checks
    assert finding.word == "inconclusive" and isnan(finding.p)
    assert "every seed gave the same number" in finding.reason
    assert check.word == "supported" and check.interval.low == pytest.approx(0.007)


def test_supported_needs_every_prediction():
    near = runs({0: 0.5, 1: 0.51, 2: 0.49})
    good, wide = Within("D_x", "a", 0.4, 0.6), Within("D_x", "a", 0.5, 0.9)
    assert verdict([good], [], near, [0, 1, 2]).word == "supported"
    assert verdict([good, wide], [], near, [0, 1, 2]).word == "inconclusive"


def test_fewer_than_three_seeds_are_never_supported_nor_refuted():
    for told, few in (({0: 0.5}, "one seed"), ({0: 0.5, 1: 0.5001}, "two seeds")):
        for claim in (Within("D_x", "a", 0, 0.9), Within("D_x", "a", 0.8, 0.9)):
            answer = verdict([claim], [], runs(told), list(told))
            assert answer.word == answer.findings[0].word == "inconclusive"
            assert few in answer.why


def test_refuted_survives_the_correction_for_many_predictions():
    seeds = {0: 0.50, 1: 0.51, 2: 0.49}
    logits = np.log(np.array([0.50, 0.51, 0.49]) / np.array([0.50, 0.49, 0.51]))
    half = stats.t.ppf(1 - 0.0125, 2) * logits.std(ddof=1) / 3**0.5
    good = Within("D_x", "a", 0.1, 1)
    # outside the 97.5 % interval of three seeds, just
    barely = Within("D_x", "a", 1 / (1 + np.exp(-half)) + 1e-4, 1)
    clearly = Within("D_x", "a", 0.8, 1)
    alone = verdict([barely], [], runs(seeds), [0, 1, 2])
    among = verdict([barely, good, good], [], runs(seeds), [0, 1, 2])
    assert alone.word == "refuted"
    assert among.word == "inconclusive"
    assert among.findings[0].word == "refuted"
    assert verdict([clearly, good, good], [], runs(seeds), [0, 1, 2]).word == "refuted"


def test_a_check_that_is_not_met_voids_the_verdict():
    seeds = {0: 0.5, 1: 0.51, 2: 0.49}
    good = Within("D_x", "a", 0, 1)
    answer = verdict([good], [Within("D_x", "a", 0.6, 0.7)], runs(seeds), [0, 1, 2])
    assert answer.word == "inconclusive"
    assert "check of the program" in answer.why


def test_a_seed_that_did_not_finish_voids_the_verdict():
    answer = verdict([Within("D_x", "a", 0, 1)], [], runs({0: 0.5, 1: 0.5}), [0, 1, 2])
    assert answer.word == "inconclusive"
    assert "1 of 3 seeds has no finished run" in answer.why
    assert answer.findings[0].word == "inconclusive"  # nor is the word of the others quotable
    assert answer.findings[0].interval.high == inf


def test_the_primary_prediction_alone_decides():
    told = runs({0: 0.5, 1: 0.51, 2: 0.49})
    good, wide = Within("D_x", "a", 0.2, 0.8), Within("D_x", "a", 0.5, 0.9)
    answer = verdict([wide, good], [], told, [0, 1, 2], primary=good)
    assert answer.word == "supported" and "primary" in answer.why
    assert answer.primary is answer.findings[1] and ranked(answer)[0] is answer.primary
    assert verdict([wide, good], [], told, [0, 1, 2], primary=wide).word == "inconclusive"


def test_arms_are_paired_only_if_they_share_a_past():
    """Equal steps of 0.1 within each seed, on seeds that differ by far more."""
    told = {
        arm: {s: {"loss_D": np.full(4, float(s) + more + s / 1000)} for s in range(5)}
        for arm, more in (("a", 0.0), ("b", 0.1))
    }
    told["b"] = {s: {"loss_D": c["loss_D"] + s / 1000} for s, c in told["b"].items()}
    claim = [Higher("loss_D", "b", than="a")]
    (apart,) = verdict(claim, [], told, range(5)).findings
    (paired,) = verdict(claim, [], told, range(5), shares_past=lambda a, b: True).findings
    assert apart.word == "inconclusive" and not apart.paired
    assert paired.word == "supported" and paired.paired
    assert apart.correlation == pytest.approx(1.0, abs=1e-4)
    assert apart.interval.mean == pytest.approx(paired.interval.mean)


def test_a_share_of_runs_has_an_exact_interval():
    told = {"a": {s: {"coverage": np.array([0.5, 0.02 if s == 3 else 0.6])} for s in range(30)}}
    claim = ShareOfRuns("coverage", "a", high=0.1, most=0.2, from_epoch=1)
    (finding,) = verdict([claim], [], told, range(30)).findings
    exact = stats.binomtest(1, 30).proportion_ci(0.95, method="exact")
    assert (finding.interval.low, finding.interval.high) == (exact.low, exact.high)
    assert finding.interval.mean == 1 / 30 and finding.word == "supported"
    assert "share of runs of “a”" in claim.found(finding.shown)
    with pytest.raises(UserError, match="least=0, most=1"):
        ShareOfRuns("coverage", "a", high=0.1)


def test_what_hardly_moves_has_settled():
    """The interval of three deviations near 0 reaches below 0; that is no doubt about rest."""
    still = {"a": {s: {"D_x": np.array([0.5, 0.5 + d])} for s, d in enumerate((0, 1e-4, 3e-4))}}
    answer = verdict([Settles("D_x", "a", within=0.05, from_epoch=0)], [], still, [0, 1, 2])
    assert answer.findings[0].interval.low < 0
    assert answer.word == "supported"


def test_p_is_below_5_percent_exactly_where_there_is_a_word():
    rng = np.random.default_rng(0)
    for n in (3, 5):
        for x in rng.normal(0.4, 0.3, (100, n)):
            told = {"a": {s: {"loss_D": np.full(4, v)} for s, v in enumerate(x)}}
            (f,) = verdict([Within("loss_D", "a", 0.1, inf)], [], told, range(n)).findings
            assert (f.p < 0.05) == (f.word != "inconclusive")


def test_p_counts_the_looks():
    told = {"a": {s: {"loss_D": np.full(4, 1.0 + s / 10)} for s in range(5)}}
    claim = [Within("loss_D", "a", 0.5, inf)]
    first, third = (verdict(claim, [], told, range(5), look=k) for k in (1, 3))
    assert first.findings[0].p == pytest.approx(
        stats.ttest_1samp(1 + np.arange(5) / 10, 0.5).pvalue
    )
    assert third.findings[0].p == pytest.approx(4 * first.findings[0].p)
    assert (first.level, third.level, third.look) == (0.95, 0.9875, 3)


def test_no_p_without_an_interval_or_an_edge():
    for values, low in (((1.0,), 0.5), ((1.0, 1.0, 1.0), 0.5), ((1.0, 2.0, 4.0), -inf)):
        told = {"a": {s: {"loss_D": np.full(4, v)} for s, v in enumerate(values)}}
        claim = Within("loss_D", "a", low, inf)
        (f,) = verdict([claim], [], told, range(len(values))).findings
        assert isnan(f.p)


def test_holm_steps_down_and_never_back():
    """By hand: 4 x 0.011, 3 x 0.016, 2 x 0.03, and 0.031 no lower than what came before it."""
    assert holm([0.03, 0.016, 0.031, 0.011]) == pytest.approx([0.06, 0.048, 0.06, 0.044])
    assert holm([0.049]) == [0.049]
    assert holm([0.03, 0.03]) == [0.06, 0.06]
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_what_has_no_p_counts_among_the_many():
    first, second = holm([float("nan"), 0.001])
    assert isnan(first) and second == 0.002


GOOD = Within("D_x", "a", 0, 1)
NEVER = Within("mmd", "a", 0, 1)  # no run has it


def test_what_no_seed_measured_is_not_measured_and_never_supports():
    near = runs({0: 0.5, 1: 0.51, 2: 0.49})
    answer = verdict([GOOD, NEVER], [], near, [0, 1, 2])
    assert [f.word for f in answer.findings] == ["supported", "not measured"]
    assert answer.word == "inconclusive"
    assert answer.why == (
        "1 of 2 predictions are supported; not measured: mmd of “a” lies in [0, 1] over the run"
    )
    assert isnan(answer.findings[1].interval.mean)


def test_a_verdict_is_never_not_measured_and_says_when_nothing_was():
    for seeds in ([0], [0, 1]):
        answer = verdict([NEVER], [], {"a": {}}, seeds)
        assert answer.word == "inconclusive" and answer.findings[0].word == "not measured"
        assert answer.why.endswith("nothing was measured")


def test_a_check_that_was_not_measured_is_no_failure_of_the_program():
    near = runs({0: 0.5, 1: 0.51, 2: 0.49})
    answer = verdict([GOOD], [NEVER], near, [0, 1, 2])
    assert answer.word == "inconclusive" and "was not measured" in answer.why
    assert "cannot be trusted" not in answer.why


def test_a_seed_without_a_number_is_named_and_the_mean_is_that_of_the_others():
    some = runs({0: 0.5, 1: 0.6, 2: float("nan")})
    (finding,) = verdict([GOOD], [], some, [0, 1, 2]).findings
    assert finding.word == "inconclusive" and isnan(finding.p)
    assert finding.interval == Interval(pytest.approx(0.55), -inf, inf)
    assert finding.reason.startswith("seed 2 of 3 gave no number (NaN")


def test_an_interval_is_shown_within_what_its_number_can_be_and_judged_whole():
    near_0 = {"a": {s: {"D_x": np.array([0.5, 0.5 + d])} for s, d in enumerate((0, 0.01, 0.05))}}
    (finding,) = verdict([Settles("D_x", "a", 0.1, 0)], [], near_0, [0, 1, 2]).findings
    assert finding.interval.low < 0
    assert finding.shown.low == 0.0 and finding.shown.high == finding.interval.high
    assert finding.shown.half == finding.interval.half  # it is known no better
    (free,) = verdict([Within("r_v", "a", 0, 1)], [], {"a": {}}, [0, 1, 2]).findings
    assert free.shown == free.interval


def test_a_share_never_has_an_interval_beyond_its_ends():
    """The plain t interval of these three ends at 1.156."""
    told = runs({0: 0.83, 1: 0.5, 2: 0.79})
    (finding,) = verdict([Within("D_x", "a", 0.1, 0.9)], [], told, [0, 1, 2]).findings
    assert 0 < finding.interval.low < 0.5 and 0.83 < finding.interval.high < 1


def test_what_refutes_comes_first_then_words_then_effects_then_what_is_missing():
    """The half width by hand: the deviation of three seeds is 0.01, t for 97.5 % is 6.205."""
    both = {
        "a": {s: {"D_x": np.full(4, 0.5 + d)} for s, d in enumerate((-0.01, 0, 0.01))},
        "b": {s: {"D_x": np.full(4, 0.1)} for s in range(3)},
    }
    wide = Within("D_x", "a", 0.1, 1)  # 0.4 from its edge
    near = Within("D_x", "a", 0.4, 1)  # 0.1 from one
    edge = Within("D_x", "a", 0.51, 1)  # crossed
    higher, lower = Higher("D_x", "a", than="b"), Lower("D_x", "a", than="b")
    claims = [NEVER, edge, near, wide, higher]
    answer = verdict(claims, [], both, [0, 1, 2])
    assert [f.prediction for f in ranked(answer)] == [higher, wide, near, edge, NEVER]
    by_claim = {f.prediction: f.effect for f in answer.findings}
    assert by_claim[near] == pytest.approx(0.1 / (6.2053 * 0.01 / 3**0.5), rel=0.01)
    assert by_claim[edge] < 1 < by_claim[near] and by_claim[NEVER] == 0
    refuted = verdict([higher, lower], [], both, [0, 1, 2])
    assert refuted.word == "refuted" and ranked(refuted)[0].prediction == lower


@dataclass(frozen=True)
class Halves:
    """What a user may bring: a prediction with the four methods that decide."""

    arm: str = "a"

    def claim(self) -> str:
        return "D_x lies above a half"

    def measured(self) -> str:
        return "mean D_x"

    def region(self) -> tuple[float, float]:
        return 0.5, inf

    def measure(self, curves, seed: int) -> float:
        return float(np.mean(curves[self.arm][seed]["D_x"]))


def test_a_prediction_of_four_methods_is_judged_and_told():
    curves = {"a": {seed: {"D_x": np.array([0.7, 0.8 + seed / 100])} for seed in range(3)}}
    (finding,) = verdict([Halves()], [], curves, range(3)).findings
    assert finding.word == "supported" and set(finding.values) == {0, 1, 2}
    told = finding.prediction.found(finding.shown)
    assert told == "D_x lies above a half? mean D_x: 0.755 [0.737, 0.773]"
    assert finding.prediction.short() == "D_x lies above a half"
    assert finding.prediction.expected() == "at least 0.5"

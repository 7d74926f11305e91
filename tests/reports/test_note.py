"""The lab note: everything asked for is there, and nothing that it must not hold."""

import html
import re
from dataclasses import replace
from math import inf, nan

import pytest

from bascule.experiments.intervals import Interval
from bascule.experiments.predictions import Within
from bascule.experiments.verdict import Finding, holm
from bascule.reports import answer
from bascule.reports.facts import probability
from bascule.reports.note import _findings, experiment_page, write_experiment_note
from bascule.reports.protocol import command, failures
from fakes import ARMS, CREDIT, EPOCHS, SWITCH, fake_results, judged


def texts(page):
    """The Markdown, and the HTML with its entities read."""
    return page.with_suffix(".md").read_text("utf-8"), html.unescape(page.read_text("utf-8"))


def asks_the_network(source: str) -> list[str]:
    """What could make a browser fetch something, or run a file."""
    asking = r"""(?:src|href|action|poster|data)\s*=\s*["']?(?:https?:)?//"""
    also = r"<link\b|<script[^>]*\bsrc|@import|url\(\s*[\"']?(?!#)|\bfetch\(|<iframe|<base"
    return re.findall(f"{asking}|{also}", source, re.IGNORECASE)


def pictures_of(page):
    found = re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.with_suffix(".md").read_text("utf-8"))
    assert found
    return [page.parent / name for name in found]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fake_results(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    return write_experiment_note(results, tmp_path_factory.mktemp("note"), CREDIT)


def test_the_page_stands_alone(page):
    source = page.read_text("utf-8")
    assert asks_the_network(source) == []
    assert source.count("data:image/webp;base64,") == (6 + 1) * len(ARMS)  # slider; first view
    assert len(source) < 5_000_000


def test_both_forms_hold_every_claim_number_and_word(page, results):
    for text in texts(page):
        assert results.experiment.question in text and results.experiment.hypothesis in text
        assert results.verdict.why in text
        for finding in (*results.verdict.findings, *results.verdict.checks):
            assert finding.prediction.claim() in text
            assert finding.prediction.measured() in text
            values = [f"{v:.4g}".replace("-", "−") for v in finding.values.values()]
            assert "; ".join(values) in text
        assert "4 significant digits" in text
        for line in CREDIT.splitlines():
            assert line in text
        for by_seed in results.runs.values():
            assert all(run.id in text for run in by_seed.values())
        assert f"the first {SWITCH} epochs of run-0-0" in text
        # half a second an epoch: 3 seeds of one whole run and two tails
        seconds = round(3 * (EPOCHS + 2 * (EPOCHS - SWITCH)) / 2)
        assert f"{seconds} s of training" in text and "0.1.0 (abcdef123456)" in text
        assert "bascule run fake --quick --seeds 0 1 2" in text


def test_shared_pasts_count_once_among_the_images(page):
    images = (20 + 8 + 8) * 3 * 10 * 64  # epochs a seed, seeds, steps, batch
    assert f"{images:,} images trained on" in page.with_suffix(".md").read_text("utf-8")


def test_the_verdict_comes_before_everything_else(page):
    source = page.read_text("utf-8")
    badge = source.index('<strong class="badge refuted">')
    assert badge < source.index("Is D fooled?") < source.index("<section")


def test_the_pictures_of_the_markdown_exist_and_show_before_and_end(page):
    files = pictures_of(page)
    assert all(file.is_file() for file in files)
    names = [file.name for file in files if file.parent.name == "samples"]
    assert "plain-s0-epoch-0020.png" in names and "perfect-g-s0-epoch-0012.png" in names


def test_nothing_tells_a_path_of_this_machine(results, tmp_path):
    broken = replace(results, failures={"plain, seed 1": f"no space left to write {tmp_path}/x.pt"})
    for text in texts(write_experiment_note(broken, tmp_path / "note", CREDIT)):
        assert str(tmp_path) not in text and "no space left to write …/x.pt" in text


def test_words_of_people_are_text_in_every_language(tmp_path):
    evil = "<script>alert(1)</script> & l’été où D échoue — 識別器は騙される | *x*"
    told = fake_results(tmp_path / "runs", (0,), question=evil, hypothesis=evil, remarks=evil)
    page = write_experiment_note(told, tmp_path / "note", evil)
    source, markdown = page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")
    assert "<script>alert" not in source and "<script>alert" not in markdown
    assert "l’été où D échoue — 識別器は騙される" in source
    assert "l’été où D échoue — 識別器は騙される" in markdown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; l’été" in source
    for text in (source, markdown):  # one seed
        assert "inconclusive" in text.lower() and "one seed cannot tell" in text
        assert "[no interval]" in text


def test_an_arm_that_failed_is_named_and_the_rest_is_told(results, tmp_path):
    runs = {**results.runs, "perfect G": {}}
    failures = {"perfect G, seed 0": "loss_D is not finite in epoch 3"}
    told = judged(results.experiment, results.seeds, runs, failures)
    for text in texts(write_experiment_note(told, tmp_path, CREDIT)):
        assert "Not finished" in text and "loss_D is not finite in epoch 3" in text
        assert "not measured" in text and "inconclusive" in text.lower()


def test_seeds_of_an_arm_that_say_the_same_are_one_row(results):
    waiting = {f"plain, seed {seed}": "not finished yet" for seed in (1, 2)}
    told = failures(
        replace(results, failures={**waiting, "perfect G, seed 1": "x", "a, seed 0": ""})
    )
    assert told.rows == [
        ("plain, seeds 1, 2", "not finished yet"),
        ("perfect G, seed 1", "x"),
        ("a, seed 0", ""),
    ]


def test_every_word_of_several_has_a_p_corrected_for_all(results, page):
    corrected = holm([f.p for f in results.verdict.findings])
    assert len(corrected) == 3
    rows = page.with_suffix(".md").read_text("utf-8").splitlines()
    for finding, p in zip(results.verdict.findings, corrected, strict=True):
        row = next(row for row in rows if row.startswith(f"| {finding.prediction.claim()} |"))
        assert row.split(" | ")[4] == probability(p)
    (check,) = results.verdict.checks  # one alone needs no correction
    row = next(row for row in rows if row.startswith(f"| {check.prediction.claim()} |"))
    assert row.split(" | ")[4] == "0.4 to 0.6"


def test_a_note_without_any_finished_run_is_written(results, tmp_path):
    told = judged(
        results.experiment, results.seeds, {arm: {} for arm in ARMS}, {"plain, seed 0": "x"}
    )
    page = write_experiment_note(told, tmp_path, CREDIT)
    assert "No run finished" in page.read_text("utf-8")


def test_the_command_names_arms_and_settings(results):
    some = replace(results, runs={**results.runs, "perfect G": {}})
    told = command(some, ["interventions=InstanceNoise(0.1)"])
    assert told == (
        "bascule run fake --quick --arm plain --arm 'perfect G, every input noised' "
        "--seeds 0 1 2 --set 'interventions=InstanceNoise(0.1)'"
    )


def test_an_interval_that_ends_at_the_edge_touches_it_and_one_around_it_crosses_it(results):
    def why(mean, low, high, word="inconclusive", missing=""):
        claim = Within("D_x", "a", 0.5, 1.0)
        told = Finding(claim, {}, Interval(mean, low, high), word, False, 1.0, missing)
        return _findings("check", [told], replace(results, seeds=(0, 1))).rows[0][-1]

    assert why(0.6, 0.4, 0.8) == "the interval crosses the edge"
    assert why(0.6, 0.5 - 1e-9, 0.7) == "the interval touches the edge"
    assert why(0.4, 0.3, 0.5) == "the interval touches the edge"
    assert why(0.6, 0.49, 0.71) == "the interval crosses the edge"
    assert why(0.6, 0.55, 0.65, "supported") == "the interval lies inside"
    assert why(nan, -inf, inf, "not measured", "nothing there") == "nothing there"


def test_without_pictures_the_first_view_is_the_curve_of_the_finding(results):
    hidden = replace(results, experiment=replace(results.experiment, pictures=False))
    drawn = experiment_page(hidden, CREDIT, "bascule run fake").hero
    assert drawn.kind == "drawing" and drawn.name == "hero"
    assert drawn.data.columns[3:] == ("loss_D", "loss_G")  # its spike is the strongest finding


def test_the_first_view_holds_the_finding_and_a_chip_a_prediction(results):
    told = experiment_page(results, CREDIT, "bascule run fake").answer
    assert told.finding == answer.finding(results) and len(told.chips) == 3

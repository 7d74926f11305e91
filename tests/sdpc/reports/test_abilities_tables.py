"""Tables of what codes can do: a row an arm, means over seeds, beside what needs no codes."""

from dataclasses import replace

import pytest

from bascule.experiments import Measure
from bascule.sdpc.reports.abilities import abilities
from fakes import evaluated, fake_ladder, measured


def apart_and_filled(by_D):
    """Foreign pictures told apart and holes filled; ``by_D``: the AUROC of D."""
    return (
        measured("AUROC of shuffled[codes]", 0.9, 0.5, "higher"),
        measured("AUROC of shuffled[D]", by_D, 0.5, "higher"),
        measured("hole L1 of layer 1 at k_fb=0[inpainted]", 0.2, 0.25),
        measured("hole L1 of layer 1 at k_fb=4[inpainted]", 0.1, 0.25),
    )


@pytest.fixture
def able(tmp_path, tiny_hybrid):
    """The ladder's runs; of the first arm alone the abilities were measured, seed by seed."""
    results = fake_ladder(tmp_path, tiny_hybrid)
    for seed, run in results.runs["old"].items():
        evaluated(
            run,
            20,
            measured("KID[x]", 1.0, 0.1),
            *apart_and_filled(0.6 + seed / 10),
            measured("edited as told of hair[codes]", 0.2 + seed / 10, 1.0, "higher"),
            measured("edited as told of eyes[codes]", 0.4 + seed / 10, 0.5, "higher"),
            measured("others kept of hair[codes]", 1.0, 0.9, "higher"),
            measured("others kept of eyes[codes]", 0.8, 0.9, "higher"),
        )
    experiment = replace(results.experiment, measure=Measure(abilities=True))
    return replace(results, experiment=experiment)


def test_each_ability_is_a_table_beside_what_needs_no_codes(able):
    foreign, holes, edits = abilities(able)
    assert foreign.columns == ("arm", "shuffled, by codes", "shuffled, by D")
    # 0.6 and 0.7: 12.706 times 0.05 is half the interval
    assert foreign.rows[0] == ("old", "0.9 ± 0", "0.65 [0.01, 1.00]")
    assert holes.columns[1:] == ("the colour around it", "layer 1 at k_fb=0", "layer 1 at k_fb=4")
    assert holes.rows[0] == ("old", "0.25 ± 0", "0.2 ± 0", "0.1 ± 0")
    assert edits.columns[1:3] == ("edited as told, by codes", "edited as told, by pixels")
    # attributes first: 0.3 and 0.4 of the seeds
    assert edits.rows[0] == ("old", "0.35 [0.00, 0.99]", "0.75 ± 0", "0.9 ± 0", "0.9 ± 0")


def test_an_arm_without_them_has_dashes(able):
    for table in abilities(able):
        assert table.rows[1] == ("new", *("–" for _ in table.columns[1:]))


def test_what_was_not_asked_is_no_table(able, tmp_path):
    assert abilities(replace(able, experiment=fake_ladder(tmp_path / "b").experiment)) == []
    for run in able.runs["old"].values():
        evaluated(run, 20, measured("AUROC of fractals[D]", 0.7, 0.5, "higher"))
    (foreign,) = abilities(able)
    assert foreign.columns == ("arm", "fractals, by D")


def test_arms_with_the_same_codes_share_a_row(able):
    for seed, run in able.runs["new"].items():
        evaluated(
            run,
            20,
            *apart_and_filled(0.7 + seed / 10),
        )
    foreign, holes, edits = abilities(able)
    assert [row[0] for row in foreign.rows] == ["old", "new"]  # their D differ
    assert holes.rows == [("old; new", "0.25 ± 0", "0.2 ± 0", "0.1 ± 0")]
    assert [row[0] for row in edits.rows] == ["old", "new"]

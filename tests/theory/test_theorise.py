"""`bascule theory` from end to end, with a bench that is over at once."""

import json
from dataclasses import replace

import pytest

from bascule.cli import main
from bascule.theory import bench
from bascule.theory.check import Budget
from bascule.theory.mixtures import Schedule

SCHEDULE = Schedule(steps=2, width_G=4, width_D=4, std=0.1, lr=1e-3, falls=True, generated=20)
TINY = Budget("tiny", SCHEDULE, (0,), 20, 10, 2, 1)


@pytest.fixture(scope="module")
def sections():
    return bench.measure(TINY, 1)


@pytest.fixture
def measures(monkeypatch):
    """``measures(sections)``: what the bench returns from now on; a list of its budgets."""

    def put(found):
        budgets = []

        def measure(budget, workers, tell):
            tell({"a part": 0.5, "another": 1.0})
            budgets.append(budget)
            return found

        monkeypatch.setattr(bench, "measure", measure)
        return budgets

    return put


def test_the_table_is_printed_and_written(sections, measures, tmp_path, capsys):
    budgets = measures(sections)
    code = main(["--runs", str(tmp_path / "runs"), "theory"])
    out = capsys.readouterr().out
    folder = tmp_path / "runs" / "notes" / "theory"
    assert code == 1  # a tiny bench cannot meet every prediction
    assert budgets == [bench.TWO_MINUTES]
    assert "The Dirac-GAN" in out and "differs" in out and "agrees" in out
    assert f"page: {folder / 'theory.md'}" in out
    checks = json.loads((folder / "theory.json").read_text("utf-8"))["checks"]
    differ = sum(check["verdict"] == "differs" for check in checks)
    assert differ and f"{differ} differ" in out
    assert (folder / "theory.png").stat().st_size > 10_000


def test_exit_code_0_when_every_prediction_is_met(sections, measures, tmp_path, capsys):
    met = [replace(s, checks=[c for c in s.checks if c.word != "differs"]) for s in sections]
    budgets = measures(met)
    assert main(["theory", "--full", "-o", str(tmp_path / "here")]) == 0
    assert budgets == [bench.FULL]
    assert "0 differ" in (tmp_path / "here" / "theory.md").read_text("utf-8")


def test_a_bad_output_folder_is_refused_before_the_bench(measures, tmp_path, capsys):
    budgets = measures([])
    (tmp_path / "file").write_text("mine")
    assert main(["theory", "-o", str(tmp_path / "file")]) == 2
    err = capsys.readouterr().err
    assert "cannot write into" in err and len(err.strip().splitlines()) == 1
    assert not budgets

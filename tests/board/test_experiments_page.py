"""Experiments as their runs stand now, in the order that is read, under a policy of their own."""

import re

import pytest

from bascule.board.experiment_view import Views, begun, page_of
from bascule.board.pages.experiments import policy_for
from bascule.board.summary import Summary
from bascule.core.errors import UserError
from bascule.experiments.experiment import load
from bascule.experiments.schedule import plan, run_name
from bascule.runs import codec
from fakes import fake_rows, plain

FILE = '''"""Does a higher rate help? A test."""

from bascule.experiments import Experiment, Higher
from bascule.runs import codec

arm = codec.decode({recipe})
experiment = Experiment(
    "Does it?", "It does.", {{"plain": arm, "fast": arm.replace(lr_D=1e-3)}},
    [Higher("D_Gz", "fast", than="plain", from_epoch=12)], seeds=(0, 1, 2),
)
'''


@pytest.fixture
def experiment(store, tmp_path, monkeypatch):
    """An experiment in experiments/ here, with finished runs; D is fooled in the arm "fast"."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    path = tmp_path / "experiments" / "does_it.py"
    path.write_text(FILE.format(recipe=codec.encode(plain)), "utf-8")
    found = load(path)
    for k, job in enumerate(plan(found, found.seeds)):
        rows = fake_rows(k, job.arm == "fast")
        name = run_name(found, job)
        made = store.create(job.recipe, name, "d1gest" * 8)
        made.set_rows(rows)
        made.set_status("finished")
    return found


def test_only_experiments_with_runs_are_listed_and_none_is_executed(experiment):
    experiment.file.write_text('"""Read, not run."""\nexperiment = 1 / 0\n', "utf-8")
    runs = [Summary(f"r{k}", f"does-it plain s{k}", "", "finished") for k in range(2)]
    runs.append(Summary("r9", "does-it-more plain s0", "", "running"))
    (found,) = begun(runs)
    assert (found.name, found.question) == ("does-it", "Read, not run.")
    assert (found.runs, found.finished) == (2, 2)


def test_the_page_says_the_answer_then_the_forest_then_curves_then_tables(client, experiment):
    page = client.get("/experiments").text
    assert "/experiments/does-it" in page and "6 of 6 runs finished" in page
    answer = client.get("/experiments/does-it")
    assert answer.status_code == 200, answer.text
    text = answer.text
    places = [text.index(part) for part in ('class="finding"', 'id="forest-plot"', 'id="curves"')]
    assert places == sorted(places) and places[-1] < text.index('id="predictions"')
    assert "supported" in text and 'href="/experiments"' in text


def test_its_policy_names_its_own_script_and_no_other(client, experiment):
    answer = client.get("/experiments/does-it")
    policy = answer.headers["content-security-policy"]
    assert policy == policy_for(answer.text)
    scripts = re.search(r"script-src ([^;]+)", policy)[1]
    assert "unsafe" not in scripts and scripts.count("sha256-") == 1
    foreign = answer.text.replace("</head>", "<script>alert(1)</script></head>")
    assert policy_for(foreign) == policy  # a script that is not the package's gets no leave
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy


def test_a_page_is_made_again_when_a_run_changes(experiment, store):
    views = Views(store)
    first = views.html("does-it", "/")
    assert views.html("does-it", "/") is first
    run = store.named("does-it fast s0")[0]
    run.set_rows(fake_rows(9, False))
    assert views.html("does-it", "/") != first


def test_an_unknown_experiment_and_one_without_finished_runs_are_told_in_one_line(
    client, store, experiment
):
    assert client.get("/experiments/nobody").status_code == 400
    for run in store.runs():
        run.set_status("interrupted")
    with pytest.raises(UserError, match="no run of does-it is finished yet"):
        Views(store).html("does-it", "/")


def test_no_block_of_the_note_is_lost(experiment, store):
    from bascule.board.experiment_view import results_of
    from bascule.reports.note import experiment_page

    results = results_of(experiment, store)
    note, page = experiment_page(results, "", ""), page_of(results)
    blocks = [sum(len(s.blocks) for s in one.sections) for one in (note, page)]
    assert blocks[0] == blocks[1]

"""A search: honest splits, trials that end early, stop, die or diverge, and a fresh judgement."""

import os
from dataclasses import replace

import pytest

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.validation_split import ValidationSplit
from bascule.evaluation.evaluate import look
from bascule.features.extractor import label
from bascule.features.extractors import extractor
from bascule.interventions import InstanceNoise
from bascule.runs import codec
from bascule.runs.execute import execute
from bascule.runs.generate import generate
from bascule.runs.store import Store
from bascule.tuning import search as module
from bascule.tuning.search import (
    Among,
    Between,
    Tuning,
    Whole,
    best_of,
    counted,
    fail,
    importances,
    left_behind,
    load,
    orphans,
    put_back,
    study_of,
    work,
)

SPACE = {"lr_D": Between(1e-5, 1e-2, log=True), "batch": Among((4, 8))}
NEVER = 1e12


@pytest.fixture
def small(tiny) -> Tuning:
    start = tiny.replace(data=Faces(n=60, size=32, held_out=0.25), batch=8, lr_D=1e-3)
    return Tuning("which?", start, SPACE, fakes=20, looks=2, trials=3, name="small")


@pytest.fixture(scope="module")
def eyes():
    return extractor("random-conv")


@pytest.fixture
def search(tmp_path, eyes):
    """``search(tuning, trials)``: the study after it, its store, and whether it came to an end."""

    def do(tuning, trials, must_stop=lambda: False, storage=None, until=NEVER):
        study = study_of(tuning, storage or str(tmp_path / "journal.log"), seed=1)
        images = tuning.trial({}).data.load()
        store = Store(tmp_path / "runs")
        done = work(study, tuning, store, images, eyes, tmp_path, trials, until, must_stop)
        return study, store, done

    return do


def states(study) -> list[str]:
    return [trial.state.name for trial in study.get_trials(deepcopy=False)]


def test_trials_are_ranked_by_images_that_neither_train_them_nor_judge(small, search, eyes):
    study, store, done = search(small, 3)
    assert done and states(study) == ["COMPLETE"] * 3 and counted(study) == 3
    first = study.trials[0]
    assert first.user_attrs["start"] and first.params == {"lr_D": 1e-3, "batch": 8}
    for trial in study.trials:
        run = store.find(trial.user_attrs["run"])
        assert run.recipe == small.trial(trial.params)
        assert run.recipe.data == ValidationSplit(small.start.data, 0.2)
        fakes = generate(run, small.fakes).pictures
        again = look(fakes, run.recipe.data.load(), eyes)
        assert trial.values[0] == pytest.approx(
            again[label("KID on held-out", eyes)].measured.value
        )
        assert trial.user_attrs["seconds"] > 0
    assert best_of(study).values[0] == min(trial.values[0] for trial in study.trials)
    assert set(importances(study)) <= set(SPACE)


def test_it_goes_on_where_it_stood_and_no_further_than_asked(small, search):
    search(small, 2)
    study, _, done = search(small, 3)
    assert done and counted(study) == 3
    study, _, done = search(small, 3)
    assert done and counted(study) == 3
    _, _, done = search(small, 9, until=0.0)  # no time left: nothing is begun
    assert done and counted(study) == 3


def test_another_search_of_that_name_is_refused(small, search):
    search(small, 1)
    other = replace(small, space={"lr_G": SPACE["lr_D"]})
    with pytest.raises(UserError, match="has another start, space or goal"):
        search(other, 1)


def test_half_a_line_at_the_end_of_the_journal_is_dropped(small, search, tmp_path):
    study, _, _ = search(small, 1)
    (journal,) = tmp_path.rglob("journal.log")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])  # its writer was killed
    study, _, done = search(small, 2)
    assert done and counted(study) == 2
    assert all(line.startswith("{") for line in journal.read_text().splitlines())


def test_a_pipe_in_place_of_the_journal_is_not_waited_for(small, tmp_path):
    os.mkfifo(tmp_path / "journal.log")
    with pytest.raises(UserError, match="not a regular file but a pipe"):
        study_of(small, str(tmp_path / "journal.log"))


def test_a_trial_that_was_stopped_goes_on_as_if_nothing_had_happened(small, search, tmp_path):
    whole, _, _ = search(small, 1, storage=str(tmp_path / "undisturbed.log"))
    steps = iter(range(100))
    stopped = replace(small, name="stopped")
    study, store, done = search(stopped, 1, must_stop=lambda: next(steps) > 6)
    assert not done and states(study) == ["FAIL", "WAITING"] and counted(study) == 0
    (run,) = [run for run in store.runs() if run.name == "stopped trial"]
    assert run.status["state"] == "interrupted"
    study, store, done = search(stopped, 1)
    assert done and states(study) == ["FAIL", "COMPLETE"]
    assert study.trials[1].user_attrs["start"]
    assert study.trials[1].values == whole.trials[0].values
    assert store.find(study.trials[1].user_attrs["run"]).id == run.id


def test_losses_that_diverge_cost_their_trial_alone(small, search):
    wild = replace(small, space={"interventions": Among(("[]", "[InstanceNoise(1e38)]"))}, trials=4)
    study, _, done = search(wild, 4)
    assert done
    by_rule = {trial.params["interventions"]: trial for trial in study.trials}
    assert by_rule["[]"].state.name == "COMPLETE"
    bad = by_rule["[InstanceNoise(1e38)]"]
    assert bad.state.name == "PRUNED" and "is not finite" in bad.user_attrs["why"]


def test_a_hopeless_trial_ends_at_its_first_look(small, search, monkeypatch):
    import optuna

    class Strict(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number > 0

    monkeypatch.setattr(optuna.pruners, "MedianPruner", lambda **words: Strict())
    study, store, _ = search(small, 2)
    assert states(study) == ["COMPLETE", "PRUNED"]
    ended = store.find(study.trials[1].user_attrs["run"])
    assert study.trials[1].user_attrs["epochs"] == 2 < ended.recipe.epochs
    assert ended.status["state"] == "interrupted"


def test_quality_and_time_together_make_a_front_and_no_trial_ends_early(small, search):
    study, _, done = search(replace(small, minimise=("KID", "seconds")), 2)
    assert done and states(study) == ["COMPLETE"] * 2
    assert all(len(trial.values) == 2 and trial.values[1] > 0 for trial in study.trials)
    assert study.best_trials


def test_a_database_serves_as_well(small, search, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study, _, done = search(small, 1, storage=url)
    assert done and states(study) == ["COMPLETE"]
    with pytest.raises(UserError, match="cannot open the study in nothing://here"):
        study_of(small, "nothing://here")


def test_trials_of_the_dead_are_found(small, tmp_path, monkeypatch):
    study = study_of(small, str(tmp_path / "journal.log"))
    trial = study.ask()
    trial.set_user_attr("host", module.socket.gethostname())
    trial.set_user_attr("pid", os.getpid())
    trial.set_user_attr("worker", "first")
    trial.suggest_float("lr_D", 1e-5, 1e-2, log=True)
    trial.suggest_categorical("batch", (4, 8))
    assert not orphans(study, "second") and not left_behind(study)
    monkeypatch.setattr(module, "_is_dead", lambda pid: pid == os.getpid())
    (found,) = left_behind(study)
    put_back(study, found)
    assert states(study) == ["FAIL", "WAITING"] and counted(study) == 0
    again = study.ask()
    again.set_user_attr("worker", "second")
    (found,) = orphans(study, "second")
    fail(study, found, "its worker died")
    assert counted(study) == 1
    assert study.trials[1].user_attrs["why"] == "its worker died"


def test_a_run_that_another_trains_is_left_to_it(small, search, monkeypatch, tmp_path):
    def busy(run, *rest):
        with run.lock():
            return execute(run, *rest)

    monkeypatch.setattr(module, "execute", busy)
    study, _, _ = search(small, 1)
    assert states(study) == ["FAIL"]
    assert study.trials[0].user_attrs["why"] == "another trial has the same settings"


def test_the_judgement_is_fresh(small):
    found = small.judgement({"lr_D": 2e-3, "batch": 4})
    assert found.seeds == (101, 102, 103, 104, 105) and list(found.arms) == ["start", "best"]
    assert all(arm.data == small.start.data for arm in found.arms.values())
    assert found.arms["best"].lr_D == 2e-3 and found.arms["best"].batch == 4
    assert found.arms["start"].lr_D == 1e-3


def test_a_start_outside_the_space_is_not_tried(small, tmp_path):
    outside = replace(small, space={"lr_D": Between(1e-5, 1e-4), "batch": Among((4, 8))})
    assert outside.start_params() is None
    assert replace(small, space={"batch": Whole(16, 32)}).start_params() is None
    study = study_of(outside, str(tmp_path / "journal.log"))
    assert states(study) == []
    rules = replace(small, space={"interventions": Among(("[]", "[InstanceNoise(0.1)]"))})
    assert rules.start_params() == {"interventions": "[]"}
    assert rules.recipe({"interventions": "[InstanceNoise(0.1)]"}).interventions == (
        InstanceNoise(0.1),
    )


@pytest.mark.parametrize(
    ("differences", "message"),
    [
        ({"space": {}}, "needs at least one field"),
        ({"space": {"lr_X": Between(0.1, 1.0)}}, "unknown field of GANRecipe 'lr_X'"),
        ({"space": {"width": Whole(4, 8)}}, "did you mean model.width?"),
        ({"space": {"lr_D": 0.1}}, "expected Among, Between or Whole"),
        ({"space": {"epochs": Whole(1, 4)}}, "must have the same epochs"),
        ({"space": {"seed": Whole(1, 4)}}, "must have the same seed"),
        ({"minimise": ("seconds",)}, "expected ('KID',) or ('KID', 'seconds')"),
        ({"minimise": ("FID",)}, "unknown goal 'FID'"),
        ({"fresh_seeds": (0, 1)}, "expected seeds other than seed=0"),
        ({"looks": 5}, "expected 1 to 4 looks"),
        ({"fakes": 5}, "at least 6 fakes"),
    ],
    ids=str,
)
def test_what_is_no_search_is_refused_in_one_line(small, differences, message):
    with pytest.raises(UserError) as refused:
        replace(small, **differences)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Between(1.0, 0.5), "expected low < high"),
        (lambda: Between(0.0, 0.5, log=True), "above 0"),
        (lambda: Whole(3, 3), "expected low < high"),
        (lambda: Among((1,)), "at least two different values"),
    ],
)
def test_choices_that_are_none_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("name", ["light_dcgan", "notebook_scans", "sdpc_gan"])
def test_the_committed_searches_load_and_know_their_start(name):
    found = load(module.Path(f"experiments/tune/{name}.py"))
    told = name.replace("_", "-")
    assert found.name == told and found.start_params() is not None
    quick = load(module.Path(f"experiments/tune/{name}.py"), quick=True)
    assert quick.name == f"{told}-quick" and quick.trials < 10
    assert codec.encode(found.recipe(found.start_params())) == codec.encode(found.start)


def test_an_experiment_is_no_search():
    with pytest.raises(UserError, match="defines no tuning"):
        load(module.Path("experiments/perfect_g.py"))

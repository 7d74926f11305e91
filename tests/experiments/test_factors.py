"""What varies with the seed: the split and the evaluation, where an experiment asks for it."""

from dataclasses import replace

import pytest

from bascule.board.summary import arm_of
from bascule.cli.experiment import digests_of
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.seeded_split import SeededSplit
from bascule.experiments import Experiment, Lower, Measure, Within
from bascule.experiments.factors import (
    evaluation_seed,
    own_split,
    sets_of,
    with_seed,
    without_seed,
)
from bascule.experiments.looks import looks_file
from bascule.experiments.measurable import check_measurable
from bascule.experiments.paired import arms_of
from bascule.experiments.predictions import KID
from bascule.experiments.registration import content_of, deviations, sha256
from bascule.experiments.schedule import adopt, gather, plan, run_all
from bascule.presets import cyclegan_light, pix2pix_light
from bascule.reports.paired import paired_differences
from bascule.reports.protocol import protocol
from bascule.runs import codec
from bascule.runs.evaluations import evaluations
from bascule.runs.generate import generate
from bascule.translation.domains import TwoSets


def asked(arms, vary=(), measure=None, **more) -> Experiment:
    claims = [Within("D_x", next(iter(arms)), 0, 0.9)]
    return Experiment("?", "!", arms, claims, measure=measure, vary=vary, name="x", **more)


def test_without_factors_recipes_are_as_before(tiny):
    (job,) = plan(asked({"a": tiny}), [3])
    assert job.recipe == tiny.replace(seed=3)
    assert codec.digest(with_seed(tiny, 3)) == codec.digest(tiny.replace(seed=3))
    assert evaluation_seed(3, ()) == evaluation_seed(3, ("split",)) == 0


def test_arms_of_one_seed_share_their_split_and_a_fork_its_past(tiny):
    longer = tiny.replace(epochs=8, keep_every_epochs=8)
    cooled = longer.replace(lr_decay=0.5)
    jobs = plan(asked({"a": longer, "b": cooled}, vary=("split",)), [0, 1])
    assert {job.recipe.data for job in jobs if job.seed == 1} == {SeededSplit(tiny.data, 1)}
    assert [job.trunk is not None for job in jobs] == [False, False, True, True]


def test_both_sets_of_a_translation_are_split_anew():
    data = TwoSets(Faces(n=40, size=32), Faces(n=60, size=32, style="adventurer"))
    recipe = cyclegan_light.replace(data=data, model=replace(cyclegan_light.model, size=32))
    found = with_seed(recipe, 2, ("split",))
    assert found.data == TwoSets(SeededSplit(data.a, 2), SeededSplit(data.b, 2))
    assert own_split(found.data) == data and without_seed(found) == recipe.replace(seed=0)
    images, own = found.data.load(), data.load()
    assert (images.split, own.split) == ("seed 2", "") and images.digest == own.digest
    assert TwoSets(SeededSplit(data.a, 2), data.b).load().split == "seed 2 and its own"


def test_only_a_split_that_was_drawn_with_the_seed_is_no_part_of_an_arm(tiny, make_run):
    varied = [make_run(with_seed(tiny, s, ("split",)), f"q a s{s}") for s in (0, 1)]
    fixed = [make_run(tiny.replace(data=SeededSplit(tiny.data, 9), seed=s), "b") for s in (0, 1)]
    assert arms_of([*varied, *fixed]) == {
        "q a": dict(enumerate(varied)),
        "b": dict(enumerate(fixed)),
    }


def test_runs_of_one_arm_take_one_fold_after_the_other(tiny, make_run):
    folds = tiny.replace(data=SeededSplit(tiny.data, folds=5))
    jobs = plan(asked({"a": folds}, vary=("split",)), [0, 1, 2])
    assert [job.recipe.data for job in jobs] == [
        SeededSplit(tiny.data, seed, folds=5) for seed in (0, 1, 2)
    ]
    assert {without_seed(job.recipe) for job in jobs} == {folds}
    assert own_split(jobs[1].recipe.data) == tiny.data
    runs = [make_run(job.recipe, f"q a s{job.seed}") for job in jobs]
    plain = [make_run(with_seed(tiny, s, ("split",)), f"q b s{s}") for s in (0, 1)]
    assert arms_of([*runs, *plain]) == {"a": dict(enumerate(runs)), "b": dict(enumerate(plain))}
    cards = [arm_of(codec.encode(run.recipe), "", 0) for run in (*runs, *plain)]
    assert len(set(cards[:3])) == len(set(cards[3:])) == 1 and cards[0] != cards[3]
    images = {job.recipe.data: job.recipe.data.load() for job in jobs[1:]}
    assert folds.data in digests_of(images)
    assert sets_of(folds, images) == list(images.values())


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ("split", r"vary='split': expected a tuple, such as vary=\('split',\)"),
        (("spilt",), "unknown factor of vary=... 'spilt': did you mean split"),
        (("evaluation",), 'vary="evaluation" without measure'),
    ],
)
def test_a_factor_that_cannot_vary_is_refused_in_one_line(tiny, vary, told):
    with pytest.raises(UserError, match=told) as refused:
        asked({"a": tiny}, vary)
    assert "\n" not in str(refused.value)


def test_exact_pairs_fix_their_split():
    with pytest.raises(UserError, match="CartoonPair of arm “a” fixes its held-out images"):
        Experiment("?", "!", {"a": pix2pix_light}, [Within("loss_G", "a", 0, 9)], vary=("split",))


def test_what_can_never_be_measured_is_found_with_any_split(tiny):
    recipe = tiny.replace(data=Faces(n=40, size=32))  # 4 are held out, KID takes 5
    arms = {"a": recipe, "b": recipe.replace(lr_D=1e-3)}
    found = Experiment(
        "?", "!", arms, [Lower(KID, "a", than="b")], measure=Measure(50), vary=("split",)
    )
    data = SeededSplit(recipe.data, 1)
    with pytest.raises(UserError, match="KID needs 5 held-out"):
        check_measurable(found, {data: data.load()})


def test_runs_are_trained_and_measured_with_their_factors(tiny, store):
    tiny = tiny.replace(data=Faces(n=60, size=32), epochs=1, keep_every_epochs=1)
    measure = Measure(20, attributes=False, features="pixels")
    found = asked({"a": tiny, "b": tiny.replace(lr_D=1e-3)}, ("split", "evaluation"), measure)
    jobs = plan(found, [0, 1])
    digests = {job.recipe.data: job.recipe.data.load().digest for job in jobs}
    assert run_all(jobs, found, store, digests, lambda jobs: None) == "finished"
    results = gather(jobs, found, [0, 1])
    assert not results.failures and len(results.every_run) == 4
    for run in results.every_run:
        (evaluation,) = evaluations(run.folder)
        assert evaluation.seed == run.recipe.seed
        assert {v.scale.split for v in evaluation.values} == {f"seed {run.recipe.seed}"}
    differences, reasons = paired_differences(results.every_run)
    assert not reasons and any(d.name.startswith("KID") for d in differences)
    told = " ".join(block.body for block in protocol(results, "") if hasattr(block, "body"))
    assert "Vary with the seed: initial weights;" in told and "The same for every seed" not in told
    assert "which images are held out; the latents and subsets of evaluations" in told

    # The same runs with another factor are measured again, and nothing is trained again.
    run = results.runs["a"][1]
    fakes = generate(run, 20, seed=1).pictures
    assert (fakes != generate(run, 20, seed=0).pictures).any()
    fewer = replace(found, vary=("split",))
    jobs = plan(fewer, [1])
    assert run_all(jobs, fewer, store, digests, lambda jobs: None) == "finished"
    (evaluation,) = evaluations(run.folder)
    assert evaluation.seed == 0 and [job.run for job in jobs if job.arm == "a"] == [run]


def test_runs_of_another_machine_are_found_with_their_split(tiny, make_run, store):
    """What "auto" became may differ: there it was CUDA, say."""
    there = make_run(with_seed(tiny, 1, ("split",)), "x a s1")
    there.set_status("finished")
    found = asked({"a": tiny.replace(device="auto", threads=None)}, ("split",))
    jobs = plan(found, [1])
    jobs[0].recipe = jobs[0].recipe.replace(threads=7)
    adopt(jobs, found, store, digests_of({j.recipe.data: j.recipe.data.load() for j in jobs}))
    assert jobs[0].run == there


def test_looks_and_registrations_know_what_varies(tiny, tmp_path):
    measure = Measure(20, attributes=False)
    plain = asked({"a": tiny}, measure=measure)
    varied = {vary: replace(plain, vary=vary) for vary in (("split",), ("evaluation",))}
    digests = digests_of({SeededSplit(tiny.data, 3): tiny.data.load()})  # as a run has them
    one, other = (content_of(e, [0], digests, "1") for e in (plain, varied["split",]))
    assert "vary" not in one and other["vary"] == ["split"]
    (told,) = deviations(one, other)
    assert (told.what, told.registered, told.now) == ("what varies with the seed", "", "split")
    contents = [content_of(e, [0], digests, "1") for e in (plain, *varied.values())]
    assert len(set(map(sha256, contents))) == 3
    files = {vary: looks_file(tmp_path, e, digests) for vary, e in varied.items()}
    assert files["evaluation",] == looks_file(tmp_path, plain, digests) != files["split",]


def test_a_note_says_what_is_the_same_for_every_seed(tiny):
    results = gather([], asked({"a": tiny}, measure=Measure(20)), [0])
    told = " ".join(block.body for block in protocol(results, "") if hasattr(block, "body"))
    assert "The same for every seed: which images are held out; the latents and subsets" in told

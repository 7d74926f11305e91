"""Which networks may judge a game: none through which it was trained, wherever a number is read."""

from dataclasses import dataclass, replace

import pytest

from bascule.core.errors import UserError
from bascule.evaluation.evaluation import Evaluation, Scale, Value
from bascule.experiments import KID, Experiment, Lower, Measure, mean_tv
from bascule.experiments.measurable import announcements
from bascule.experiments.measuring import Means
from bascule.experiments.schedule import curve
from bascule.features.extractors import EXTRACTORS
from bascule.features.judges import SHIPPED, judge_of, why_not
from bascule.gan.penalties import Penalty
from bascule.interventions import InstanceNoise
from bascule.metrics.metric import Measured
from bascule.models.dcgan import DCGAN
from bascule.models.projected import Projected
from bascule.runs import codec
from bascule.runs.evaluations import judged, keep_evaluation
from bascule.runs.foreign_recipe import ForeignRecipe

LITE, RANDOM = "efficientnet-lite0", "random-conv"
IN_RANDOM = KID.at(extractor="random-conv-s0,64px")


@dataclass(frozen=True)
class Perceptual(Penalty):
    """Stands for a loss on features of a network of the user's."""

    saw = "vgg16"


@pytest.fixture
def projected(tiny):
    return tiny.replace(model=Projected(DCGAN(width=4, z_dim=8, size=32), 64, width=2))


@pytest.mark.parametrize(
    ("saw", "space", "barred"),
    [
        ((), f"{LITE},128px", False),
        ((LITE,), f"{LITE},128px", True),
        ((LITE,), f"{LITE},64px;v1;weights 579344248a93;resize bicubic", True),
        ((LITE,), "inception-v3,299px", True),  # learnt the same labels
        (("vgg16",), f"{LITE},128px", True),
        ((LITE,), "dinov2-s,224px", False),
        (("dinov2",), "dinov2-s,224px", True),
        (("dinov2-s",), "dinov2-b,224px", False),
        ((LITE,), "random-conv-s0,64px", False),
        (("random-conv",), "random-conv-s0,64px", True),
        ((LITE,), "micah,64px", False),
        ((LITE,), "", False),
    ],
)
def test_a_network_does_not_judge_what_was_trained_through_it(saw, space, barred):
    assert bool(why_not(saw, space)) == barred


def test_the_next_best_extractor_that_is_shipped_judges():
    assert [judge_of(saw) for saw in ((), (LITE,), (LITE, RANDOM))] == list(SHIPPED)
    assert set(SHIPPED) <= set(EXTRACTORS)
    with pytest.raises(UserError, match="name another one"):
        judge_of(SHIPPED)


def test_a_recipe_says_what_its_parts_saw(tiny, projected):
    assert tiny.saw == ()
    assert projected.saw == (LITE,)
    assert tiny.replace(penalties=Perceptual()).saw == ("vgg16",)
    assert projected.replace(penalties=Perceptual()).saw == (LITE, "vgg16")


def test_it_is_known_without_the_code_of_a_part_or_of_a_kind(tiny, projected):
    written = codec.encode(tiny.replace(penalties=Perceptual()))
    assert codec.decode(written, to_look=()).saw == ("vgg16",)
    written = codec.encode(projected) | {"is": "my.py:Own", "facts": {"is_recipe": True}}
    looked = codec.decode(written, to_look=())
    assert isinstance(looked, ForeignRecipe) and looked.saw == (LITE,)
    written["facts"] |= {"saw": ["vgg16"]}
    assert codec.decode(written, to_look=()).saw == ("vgg16",)


def test_a_fork_has_seen_what_its_parent_saw(tiny, make_run, store):
    from bascule.runs.fork import fork

    parent = make_run(tiny.replace(interventions=Seeing()), "parent")
    parent.set_rows([{"epoch": 0, "step": 4}])
    branch = fork(store, parent, 1, tiny, "branch")
    assert branch.recipe.saw == () and branch.saw == (LITE,)
    assert fork_of(store, branch, tiny).saw == (LITE,)


@dataclass(frozen=True)
class Seeing(InstanceNoise):
    saw = (LITE,)


def fork_of(store, run, tiny):
    from bascule.runs.fork import fork

    run.set_rows([{"epoch": 0, "step": 4}, {"epoch": 1, "step": 8}])
    return fork(store, run, 2, tiny.replace(lr_G=1e-5), "again")


def experiment(tiny, projected, *claims, features=""):
    arms = {"plain": tiny, "projected": projected}
    return Experiment("?", "!", arms, list(claims), measure=Measure(9, features=features))


def test_all_arms_are_judged_by_another_network(tiny, projected):
    claim = Lower(IN_RANDOM, "projected", than="plain")
    found = experiment(tiny, projected, claim)
    assert found.measure.features == RANDOM
    images = tiny.data.load()
    lines = announcements(found, {tiny.data: images})
    assert f"“projected” may not be judged by {LITE}" in lines[-1]
    assert experiment(tiny, tiny, Lower(KID, "projected", than="plain")).measure.features == ""


def test_a_prediction_in_a_space_that_any_arm_saw_is_refused(tiny, projected):
    told = r"says nothing of “projected”.*give KID.at\(extractor='random-conv-s0,64px'\)"
    for arm, than in (("projected", "plain"), ("plain", "projected")):
        with pytest.raises(UserError, match=told):
            experiment(tiny, projected, Lower(KID, arm, than=than))
    assert experiment(tiny, projected, Lower(mean_tv(32), "projected", than="plain")).predictions


def test_features_that_an_arm_saw_are_refused(tiny, projected):
    with pytest.raises(UserError, match=f"“projected” is judged by {LITE}.*{RANDOM} is taken"):
        claim = Lower(IN_RANDOM, "projected", than="plain")
        experiment(tiny, projected, claim, features=LITE)


def evaluation(*spaces: str) -> Evaluation:
    values = tuple(
        Value(Measured(1.0, 0.0, 0.1, 0.1, 9, 9, 1), Scale(f"KID[{s}]", s, "", 9, 9), "lower")
        for s in spaces
    )
    return Evaluation("run", 4, 9, "faces", values)


def test_a_number_that_was_measured_before_is_left_out_with_its_reason(projected, make_run):
    run = make_run(projected)
    run.set_rows([{"epoch": epoch, "step": 4 * epoch} for epoch in range(4)])
    keep_evaluation(run.folder, evaluation(f"{LITE},128px", "random-conv-s0,64px"))
    (found,) = judged(run)
    assert [value.label for value in found.values] == ["KID[random-conv-s0,64px]"]
    assert found.remarks() == [
        f"KID left out: is judged by {LITE}, through which a game here was trained"
    ]
    assert "KID[random-conv-s0,64px]" in curve(run) and f"KID[{LITE},128px]" not in curve(run)


def test_beside_such_a_run_others_lose_the_number_too(tiny, make_run):
    run = make_run(tiny)
    keep_evaluation(run.folder, evaluation(f"{LITE},128px"))
    assert judged(run)[0].values and not judged(run, saw=(LITE,))[0].values


def test_the_means_of_measuring_a_run(tiny, projected, make_run):
    assert Means().judging(make_run(tiny, "plain")).extractors == (LITE,)
    run = make_run(projected, "projected")
    assert Means().judging(run).extractors == (RANDOM,)
    assert Means(("pixels",)).judging(run).extractors == ("pixels",)
    with pytest.raises(UserError, match=f"projected.* is judged by {LITE}.*use {RANDOM}"):
        Means((RANDOM, LITE)).judging(run)


def test_shipped_weights_say_what_their_game_saw(tiny, tmp_path, monkeypatch):
    import torch

    from bascule.models import shipped

    G, D = tiny.model.players(torch.Generator())
    saved = {"G": G.state_dict(), "D": D.state_dict(), "model": repr(tiny.model)}
    torch.save(saved, tmp_path / "old.pt")
    torch.save(saved | {"saw": f"dinov2-s, {LITE}"}, tmp_path / "new.pt")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    shipped.told.cache_clear()
    assert tiny.replace(start="old").saw == ()
    assert tiny.replace(start="new").saw == ("dinov2-s", LITE)
    shipped.told.cache_clear()


def test_a_search_and_a_ladder_take_a_judge_that_saw_no_trial(tiny, projected):
    from bascule.ladder.experiment import ladder
    from bascule.tuning.search import Among, Between, Tuning

    space = {"lr_D": Between(1e-5, 1e-3)}
    plain, tuning = Tuning("?", tiny, space, fakes=9), Tuning("?", projected, space, fakes=9)
    assert (plain.judge, tuning.judge) == (LITE, RANDOM)
    other = "Projected(g=DCGAN(width=4, z_dim=8, size=32), input_px=64, width=2)"
    mixed = replace(plain, space={"model": Among((repr(tiny.model), other))})
    assert mixed.judge == RANDOM
    test = tuning.judgement({"lr_D": 1e-4})
    assert test.measure.features == RANDOM and test.predictions[0].scalar.space == IN_RANDOM.space
    rungs = ladder("l", {"a": tiny, "b": projected}, 1, 9)
    assert rungs.measure.features == RANDOM and rungs.predictions[0].scalar == IN_RANDOM

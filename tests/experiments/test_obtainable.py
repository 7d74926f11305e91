"""A number that the measure of an experiment never gives is refused when it is written."""

import pytest

from bascule.core.errors import UserError
from bascule.experiments import (
    KID,
    Exceeds,
    Experiment,
    Higher,
    Lower,
    Measure,
    MeasureCoding,
    MeasureTranslation,
    Rises,
    Settles,
    Spike,
    Within,
    mean_tv,
)
from bascule.experiments.obtainable import part_of
from bascule.interventions import PerfectG
from bascule.metrics.measurement import parse
from bascule.presets import cyclegan_light

CODES = Measure(9, k_fb=(0.0, 4.0), sigmas=(1.0,), decoded=True, abilities=True)
SSIM = "SSIM of layer 1[k_fb=4,sigma=1]"
SETTLED = "KID of layer 1 at k_fb=4[efficientnet-lite0,128px]"


def experiment(recipe, measure, *predictions):
    arms = {"a": recipe, "b": recipe.replace(seed=1)}
    return Experiment("?", "!", arms, list(predictions), measure=measure)


@pytest.mark.parametrize(
    ("label", "part"),
    [
        *((label, "fakes") for label in ("mean TV[micah,64px]", "SWD[laplacian,64px]", str(KID))),
        *((label, "fakes") for label in ("KID on held-out[x]", "support at least[x]")),
        *((label, "settled") for label in (SETTLED, "mean TV of layer 1 at k_fb=4[settled]")),
        *((label, "coded") for label in (SSIM, "cost[own k_fb]", "error of layer 1[k_fb=4]")),
        *((label, "decoded") for label in ("KID of low-pass[x]", "SSIM of layer 1[decoded]")),
        *((label, "decoded") for label in ("paired L1 of split[decoded]", "KID of layer 2[x]")),
        *((label, "abilities") for label in ("AUROC of shuffled[D]", "edited as told of hair[x]")),
        ("hole L1 of layer 1 at k_fb=4[inpainted]", "abilities"),
        *((label, "translations") for label in ("KID of copy[x]", "R@1[translation,64px]")),
        *((label, "translations") for label in ("spread[translation,64px]", "kept skin[x]")),
    ],
)
def test_each_number_belongs_to_a_part_of_an_evaluation(label, part):
    assert part_of(parse(label)) == part


def test_attributes_are_asked_for_where_they_are_predicted(tiny):
    for number in (mean_tv(32), "joint coverage[micah,32px]", "TV of hairVariant[micah,32px]"):
        claim = Higher(number, "a", than="b")
        assert experiment(tiny, Measure(), claim).predictions
        told = r"never be measured: Measure\(attributes=False\) reads no attributes; give attri"
        with pytest.raises(UserError, match=told):
            experiment(tiny, Measure(attributes=False), claim)
    claim = Within("kept skin[translation,64px]", "a", 0, 0.5)
    with pytest.raises(UserError, match=r"MeasureTranslation\(attributes=False\) reads no"):
        experiment(cyclegan_light, MeasureTranslation(attributes=False), claim)


@pytest.mark.parametrize(
    ("measure", "number", "told"),
    [
        (Measure(), SETTLED, r"settles no fakes; give k_fb=\(...\) with settled_fakes=True"),
        (Measure(k_fb=(4.0,), settled_fakes=False), SETTLED, "settles no fakes"),
        (Measure(k_fb=(2.0,)), SETTLED, "measures it at k_fb 2; add 4 to k_fb"),
        (Measure(k_fb=(4.0,)), SSIM, r"codes no images; give sigmas=\(...\)"),
        (Measure(k_fb=(4.0,), sigmas=(0.5,)), SSIM, "measures it at sigma 0.5; add 1 to sigmas"),
        (Measure(), "SSIM of split[decoded]", "decodes no images; give decoded=True"),
        (Measure(), "AUROC of shuffled[D]", "no abilities of codes; give abilities=True"),
        (
            Measure(abilities=True),
            "hole L1 of layer 1 at k_fb=3[inpainted]",
            "measures it at k_fb 0, 2, 4; add 3 to k_fb",
        ),
        (Measure(k_fb=(4.0,)), SETTLED.replace("layer 1", "layer 3"), "with 2 layers has no KID"),
        (Measure(), "KID of copy[efficientnet-lite0,128px]", "translates nothing"),
        (Measure(), "KID[random-conv-s0,64px]", "takes its numbers in the space efficient"),
    ],
)
def test_of_a_hybrid_only_what_is_asked_for_is_measured(tiny_hybrid, measure, number, told):
    with pytest.raises(UserError, match=f"can never be measured: .*{told}"):
        experiment(tiny_hybrid, measure, Lower(number, "a", than="b"))


def test_what_is_asked_for_is_accepted(tiny_hybrid, tiny_sdpc):
    holes = [f"hole L1 of layer 1 at k_fb={k}[inpainted]" for k in (0, 4)]
    claims = [Lower(name, "a", than="b") for name in (SETTLED, SSIM, "SSIM of split[decoded]")]
    claims += [Exceeds("AUROC of shuffled[codes]", "AUROC of shuffled[D]", "a")]
    assert experiment(tiny_hybrid, CODES, *claims, Exceeds(*holes, "a"))
    own = Measure(sigmas=(1.0,))  # at the recipe's own k_fb
    assert experiment(tiny_hybrid, own, Lower(SSIM, "a", than="b"))
    coding = MeasureCoding(abilities=True)
    assert experiment(tiny_sdpc, coding, Exceeds(*holes, "a"), Within(SSIM, "a", 0, 0.5))
    with pytest.raises(UserError, match="a SDPCRecipe has no D"):
        experiment(tiny_sdpc, coding, Within("AUROC of shuffled[D]", "a", 0.5, 0.9))
    with pytest.raises(UserError, match="draws no fakes"):
        experiment(tiny_sdpc, coding, Within(KID, "a", 0, 1))


def test_the_measure_fits_the_arms(tiny, tiny_sdpc):
    told = r"measure=Measure\(...\): “a” is a SDPCRecipe; expected MeasureCoding\(...\)"
    with pytest.raises(UserError, match=told):
        experiment(tiny_sdpc, Measure(), Within("cost", "a", 0, 1))
    with pytest.raises(UserError, match="“a” is a GANRecipe without codes; leave them out"):
        experiment(tiny, Measure(decoded=True), Within("D_x", "a", 0.5, 1))


def test_an_epoch_of_the_prediction_is_measured(tiny):
    rises = Rises(KID, "a", earlier=(0, 2), later=(2, 4))
    told = "measured after 4 epochs, and it needs one of the numbers 1 to 2; add one to Measure"
    with pytest.raises(UserError, match=told):
        experiment(tiny, Measure(), rises)
    assert experiment(tiny, Measure(epochs=(2,)), rises)
    settles = Settles(KID, "a", 0.1, from_epoch=1)
    with pytest.raises(UserError, match="needs every of the numbers 2 to 4; add them"):
        experiment(tiny, Measure(epochs=(2,)), settles)
    assert experiment(tiny, Measure(epochs=(2, 3)), settles)
    with pytest.raises(UserError, match="no batches, in which a spike could be seen"):
        experiment(tiny, Measure(), Spike(KID, "a", at_epoch=2))


def test_a_run_that_shows_held_out_images_is_not_evaluated(tiny):
    leaky = tiny.replace(interventions=PerfectG(1, of="held_out"))
    with pytest.raises(UserError, match="shows D the held-out images is not evaluated"):
        experiment(leaky, Measure(), Within(KID, "a", 0, 1))
    assert experiment(leaky, Measure(), Within("D_x", "a", 0.5, 1))

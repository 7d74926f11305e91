"""What if we lie to D: who slows its lead, and does that buy quality, diversity or both?"""

from bascule.core.schedules import Uniform
from bascule.experiments import KID, Experiment, Higher, Lower, Measure, mean_tv
from bascule.gan.objectives import TopK
from bascule.gan.recipe import GANRecipe
from bascule.interventions import (
    FakeHistory,
    FakesAmongReals,
    InstanceNoise,
    NegativeAugmentation,
    PseudoAugmentation,
    RealsAmongFakes,
)
from bascule.notebook import smooth_quick, smooth_small

sigma = Uniform(0.0, 0.1)
noise = InstanceNoise(sigma)


def lying(
    plain: GANRecipe, t: int, measure: Measure, quick: Experiment | None = None
) -> Experiment:
    """The experiment at one size; ``t`` images of a batch have wrong labels."""
    late = plain.epochs // 2
    off = Higher(mean_tv(plain.data.size), "positive", than="plain")
    return Experiment(
        question=__doc__,
        hypothesis=(
            "Lies slow D's lead, but at this share they buy neither quality nor diversity: noised "
            "reals among the fakes turn D against good pictures, D's favourite fakes among the "
            "reals make it content with what G draws already. The noise that came with the "
            "published negative lie slows D by itself."
        ),
        arms={
            "plain": plain,
            "negative": plain.replace(interventions=RealsAmongFakes(t, sigma)),
            "positive": plain.replace(interventions=FakesAmongReals(t)),
            "noise": plain.replace(interventions=noise),
            "negative as published": plain.replace(
                interventions=[RealsAmongFakes(t, sigma=0.0, G_sees=True), noise]
            ),
            "positive, with noise": plain.replace(interventions=[FakesAmongReals(t), noise]),
            "pseudo augmentation (APA)": plain.replace(
                interventions=PseudoAugmentation(speed_images=50_000)
            ),
            "negative augmentation (NDA)": plain.replace(interventions=NegativeAugmentation()),
            "top-k": plain.replace(top_k=TopK(nu=0.5, gamma=0.98)),
            "fake history": plain.replace(interventions=FakeHistory()),
        },
        predictions=[
            # which lies slow D's lead
            Lower("lead", "negative", than="plain", from_epoch=late),
            Lower("lead", "positive", than="plain", from_epoch=late),
            Lower("lead", "negative", than="positive", from_epoch=late),
            Lower("lead", "noise", than="plain", from_epoch=late),
            Lower("lead", "negative as published", than="noise", from_epoch=late),
            # effects on quality and diversity
            Higher(KID, "negative", than="plain"),
            Higher(KID, "positive", than="plain"),
            Lower("coverage", "positive", than="plain", from_epoch=late),
            *([off] if measure.attributes else []),
            # claims of published methods
            Lower(KID, "pseudo augmentation (APA)", than="plain"),
            Lower(KID, "negative augmentation (NDA)", than="plain"),
            Lower(KID, "top-k", than="plain"),
            Lower(KID, "fake history", than="plain"),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        remarks=(
            "In 2019 the negative lie came with noise on every input and G's turn saw it too, the "
            "positive one came without noise: “negative as published” against “positive” is that "
            "comparison, confounded by the noise. “negative”, “positive” and “plain” differ by the "
            "lie alone, and so do the three arms with noise. The positive arm as published is the "
            "controlled one: it had no noise and its other peculiarities changed nothing. "
            "APA is sped up from 500,000 to 50,000 images, half the length of these runs."
        ),
        quick=quick,
    )


quick = lying(smooth_quick, t=2, measure=Measure(fakes=64, attributes=False))
experiment = lying(smooth_small, t=6, measure=Measure(fakes=1000), quick=quick)

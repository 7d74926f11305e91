"""What if we lie to D about the faces of the Simpsons?

Needs the pictures: `bascule data import FOLDER --name simpsons --size 32`, or
`bascule data fetch simpsons --size 32`.
"""

from bascule.core.schedules import Uniform
from bascule.data.imported import Imported
from bascule.experiments import KID, Experiment, Higher, Lower, Measure
from bascule.gan.recipe import GANRecipe
from bascule.interventions import FakesAmongReals, PseudoAugmentation, RealsAmongFakes
from bascule.notebook import smooth_quick, smooth_small

sigma = Uniform(0.0, 0.1)


def lying_simpsons(
    plain: GANRecipe, t: int, measure: Measure, quick: Experiment | None = None
) -> Experiment:
    """The controlled arms of lying.py at one size; ``t`` images of a batch have wrong labels."""
    late = plain.epochs // 2
    return Experiment(
        question="What if we lie to D about the faces of the Simpsons?",
        hypothesis=(
            "As on the built-in faces: lies slow D's lead, but at this share they buy neither "
            "quality nor diversity."
        ),
        arms={
            "plain": plain,
            "negative": plain.replace(interventions=RealsAmongFakes(t, sigma)),
            "positive": plain.replace(interventions=FakesAmongReals(t)),
            "pseudo augmentation (APA)": plain.replace(
                interventions=PseudoAugmentation(speed_images=50_000)
            ),
        },
        predictions=[
            Lower("lead", "negative", than="plain", from_epoch=late),
            Lower("lead", "positive", than="plain", from_epoch=late),
            Lower("lead", "negative", than="positive", from_epoch=late),
            Higher(KID, "negative", than="plain"),
            Higher(KID, "positive", than="plain"),
            Lower("coverage", "positive", than="plain", from_epoch=late),
            Lower(KID, "pseudo augmentation (APA)", than="plain"),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        pictures=False,
        quick=quick,
    )


quick = lying_simpsons(smooth_quick, t=2, measure=Measure(fakes=64, attributes=False))
experiment = lying_simpsons(
    smooth_small.replace(data=Imported("simpsons", size=32), epochs=110),
    t=6,
    measure=Measure(fakes=1000, attributes=False),
    quick=quick,
)

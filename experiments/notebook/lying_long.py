"""Does the negative lie help or harm over the notebook's 300 epochs of 2,000 faces?"""

from bascule.core.schedules import Uniform
from bascule.data.faces import Faces
from bascule.experiments import KID, Alike, Experiment, Higher, Lower, Measure
from bascule.gan.recipe import GANRecipe
from bascule.interventions import RealsAmongFakes
from bascule.notebook import smooth_quick, smooth_small


def lying_long(
    plain: GANRecipe, t: int, measure: Measure, quick: Experiment | None = None
) -> Experiment:
    """The controlled pair of arms of lying.py, at one size."""
    late = plain.epochs // 2
    return Experiment(
        question=__doc__,
        hypothesis=(
            "The negative lie slows D's lead at any length. After 300 epochs it still costs "
            "quality, and what it does to diversity is small."
        ),
        arms={
            "plain": plain,
            "negative": plain.replace(interventions=RealsAmongFakes(t, Uniform(0.0, 0.1))),
        },
        predictions=[
            Lower("lead", "negative", than="plain", from_epoch=late),
            Higher(KID, "negative", than="plain"),
            Alike("coverage", "negative", than="plain", by=0.05, from_epoch=late),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        quick=quick,
    )


quick = lying_long(smooth_quick, t=2, measure=Measure(fakes=64, attributes=False))
experiment = lying_long(
    smooth_small.replace(data=Faces(n=2000, size=32), epochs=300),
    t=6,
    measure=Measure(fakes=1000, epochs=(100, 200)),
    quick=quick,
)

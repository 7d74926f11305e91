"""Does a D of the notebook's own width and batch see through an almost perfect G as well?"""

from bascule.core.schedules import Uniform
from bascule.data.faces import Faces
from bascule.experiments import Experiment, Higher, Within
from bascule.gan.recipe import GANRecipe
from bascule.interventions import PerfectG
from bascule.models.dcgan import DCGANW9
from bascule.notebook import sharp, sharp_quick

sigma = Uniform(0.0, 0.1)


def full_width(
    base: GANRecipe, early: int, end: int, quick: Experiment | None = None
) -> Experiment:
    """The arms plain and early of perfect.py, with other networks and few epochs."""
    plain = base.replace(epochs=end)
    settled = early + (end - early) // 2
    return Experiment(
        question=__doc__,
        hypothesis=(
            "The notebook's D of width 64 is fooled at the switch, and within some tens of steps "
            "sees the noise and wins again, as the light one does."
        ),
        arms={"plain": plain, "early": plain.replace(interventions=PerfectG(early, sigma))},
        predictions=[
            Higher("loss_D", "early", than="plain", by=0.1, from_epoch=early, to_epoch=early + 1),
            Within("D_x", "early", 0.75, 1.0, from_epoch=settled),
            Within("D_Gz", "early", 0.0, 0.25, from_epoch=settled),
        ],
        seeds=(0, 1, 2),
        remarks=(
            "Both players learn at 2e-4: at the notebook's rates (4e-5 for D, 4e-4 for G) D does "
            "not lead after so few epochs, and there is nothing to be fooled."
        ),
        quick=quick,
    )


quick = full_width(
    sharp_quick.replace(data=Faces(n=128, size=64, held_out=0.5), model=DCGANW9(4)),
    early=4,
    end=8,
)
experiment = full_width(
    sharp.replace(model=DCGANW9(), sample_every_epochs=2, keep_every_epochs=8),
    early=8,
    end=14,
    quick=quick,
)

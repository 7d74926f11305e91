"""What happens to D when G suddenly becomes almost perfect, on the faces of the Simpsons?

Needs the pictures: `bascule data import FOLDER --name simpsons`, or `bascule data fetch simpsons`.
"""

from bascule.core.schedules import Uniform
from bascule.data.imported import Imported
from bascule.experiments import Alike, Experiment, Higher, Lower, NoiseBound, Within
from bascule.gan.recipe import GANRecipe
from bascule.interventions import InstanceNoise, NoiseOnReals, PerfectG
from bascule.notebook import sharp, sharp_quick

sigma = Uniform(0.0, 0.1)


def perfect_simpsons(
    base: GANRecipe, early: int, end: int, quick: Experiment | None = None
) -> Experiment:
    """The early switch of perfect.py at one size."""
    plain = base.replace(epochs=end)
    swap = PerfectG(early, sigma)
    settled = early + (end - early) // 2
    return Experiment(
        question="What happens to D when G suddenly becomes almost perfect, on Simpsons faces?",
        hypothesis=(
            "As on the built-in faces: a D with BatchNorm is fooled for a moment, then sees the "
            "noise and wins again; whose reals carry the noise does not matter, and noise on "
            "everything that D sees makes its game harder."
        ),
        arms={
            "plain": plain,
            "early": plain.replace(interventions=swap),
            "early, every input noised": plain.replace(
                interventions=[swap, InstanceNoise(sigma, early)]
            ),
            "early, other reals": plain.replace(interventions=PerfectG(early, sigma, of="other")),
            "early, held-out reals": plain.replace(
                interventions=PerfectG(early, sigma, of="held_out")
            ),
            "early, same noise on reals": plain.replace(
                interventions=[swap, NoiseOnReals(sigma, early)]
            ),
        },
        predictions=[
            Higher("loss_D", "early", than="plain", by=0.1, from_epoch=early, to_epoch=early + 1),
            Within("D_x", "early", 0.75, 1.0, from_epoch=settled),
            Within("D_Gz", "early", 0.0, 0.25, from_epoch=settled),
            Higher("loss_D", "early, every input noised", than="early", from_epoch=settled),
            Alike("D_Gz", "early, other reals", than="early", by=0.05, from_epoch=settled),
            Lower("loss_D", "early, held-out reals", than="early, other reals", from_epoch=settled),
        ],
        seeds=(0, 1, 2),
        checks=[
            Within(scalar, "early, same noise on reals", 0.45, 0.55, from_epoch=settled)
            for scalar in ("D_x", "D_Gz")
        ],
        bounds={
            "early": NoiseBound(real=(), fake=sigma, from_epoch=early),
            "early, every input noised": NoiseBound(sigma, (sigma, sigma), early),
            "early, same noise on reals": NoiseBound(sigma, sigma, early),
        },
        pictures=False,
        quick=quick,
    )


quick = perfect_simpsons(sharp_quick, early=4, end=8)
experiment = perfect_simpsons(sharp.replace(data=Imported("simpsons")), 40, 64, quick=quick)

"""What happens to D when G suddenly becomes almost perfect: early, late, and against controls?"""

from bascule.core.schedules import Uniform
from bascule.experiments import Alike, Experiment, Higher, Lower, NoiseBound, Within
from bascule.gan.recipe import GANRecipe
from bascule.interventions import InstanceNoise, NoiseOnReals, PerfectG, RealsAmongFakes
from bascule.notebook import sharp, sharp_quick, smooth, smooth_quick

sigma, wider = Uniform(0.0, 0.1), Uniform(0.0, 0.2)


def perfect_g(
    sharp: GANRecipe,
    smooth: GANRecipe,
    early: int,
    early_end: int,
    late: int,
    end: int,
    quick: Experiment | None = None,
) -> Experiment:
    """The experiment at one size. ``sharp``: D with BatchNorm; ``smooth``: with spectral norm."""
    plain, short = sharp.replace(epochs=end), sharp.replace(epochs=early_end)
    swap = PerfectG(early, sigma)
    settled = early + (early_end - early) // 2
    return Experiment(
        question=__doc__,
        hypothesis=(
            "A D that is free to be steep (BatchNorm) is fooled for a moment, then sees the noise "
            "and wins again, early as late; whose reals carry the noise does not matter. A D that "
            "spectral normalisation keeps smooth stays fooled."
        ),
        arms={
            "plain": plain,
            "late": plain.replace(interventions=PerfectG(late, sigma)),
            "early": short.replace(interventions=swap),
            "early, every input noised": short.replace(
                interventions=[swap, InstanceNoise(sigma, early)]
            ),
            "early, doses only": short.replace(
                interventions=RealsAmongFakes(16, sigma, from_epoch=early, every_steps=4)
            ),
            "early, other reals": short.replace(interventions=PerfectG(early, sigma, of="other")),
            "early, held-out reals": short.replace(
                interventions=PerfectG(early, sigma, of="held_out")
            ),
            "early, reals noised more": short.replace(
                interventions=[swap, NoiseOnReals(wider, early)]
            ),
            "early, same noise on reals": short.replace(
                interventions=[swap, NoiseOnReals(sigma, early)]
            ),
            "smooth D": smooth.replace(epochs=early_end),
            "smooth D, early": smooth.replace(epochs=early_end, interventions=swap),
        },
        predictions=[
            # fooled at the switch
            Higher("loss_D", "late", than="plain", by=0.1, from_epoch=late, to_epoch=late + 1),
            Higher("loss_D", "early", than="plain", by=0.1, from_epoch=early, to_epoch=early + 1),
            # and later not any more
            Within("D_x", "late", 0.75, 1.0, from_epoch=(late + end) // 2),
            Within("D_Gz", "late", 0.0, 0.25, from_epoch=(late + end) // 2),
            Within("D_x", "early", 0.75, 1.0, from_epoch=settled),
            Within("D_Gz", "early", 0.0, 0.25, from_epoch=settled),
            # arms that hide the noise as a sign of fakes, or add another sign
            Higher("loss_D", "early, every input noised", than="early", from_epoch=settled),
            Higher("loss_D", "early, reals noised more", than="early", from_epoch=settled),
            Alike("D_Gz", "early, other reals", than="early", by=0.05, from_epoch=settled),
            Lower("loss_D", "early, held-out reals", than="early, other reals", from_epoch=settled),
            Higher(
                "D_Gz", "early, doses only", than="plain", from_epoch=settled, to_epoch=early_end
            ),
            # the slope of D decides
            Higher("D_Gz", "smooth D, early", than="early", by=0.1, from_epoch=settled),
        ],
        seeds=(0, 1, 2),
        checks=[
            Within(scalar, "early, same noise on reals", 0.45, 0.55, from_epoch=settled)
            for scalar in ("D_x", "D_Gz")
        ],
        bounds={
            "late": NoiseBound(real=(), fake=sigma, from_epoch=late),
            "early": NoiseBound(real=(), fake=sigma, from_epoch=early),
            "early, every input noised": NoiseBound(sigma, (sigma, sigma), early),
            "early, reals noised more": NoiseBound(wider, sigma, early),
            "early, same noise on reals": NoiseBound(sigma, sigma, early),
            "smooth D, early": NoiseBound(real=(), fake=sigma, from_epoch=early),
        },
        remarks=(
            "With the same noise on both sides reals and fakes have one distribution, and D must "
            "sit at 1/2: that arm checks the program. In “doses only” G goes on learning, and "
            "every fourth step a quarter of the fakes are reals plus noise. In “held-out reals” D "
            "is shown the held-out images, so that arm has no diagnostics and is measured no "
            "further. "
            "In 2019 the noise on every input was there from the first epoch; here it begins with "
            "the switch, so that all early arms share their past."
        ),
        quick=quick,
    )


quick = perfect_g(sharp_quick, smooth_quick, early=4, early_end=8, late=6, end=10)
experiment = perfect_g(sharp, smooth, early=60, early_end=100, late=150, end=300, quick=quick)

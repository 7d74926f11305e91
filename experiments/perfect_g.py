"""What happens to D when G suddenly becomes almost perfect?"""

from bascule.data.faces import Faces
from bascule.experiments import Experiment, Higher, Lower, Settles, Spike, Within
from bascule.interventions import InstanceNoise, NoiseOnReals, PerfectG
from bascule.laws import Uniform
from bascule.presets import dcgan64_light, dcgan64_tiny
from bascule.training.recipe import Recipe

sigma = Uniform(0.0, 0.1)


def perfect_g(plain: Recipe, at_epoch: int, quick: Experiment | None = None) -> Experiment:
    """The question at one size: G becomes almost perfect at ``at_epoch`` of ``plain.epochs``."""
    swap = PerfectG(at_epoch, sigma)
    late = at_epoch + (plain.epochs - at_epoch) // 2
    return Experiment(
        question="What happens to D when G suddenly becomes almost perfect?",
        hypothesis=(
            "A D that beats its G is fooled when the fakes suddenly become the reals plus a "
            "little noise, but only at first: it learns to see the noise and wins again. Noise "
            "on everything that D sees takes this sign away from it."
        ),
        arms={
            "plain": plain,
            "perfect G": plain.but(change=swap),
            "perfect G, every input noised": plain.but(
                change=[swap, InstanceNoise(sigma, from_epoch=at_epoch)]
            ),
            "perfect G, same noise on reals": plain.but(
                change=[swap, NoiseOnReals(sigma, from_epoch=at_epoch)]
            ),
        },
        predictions=[
            Spike("loss_D", arm="perfect G", at_epoch=at_epoch),
            Higher("D_Gz", "perfect G", than="plain", from_epoch=at_epoch, to_epoch=at_epoch + 1),
            Lower("D_Gz", "perfect G", than="plain", from_epoch=late),
            Settles("D_x", "perfect G", within=0.05, from_epoch=late),
            Higher("D_Gz", "perfect G, every input noised", than="perfect G", from_epoch=late),
        ],
        checks=[
            Within(scalar, "perfect G, same noise on reals", 0.45, 0.55, from_epoch=late)
            for scalar in ("D_x", "D_Gz")
        ],
        remarks=(
            "The last arm is a check of the program, not a finding: reals and fakes then have "
            "one law, and no D can do better than 1/2. All arms of a seed are bit-identical "
            "until the switch, so they share one trunk."
        ),
        seeds=(0, 1, 2),
        quick=quick,
    )


quick = perfect_g(
    dcgan64_tiny.but(data=Faces(n=600), epochs=30, sample_every_epochs=2), at_epoch=20
)
experiment = perfect_g(dcgan64_light.but(epochs=60, precision="auto"), at_epoch=40, quick=quick)

"""Does noise on everything that D sees keep it from winning?"""

from bascule.data.faces import Faces
from bascule.experiments import Experiment, Higher, Lower
from bascule.interventions import InstanceNoise
from bascule.laws import Anneal
from bascule.presets import dcgan64_light, dcgan64_tiny
from bascule.training.gan import Recipe


def instance_noise(plain: Recipe, until_epoch: int, quick: Experiment | None = None) -> Experiment:
    """The question at one size: noise falls from 0.3 to 0 at ``until_epoch``."""
    return Experiment(
        question=__doc__,
        hypothesis=("Instance noise slows D's lead while it is strong."),
        arms={
            "plain": plain,
            "noise": plain.but(change=InstanceNoise(Anneal(0.3, 0.0, until_epoch))),
        },
        predictions=[
            Lower("D_x", arm="noise", than="plain", to_epoch=until_epoch // 2),
            Higher("D_Gz", arm="noise", than="plain", to_epoch=until_epoch // 2),
            Lower("loss_D", arm="plain", than="noise", to_epoch=until_epoch // 2),
        ],
        quick=quick,
    )


quick = instance_noise(dcgan64_tiny.but(data=Faces(n=600), epochs=30), until_epoch=20)
experiment = instance_noise(dcgan64_light.but(epochs=100, precision="auto"), 60, quick=quick)

"""Does noise on everything that D sees keep it from winning?"""

from bascule.core.schedules import Anneal
from bascule.data.faces import Faces
from bascule.experiments import Experiment, Higher, Lower
from bascule.gan.recipe import GANRecipe
from bascule.interventions import InstanceNoise
from bascule.presets import dcgan64_light, dcgan64_tiny


def instance_noise(
    plain: GANRecipe, until_epoch: int, quick: Experiment | None = None
) -> Experiment:
    """The experiment at one size: noise falls linearly from 0.3 to 0 at ``until_epoch``."""
    return Experiment(
        question=__doc__,
        hypothesis=("Instance noise slows D's lead while it is strong."),
        arms={
            "plain": plain,
            "noise": plain.replace(interventions=InstanceNoise(Anneal(0.3, 0.0, until_epoch))),
        },
        predictions=[
            Lower("D_x", arm="noise", than="plain", to_epoch=until_epoch // 2),
            Higher("D_Gz", arm="noise", than="plain", to_epoch=until_epoch // 2),
            Lower("loss_D", arm="plain", than="noise", to_epoch=until_epoch // 2),
        ],
        quick=quick,
    )


quick = instance_noise(dcgan64_tiny.replace(data=Faces(n=600), epochs=30), until_epoch=20)
experiment = instance_noise(dcgan64_light.replace(epochs=100, precision="auto"), 60, quick=quick)

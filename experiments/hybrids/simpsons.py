"""Is GAN x SDPC worth it on the faces of the Simpsons: at equal time, and as an encoder?

Needs the pictures: `bascule data import FOLDER --name simpsons`, or `bascule data fetch simpsons`.

Kill rules as in verdict.py: neither is worth it for its pictures if at eight minutes of one core it
does not beat the DCGAN in KID on held-out faces.
"""

from typing import Any

from bascule.data.imported import Imported
from bascule.experiments import Exceeds, Experiment, Lower, Measure, Within
from bascule.experiments.predictions import HELD_OUT_KID
from bascule.models.dcgan import DCGAN
from bascule.presets import sdpc_critic, sdpc_critic_tiny
from bascule.sdpc.hybrid.model import SDPCGAN, SDPCCritic
from bascule.sdpc.hybrid.recipe import HybridRecipe

# Epochs of 900 training faces that take eight minutes each at the speed of verdict.py.
EPOCHS = {"dictionaries": 2, "DCGAN": 100, "sdpc-gan": 64, "sdpc-critic": 32}


def simpsons(
    plain: HybridRecipe, epochs: dict[str, int], measure: Measure, quick: Experiment | None = None
) -> Experiment:
    """The experiment at one size; ``epochs``: those of the dictionaries and of each kind of GAN."""
    how: dict[str, Any] = {name: getattr(plain.model, name) for name in ("width", "z_dim", "size")}
    coding = plain.coding.replace(epochs=epochs["dictionaries"])
    random = coding.untaught().replace(epochs=1)

    def played(name: str, model: Any, coding: Any = coding) -> HybridRecipe:
        return plain.replace(model=model, coding=coding, epochs=coding.epochs + epochs[name])

    last = coding.epochs + epochs["sdpc-gan"] - 1
    return Experiment(
        question=__doc__,
        hypothesis=(
            "As on the built-in faces, and for the same reasons: at this length the DCGAN draws "
            "better, and feedback takes noise away."
        ),
        arms={
            "DCGAN": played("DCGAN", DCGAN(**how, norm_D="spectral"), random),
            "sdpc-gan": played("sdpc-gan", SDPCGAN(**how)),
            "sdpc-critic": played("sdpc-critic", SDPCCritic(**how)),
        },
        predictions=[
            Lower(HELD_OUT_KID, "DCGAN", than="sdpc-gan"),
            Lower(HELD_OUT_KID, "DCGAN", than="sdpc-critic"),
            Within("innovation", "sdpc-gan", 0.0, 0.8, from_epoch=last),
            Exceeds(
                *("SSIM of layer 1[k_fb=4,sigma=1]", "SSIM of layer 1[k_fb=0,sigma=1]"),
                "sdpc-gan",
            ),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        pictures=False,
        quick=quick,
    )


quick = simpsons(
    sdpc_critic_tiny,
    dict.fromkeys(EPOCHS, 1),
    Measure(40, attributes=False, k_fb=(0.0, 4.0), sigmas=(1.0,)),
)
experiment = simpsons(
    sdpc_critic.replace(data=Imported("simpsons"), threads=1),
    EPOCHS,
    Measure(1000, attributes=False, k_fb=(0.0, 4.0), sigmas=(1.0,), decoded=True),
    quick=quick,
)

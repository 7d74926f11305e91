"""Do a DCGAN's faces get better when they settle in dictionaries of faces: is feedback a prior?"""

from bascule.data.faces import Faces
from bascule.experiments import Exceeds, Experiment, Lower, Measure
from bascule.experiments.predictions import KID, Prediction
from bascule.features.extractors import DEFAULT
from bascule.models.dcgan import DCGAN
from bascule.presets import sdpc_critic, sdpc_critic_tiny
from bascule.sdpc.hybrid.recipe import HybridRecipe

K_FB = (0.0, 1.0, 2.0, 3.0, 4.0)


def probe(plain: HybridRecipe, fakes: int, quick: Experiment | None = None) -> Experiment:
    """The experiment at one size. ``plain``: a DCGAN with dictionaries for settling."""

    def kid(layer: int, k: float) -> str:
        return f"KID of layer {layer} at k_fb={k:g}[{DEFAULT},128px]"

    predictions: list[Prediction] = [
        Exceeds(KID, kid(1, 0.0), "DCGAN"),
        Exceeds(kid(1, 4.0), kid(1, 0.0), "DCGAN"),
        Exceeds(kid(2, 1.0), kid(1, 1.0), "DCGAN"),
        Lower(kid(1, 0.0), "DCGAN", than="DCGAN, random dictionaries"),
    ]
    random = plain.coding.untaught()
    return Experiment(
        question=__doc__,
        hypothesis=(
            "No. Settling in layer 1 takes grain away, which KID hears before anything else, so it "
            "helps without feedback already. Feedback pulls codes towards what layer 2 expects, "
            "which blurs what G has drawn well and badly alike: more of it is worse."
        ),
        arms={"DCGAN": plain, "DCGAN, random dictionaries": plain.replace(coding=random)},
        predictions=predictions,
        seeds=(0, 1, 2),
        measure=Measure(fakes, attributes=quick is not None, k_fb=K_FB),
        quick=quick,
    )


quick = probe(
    sdpc_critic_tiny.replace(
        data=Faces(n=128, size=32, held_out=0.5),
        model=DCGAN(width=4, z_dim=16, size=32, norm_D="spectral"),
        coding=sdpc_critic_tiny.coding.replace(epochs=1),
        epochs=4,
    ),
    fakes=100,
)
experiment = probe(
    sdpc_critic.replace(
        data=Faces(n=2000),
        model=DCGAN(width=32, norm_D="spectral"),
        epochs=34,
        threads=1,
    ),
    fakes=1000,
    quick=quick,
)

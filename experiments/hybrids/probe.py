"""Do a DCGAN's faces get better when they settle in dictionaries of faces: is feedback a prior?"""

from bascule.data.bands import Bands
from bascule.data.faces import Faces
from bascule.data.standard import Standardise
from bascule.experiments import Exceeds, Experiment, Lower, Measure
from bascule.experiments.predictions import KID, Prediction
from bascule.features.extractors import DEFAULT
from bascule.models.dcgan import DCGAN
from bascule.models.sdpc import SDPC, Layer
from bascule.presets import sdpc, sdpc_critic
from bascule.training.hybrid import HybridRecipe

K_FB = (0.0, 1.0, 2.0, 3.0, 4.0)


def probe(plain: HybridRecipe, fakes: int, quick: Experiment | None = None) -> Experiment:
    """The question at one size. ``plain``: a DCGAN beside dictionaries."""

    def kid(layer: int, k: float) -> str:
        return f"KID of layer {layer} at k_fb={k:g}[{DEFAULT},128px]"

    predictions: list[Prediction] = [
        Exceeds(KID, kid(1, 0.0), "DCGAN"),
        Exceeds(kid(1, 4.0), kid(1, 0.0), "DCGAN"),
        Exceeds(kid(2, 1.0), kid(1, 1.0), "DCGAN"),
        Lower(kid(1, 0.0), "DCGAN", than="DCGAN, random dictionaries"),
    ]
    random = plain.coding.but(lr_D=(1e-9,), lr_v=0.0, redraw_after=None)
    return Experiment(
        question=__doc__,
        hypothesis=(
            "No. Settling in layer 1 takes grain away, which KID hears before anything else, so it "
            "helps without feedback already. Feedback pulls codes towards what layer 2 expects, "
            "which blurs what G has drawn well and badly alike: more of it is worse."
        ),
        arms={"DCGAN": plain, "DCGAN, random dictionaries": plain.but(coding=random)},
        predictions=predictions,
        measure=Measure(fakes, attributes=quick is not None, k_fb=K_FB),
        quick=quick,
    )


_layers = (Layer(8, 8, 4, 2, 0.5), Layer(12, 4, 2, 1, 0.5))
_faces = Faces(n=128, size=32, held_out=0.5)
quick = probe(
    sdpc_critic.but(
        data=_faces,
        model=DCGAN(width=4, z_dim=16, size=32, norm_D="spectral"),
        coding=sdpc.but(
            data=_faces,
            model=SDPC(_layers, size=32),
            preprocess=(Bands(4), Standardise()),
            epochs=1,
        ),
        epochs=4,
        precision="fp32",
        threads=1,
    ),
    fakes=100,
)
experiment = probe(
    sdpc_critic.but(
        data=Faces(n=2000),
        model=DCGAN(width=32, norm_D="spectral"),
        epochs=34,
        threads=1,
    ),
    fakes=1000,
    quick=quick,
)

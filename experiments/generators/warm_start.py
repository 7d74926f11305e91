"""Is it worth its time to teach G principal components before the game begins?"""

from bascule.data.faces import Faces
from bascule.experiments import KID, Experiment, Higher, Lower, Measure
from bascule.gan.recipe import GANRecipe
from bascule.interventions import WarmStart
from bascule.metrics.measurement import parse
from bascule.presets import dcgan64_tuned

OUT_OF_VOCABULARY = parse("out of vocabulary[micah,64px]")
JOINT_IN_VOCABULARY = parse("joint coverage in vocabulary[micah,64px]")

cold = dcgan64_tuned.replace(
    data=Faces(n=2000),
    epochs=24,
    precision="fp32",
    threads=1,
    device="cpu",
    sample_every_epochs=4,
    keep_every_epochs=12,
)
warm = cold.replace(interventions=(WarmStart(4),))


def question(cold: GANRecipe, warm: GANRecipe, fakes: int, quick: Experiment | None) -> Experiment:
    """The experiment at one size."""
    arms = {"cold": cold, "warm": warm}
    fewer = Lower(OUT_OF_VOCABULARY, "warm", than="cold")
    return Experiment(
        question=__doc__,
        hypothesis=(
            "It is. A sixth of three minutes is spent without a game, but the game then begins "
            "from blurred faces that differ with z, so fewer pictures are out of vocabulary at "
            "the end, and more kinds of faces are drawn."
        ),
        arms=arms,
        predictions=[
            fewer,
            Higher(JOINT_IN_VOCABULARY, "warm", than="cold"),
            Lower(KID, "warm", than="cold"),
        ],
        primary=fewer,
        measure=Measure(fakes),
        quick=quick,
        remarks=(
            "An epoch without a game, in which G learns from 32 images a step, takes as long as "
            "one with it, from 16: 8.4 and 8.1 seconds of one core in a pilot. So equal epochs "
            "are equal time."
        ),
    )


few = {"data": Faces(n=600), "epochs": 4, "sample_every_epochs": 2, "keep_every_epochs": 4}
quick = question(cold.replace(**few), warm.replace(**few, interventions=(WarmStart(1),)), 60, None)
experiment = question(cold, warm, 2000, quick)

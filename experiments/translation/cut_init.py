"""Does CUT fail on moving heads because its initial weights were too wide?"""

from dataclasses import replace

from bascule.core.schedules import Anneal
from bascule.experiments import Exceeds, Experiment, Higher, Lower, MeasureTranslation
from bascule.presets import cut_light
from bascule.translation.cut.model import CUT
from bascule.translation.cut.recipe import ContrastiveRecipe
from bascule.translation.pairs import CartoonPair


def cut_init(
    plain: ContrastiveRecipe, measure: MeasureTranslation, quick: Experiment | None = None
) -> Experiment:
    """The experiment with the networks, pictures and steps of ``plain``."""

    def at(name: str) -> str:
        return f"{name}[translation,{plain.model.size}px]"

    error, first = at("paired L1"), at("R@1")
    nearer = Lower(error, "as published", than="wide")
    return Experiment(
        question=__doc__,
        hypothesis=(
            "In translation/cartoon-pair, CUT was worse than the untouched picture. All its "
            "weights began with a standard deviation of 0.02. The authors' begin 24 times "
            "narrower in the residual blocks of the network below. With their weights the "
            "translator starts from grey pictures and Adam changes it faster, relative to its "
            "weights. So it should come nearer to the true counterparts and show more different "
            "faces. It should still be worse than the untouched picture, because the contrastive "
            "loss wants places to stay and heads move."
        ),
        arms={
            "wide": plain.replace(model=replace(plain.model, init="normal")),
            "as published": plain.replace(model=replace(plain.model, init="xavier")),
        },
        predictions=[
            nearer,
            Higher(at("spread"), "as published", than="wide"),
            Exceeds(error, at("paired L1 of copy"), "as published"),
            Exceeds(at("R@1 of copy"), first, "as published"),
        ],
        primary=nearer,
        seeds=(0, 1, 2),
        measure=measure,
        quick=quick,
        remarks=(
            "The CUT arm of translation/cartoon-pair on a small scale: the same kind of networks, "
            "losses and learning rates; half the width, pictures of 32 pixels instead of 64, "
            "patches of 16 instead of 34, 250 faces of each style instead of 1,000, and 2,000 "
            "steps instead of 8,000. Both arms are alike in all of this. The first prediction is "
            "the primary one."
        ),
    )


_light = cut_light.replace(lr=Anneal(2e-4, 0.0, until_epoch=4, from_epoch=2), epochs=4)
quick = cut_init(
    _light.replace(
        data=CartoonPair(n=64, tests=50, size=32, law="skewed"),
        model=CUT(4, 1, 32, width_D=4, halvings=1, taps=("rgb", "res0"), features=8),
        epochs=2,
        batch=8,
        lr=2e-4,
    ),
    measure=MeasureTranslation(pictures=50, attributes=False),
)
experiment = cut_init(
    _light.replace(
        data=CartoonPair(n=250, tests=200, size=32, law="skewed"),
        model=CUT(
            *(16, 4, 32),
            width_D=16,
            halvings=1,
            taps=("rgb", "down1", "down2", "res0", "res2"),
            features=64,
        ),
    ),
    measure=MeasureTranslation(pictures=200, attributes=False),
    quick=quick,
)

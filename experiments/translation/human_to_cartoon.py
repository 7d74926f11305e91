"""What does CycleGAN make of human faces, and does the identity term keep their skin from yellow?

Needs pictures of faces: `bascule data import FOLDER --name humans`.
"""

from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.experiments import KID, Exceeds, Experiment, Higher, MeasureTranslation, Within
from bascule.experiments.predictions import Prediction
from bascule.features.extractors import DEFAULT
from bascule.presets import cyclegan_light
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.recipe import CycleRecipe
from bascule.translation.domains import TwoSets


def human_to_cartoon(
    plain: CycleRecipe,
    size: int,
    measure: MeasureTranslation,
    humans: bool = True,
    quick: Experiment | None = None,
) -> Experiment:
    """The experiment at one size."""

    def at(name: str) -> str:
        return f"{name}[translation,{size}px]"

    arms = {"identity": plain, "no identity": plain.replace(identity=0.0)}
    predictions: list[Prediction] = []
    for arm in arms:
        predictions += [
            Exceeds(f"KID of {baseline}[{DEFAULT},128px]", KID, arm)
            for baseline in ("copy", "colour transfer")
        ]
        predictions += [
            Exceeds(at("cycle L1 after JPEG"), at("cycle L1"), arm, by=0.005),
            Within(at("spread"), arm, 0.5, 1.25),
        ]
    if measure.attributes:
        skin = f"TV of baseColor[micah,{size}px]"
        predictions += [
            Higher(skin, "identity", than="no identity"),
            Within(f"out of vocabulary[micah,{size}px]", "identity", 0.5, 1.0),
        ]
    return Experiment(
        question="What does CycleGAN make of human faces, and what does its identity term cost?",
        hypothesis=(
            "Half an hour of one core gives pictures that are nearer to the cartoons than "
            "recoloured photographs are, and that most of the time no renderer would draw. What "
            "a cartoon cannot show is hidden in it. The identity term holds on to human colours, "
            "so that skins are further from the cartoons' palette."
        ),
        arms=arms,
        predictions=predictions,
        seeds=(0, 1, 2),
        measure=measure,
        pictures=not humans,
        quick=quick,
        remarks=(
            "There is no right answer for a photograph: these numbers say how near the "
            "translations are to cartoons, not whether they are the right ones."
        ),
    )


_cartoons = TwoSets(
    Faces(n=120, size=32, style="adventurer", held_out=0.4), Faces(n=120, size=32, held_out=0.4)
)
quick = human_to_cartoon(
    cyclegan_light.replace(
        data=_cartoons,
        model=CycleGAN(4, 1, 32, width_D=4, halvings=2),
        epochs=2,
        batch=8,
        lr=2e-4,
    ),
    size=32,
    measure=MeasureTranslation(pictures=50, attributes=False),
    humans=False,
)
experiment = human_to_cartoon(
    cyclegan_light.replace(data=TwoSets(Imported("humans", 64), Faces(n=1000))),
    size=64,
    measure=MeasureTranslation(),
    quick=quick,
)

"""How much of a known translation is learnt without pairs, in half an hour of one core?"""

from dataclasses import replace
from typing import Any

from bascule.experiments import (
    Closes,
    Exceeds,
    Experiment,
    Higher,
    Lower,
    MeasureTranslation,
    Within,
)
from bascule.experiments.predictions import Prediction
from bascule.presets import cut_light, cyclegan_light, fastcut_light, pix2pix_light
from bascule.training.recipe import Recipe
from bascule.translation.cut.model import CUT
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.pairs import CartoonPair
from bascule.translation.pix2pix.model import Pix2Pix

BASELINES = ("copy", "random target", "colour transfer")


def cartoon_pair(
    arms: dict[str, Recipe],
    size: int,
    measure: MeasureTranslation,
    quick: Experiment | None = None,
) -> Experiment:
    """The experiment at one size."""

    def at(name: str) -> str:
        return f"{name}[translation,{size}px]"

    error, kept, first = at("paired L1"), at("attributes kept"), at("R@1")
    of = {name: [at(f"{name} of {b}") for b in BASELINES] for name in ("paired L1", "R@1")}
    of["attributes kept"] = [at(f"attributes kept of {b}") for b in BASELINES]
    predictions: list[Prediction] = [
        *(Exceeds(baseline, error, "CycleGAN") for baseline in of["paired L1"]),
        *(Exceeds(first, baseline, "CycleGAN") for baseline in of["R@1"]),
        Closes(error, at("paired L1 of copy"), "CycleGAN", than="pix2pix", part=0.5),
        Lower(error, "CycleGAN", than="CUT"),
        Lower(error, "CUT", than="FastCUT"),
        Exceeds(at("cycle L1 after JPEG"), at("cycle L1"), "CycleGAN", by=0.005),
    ]
    if measure.attributes:
        predictions += [
            *(Exceeds(kept, baseline, "CycleGAN") for baseline in of["attributes kept"]),
            Higher(at("kept skin"), "CycleGAN", than="CycleGAN, no identity"),
            Higher(kept, "CycleGAN", than="CycleGAN, uniform law"),
            Within(at("kept mouth"), "CycleGAN", 0.0, 0.5),
            Within(at("kept hair_colour"), "CycleGAN", 0.8, 1.0),
        ]
    return Experiment(
        question=__doc__,
        hypothesis=(
            "CycleGAN learns the other style's geometry and keeps what is large or coloured "
            "(hair, its colour, skin, background); what is small (mouth, eyes, glasses) is lost. "
            "It beats whatever asks nothing of a translator and closes half of the gap to pix2pix. "
            "CUT, which wants each place to stay like itself, is worse where the head moves."
        ),
        arms=arms,
        predictions=predictions,
        seeds=(0, 1, 2),
        measure=measure,
        quick=quick,
        remarks=(
            "Every arm sees 8,000 pictures of either style, one at a time; half an hour on one "
            "core at most for CycleGAN, less for the others. pix2pix is told the answers and "
            "bounds what the same translator can reach."
        ),
    )


def _arms(
    data: CartoonPair, cycle: CycleGAN, cut: CUT, pix2pix: Pix2Pix, **same: Any
) -> dict[str, Recipe]:
    """The light presets on ``data`` with these networks, and with the common fields ``same``."""
    plain = cyclegan_light.replace(data=data, model=cycle, **same)
    return {
        "CycleGAN": plain,
        "CycleGAN, no identity": plain.replace(identity=0.0),
        "CycleGAN, uniform law": plain.replace(data=replace(data, law="uniform")),
        "CUT": cut_light.replace(data=data, model=cut, **same),
        "FastCUT": fastcut_light.replace(data=data, model=cut, **same),
        "pix2pix": pix2pix_light.replace(data=replace(data, paired=True), model=pix2pix, **same),
    }


quick = cartoon_pair(
    _arms(
        CartoonPair(n=64, tests=50, size=32, law="skewed"),
        CycleGAN(4, 1, 32, width_D=4, halvings=2),
        CUT(4, 1, 32, width_D=4, halvings=2, taps=("rgb", "res0")),
        Pix2Pix(4, 1, 32, net="resnet", width_D=4, halvings=2),
        epochs=2,
        batch=8,
        lr=2e-4,
    ),
    size=32,
    measure=MeasureTranslation(pictures=50, attributes=False),
)
experiment = cartoon_pair(
    _arms(
        CartoonPair(law="skewed"),
        cyclegan_light.model,
        replace(cut_light.model, init="normal"),  # cut-light's when these runs were made
        pix2pix_light.model,
    ),
    size=64,
    measure=MeasureTranslation(),
    quick=quick,
)

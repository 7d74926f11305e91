"""Do turned and zoomed reals help a GAN with few faces, and what do their corners do to D?"""

from typing import Any

from bascule.data.augment import Affine, Flip
from bascule.experiments import KID, Experiment, Higher, Lower, Measure
from bascule.gan.recipe import GANRecipe
from bascule.interventions import AdaptiveAugment, DiffAugment
from bascule.notebook import smooth_quick, smooth_small

degrees, zoom = 10.0, (0.9, 1.1)


def affine(plain: GANRecipe, measure: Measure, quick: Experiment | None = None) -> Experiment:
    """The experiment at one size, given by ``plain``."""
    late = plain.epochs // 2

    def moved(**motion: Any) -> GANRecipe:
        return plain.replace(augment=[Flip(), Affine(**motion)])

    return Experiment(
        question=__doc__,
        hypothesis=(
            "Motions of the reals alone leak into what G draws and make it worse, rotation most; "
            "black corners, which G has to copy, give D a further lead. Augmenting all that D "
            "sees (DiffAugment, ADA) does not leak, and draws better faces."
        ),
        arms={
            "flips": plain.replace(augment=Flip()),
            "nothing": plain,
            "flips, rotation": moved(degrees=degrees),
            "flips, scale": moved(scale=zoom),
            "flips, both": moved(degrees=degrees, scale=zoom),
            "flips, both, black corners": moved(degrees=degrees, scale=zoom, fill="black"),
            "flips, DiffAugment": plain.replace(augment=Flip(), interventions=DiffAugment()),
            "flips, ADA": plain.replace(
                augment=Flip(), interventions=AdaptiveAugment(speed_images=50_000)
            ),
        },
        predictions=[
            Higher(KID, "flips", than="nothing"),
            Higher(KID, "flips, rotation", than="flips"),
            Higher(KID, "flips, scale", than="flips"),
            Higher(KID, "flips, rotation", than="flips, scale"),
            Higher("lead", "flips, both, black corners", than="flips, both", from_epoch=late),
            Higher(KID, "flips, both, black corners", than="flips, both"),
            Lower(KID, "flips, DiffAugment", than="flips"),
            Higher("coverage", "flips, DiffAugment", than="flips", from_epoch=late),
            Lower(KID, "flips, ADA", than="flips"),
            Lower("auc_train_vs_held_out", "flips, DiffAugment", than="flips", from_epoch=late),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        remarks=(
            "Fakes are measured against the images as they are: what leaks from an augmentation "
            "counts against it. Rotation up to 10 degrees, zoom 0.9 to 1.1. ADA is sped up from "
            "500,000 to 50,000 images, half the length of these runs."
        ),
        quick=quick,
    )


quick = affine(smooth_quick, Measure(fakes=64, attributes=False))
experiment = affine(smooth_small, Measure(fakes=1000), quick=quick)

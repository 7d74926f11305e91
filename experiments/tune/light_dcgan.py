"""Which rates, batch and augmentation should the light DCGAN have for half an hour of CPU?"""

from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN
from bascule.presets import dcgan64_hinge
from bascule.tuning.search import Among, Between, Choice, Tuning

space: dict[str, Choice] = {
    "lr_D": Between(2e-4, 2e-3, log=True),
    "lr_G": Between(1e-4, 2e-3, log=True),
    "objective.kind": Among(("non-saturating", "hinge")),
    "batch": Among((16, 32)),
    "augment": Among(("[]", "[Flip()]")),
    "interventions": Among(("[]", "[DiffAugment()]")),
}
remarks = (
    "Trials last an eighth of the half hour that the preset is meant for: 40,000 images. What pays "
    "late, such as augmentation against a D that knows its images by heart, looks worse here than "
    "it is."
)
quick = Tuning(
    question=__doc__,
    start=dcgan64_hinge.replace(
        data=Faces(n=128, size=32, held_out=0.5),
        model=DCGAN(width=4, size=32, norm_D="spectral"),
        epochs=2,
        precision="fp32",
    ),
    space=space,
    fakes=64,
    looks=2,
    trials=4,
    fresh_seeds=(101, 102),
    remarks=remarks,
)
tuning = Tuning(
    question=__doc__,
    start=dcgan64_hinge.replace(data=Faces(n=2000), epochs=28, threads=1),
    space=space,
    looks=3,
    trials=16,
    fresh_seeds=(101, 102),
    remarks=remarks,
    quick=quick,
)

"""Which rates of its own should the generator of codes have?

Both hybrids play at the rates that a search found for the DCGAN (tune/light_dcgan), which leaves
open whether they lose to it for want of a search of their own. This one is as long as that one was.
"""

from bascule.data.faces import Faces
from bascule.presets import sdpc_critic_tiny, sdpc_gan
from bascule.sdpc.hybrid.model import SDPCGAN
from bascule.tuning.search import Among, Between, Choice, Tuning

space: dict[str, Choice] = {
    "lr_D": Between(2e-4, 2e-3, log=True),
    "lr_G": Between(1e-4, 2e-3, log=True),
    "batch": Among((16, 32)),
    "lr_dictionaries": Among((0.0, 0.1)),
    "coding.settle.k_fb": Among((0.0, 1.0)),
    "interventions": Among(("[]", "[DiffAugment()]")),
}
remarks = (
    "The start is the generator of codes of hybrids/verdict: one epoch for dictionaries and 26 for "
    "pixels, seven minutes of one core."
)
quick = Tuning(
    question=__doc__,
    start=sdpc_critic_tiny.replace(
        model=SDPCGAN(width=2, z_dim=8, size=32),
        coding=sdpc_critic_tiny.coding.replace(epochs=2),
        epochs=6,
    ),
    space=space,
    fakes=40,
    attributes=False,
    looks=2,
    trials=3,
    fresh_seeds=(101, 102),
    remarks=remarks,
)
tuning = Tuning(
    question=__doc__,
    start=sdpc_gan.replace(
        data=Faces(n=2200, held_out=200 / 2200),
        coding=sdpc_gan.coding.replace(epochs=1),
        epochs=27,
        threads=1,
    ),
    space=space,
    looks=3,
    trials=15,
    remarks=remarks,
    quick=quick,
)

"""The public starting points: each names only what it differs in.

On 2,000 cartoon faces the published recipe ends soon: D, with its batch normalisation, wins
within an epoch, and G stays grey (notes/dcgan_on_faces.md). The light presets therefore take
spectral normalisation in D, the two learning rates and beta1 = 0 that go with it (Zhang et al.
2019, section 4), and a batch of 32 for more steps an epoch.
"""

from bascule.data.augment import Flip
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.training.recipe import Recipe

# Radford et al. 2015 at its published width and rates.
dcgan64 = Recipe(model=DCGAN(width=64), augment=(Flip(),))

# For CPUs: half and a quarter of the width, and a D that does not run away.
dcgan64_light = dcgan64.but(
    model=DCGAN(width=32, norm_D="spectral"),
    augment=(),
    batch=32,
    lr_D=4e-4,
    lr_G=1e-4,
    beta1=0.0,
    beta2=0.99,
)
dcgan64_tiny = dcgan64_light.but(model=DCGAN(width=16, norm_D="spectral"))

# The 2019 internship notebook's variant, learning rates and all.
dcgan_w9 = dcgan64.but(model=DCGANW9(), lr_D=4e-5, lr_G=4e-4)
dcgan_w9_light = dcgan_w9.but(model=DCGANW9(width=24))

PRESETS: dict[str, Recipe] = {
    "dcgan64": dcgan64,
    "dcgan64-light": dcgan64_light,
    "dcgan64-tiny": dcgan64_tiny,
    "dcgan-w9": dcgan_w9,
    "dcgan-w9-light": dcgan_w9_light,
}

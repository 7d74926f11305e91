"""The public starting points. Each line names what it differs in from the recipe's defaults.

`dcgan64`      Radford et al. 2015 at its published width
`dcgan64-light` half the width: 8 times fewer operations in the wide layers' products, for CPUs
`dcgan-w9`     the 2019 internship notebook's variant, learning rates and all
"""

from bascule.data.augment import Flip
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.training.recipe import Recipe

dcgan64 = Recipe(model=DCGAN(width=64), augment=(Flip(),))
dcgan64_light = dcgan64.but(model=DCGAN(width=32))
dcgan64_tiny = dcgan64.but(model=DCGAN(width=16))
dcgan_w9 = dcgan64.but(model=DCGANW9(), lr_D=4e-5, lr_G=4e-4)
dcgan_w9_light = dcgan_w9.but(model=DCGANW9(width=24))

PRESETS: dict[str, Recipe] = {
    "dcgan64": dcgan64,
    "dcgan64-light": dcgan64_light,
    "dcgan64-tiny": dcgan64_tiny,
    "dcgan-w9": dcgan_w9,
    "dcgan-w9-light": dcgan_w9_light,
}

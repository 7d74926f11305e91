"""The recipes from which the notebook experiments start (``experiments/notebook/``).

The questions come from a 2019 internship notebook. The size fits two cores: 512 training faces, 512
held-out faces and a quarter of the width. At 64 pixels the experiments show how the scores develop.
Quality is compared at 32 pixels, where a step costs a quarter, so that enough steps are affordable.
Precision and threads are the same on every machine, so that one machine can continue the runs of
another.
"""

from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN
from bascule.presets import dcgan64_light

# A D that spectral normalisation keeps smooth. Width 16 allows learning rates too high for width
# 64.
smooth = dcgan64_light.replace(
    data=Faces(n=1024, held_out=0.5),
    model=DCGAN(width=16, norm_D="spectral"),
    batch=64,
    lr_D=1e-3,
    lr_G=5e-4,
    precision="fp32",
    threads=1,
    sample_every_epochs=10,
    keep_every_epochs=50,
)
# The same with the kind of D that the notebook used. Its slope is not bounded, and it wins.
sharp = smooth.replace(model=DCGAN(width=16), lr_D=2e-4, lr_G=2e-4, beta1=0.5, beta2=0.999)
# The same two at 32 pixels, with 1,600 steps. After these, attributes and coverage can distinguish
# good from bad images (mean TV 0.1 and the diagnostics' coverage 0.7 in a pilot). At 64 pixels both
# were still at their extremes after 800 steps.
_small = dict(data=Faces(n=1024, size=32, held_out=0.5), epochs=200, sample_every_epochs=20)
smooth_small = smooth.replace(model=DCGAN(width=16, size=32, norm_D="spectral"), **_small)
sharp_small = sharp.replace(model=DCGAN(width=16, size=32), **_small)
# Both at a size that trains in seconds, to try out an experiment.
_seconds = dict(data=Faces(n=128, size=32, held_out=0.5), batch=16, epochs=8, keep_every_epochs=4)
smooth_quick = smooth.replace(
    model=DCGAN(width=4, z_dim=16, size=32, norm_D="spectral"), **_seconds
)
sharp_quick = sharp.replace(model=DCGAN(width=4, z_dim=16, size=32), **_seconds)

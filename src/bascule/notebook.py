"""The recipes from which the notebook's questions start (``experiments/notebook/``).

The questions are those of a 2019 internship notebook, at a size that two cores answer: 512 faces to
train on and as many held out, a quarter of the width. At 64 pixels they show what becomes of the
scores; quality is compared at 32, where a step costs a quarter and enough of them are affordable.
Precision and threads are the same on every machine, so that one may go on with the runs of another.
"""

from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN
from bascule.presets import dcgan64_light

# A smooth D, kept so by spectral normalisation. Width 16 learns at rates too high for width 64.
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
# The same with the notebook's kind of D, which is free to be as steep as it likes, and wins.
sharp = smooth.replace(model=DCGAN(width=16), lr_D=2e-4, lr_G=2e-4, beta1=0.5, beta2=0.999)
# The same two at 32 pixels: 1,600 steps, by which attributes and coverage tell pictures apart
# (mean TV 0.1 and the probe's coverage 0.7 in a pilot; at 64 pixels 800 steps left them at their
# ends).
_small = dict(data=Faces(n=1024, size=32, held_out=0.5), epochs=200, sample_every_epochs=20)
smooth_small = smooth.replace(model=DCGAN(width=16, size=32, norm_D="spectral"), **_small)
sharp_small = sharp.replace(model=DCGAN(width=16, size=32), **_small)
# Both in seconds, for trying an experiment out.
_seconds = dict(data=Faces(n=128, size=32, held_out=0.5), batch=16, epochs=8, keep_every_epochs=4)
smooth_quick = smooth.replace(
    model=DCGAN(width=4, z_dim=16, size=32, norm_D="spectral"), **_seconds
)
sharp_quick = sharp.replace(model=DCGAN(width=4, z_dim=16, size=32), **_seconds)

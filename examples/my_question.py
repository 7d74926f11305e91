"""Does a G that draws no checkerboard learn symmetric faces sooner?

This experiment compares the nets of `my_nets.py` with the preset dcgan64-tiny.
One prediction is about a metric of one's own, `my_metric.py`, one about a callback's number.

    bascule run my_question.py
"""

from my_callback import Norm
from my_metric import Asymmetry
from my_nets import Upsampling

from bascule.data.faces import Faces
from bascule.experiments import Experiment, Lower, Measure, Within
from bascule.presets import dcgan64_tiny

plain = dcgan64_tiny.replace(data=Faces(n=600), epochs=10)

experiment = Experiment(
    question="Does a G that draws no checkerboard learn symmetric faces sooner?",
    hypothesis="It does.",
    arms={"dcgan": plain, "upsampling": plain.replace(model=Upsampling())},
    predictions=[
        Lower(Asymmetry, "upsampling", than="dcgan"),
        Within("norm of D", "upsampling", 0, 100),
    ],
    measure=Measure(fakes=100, attributes=False, metrics=(Asymmetry(),)),
    callbacks=(Norm(),),
)

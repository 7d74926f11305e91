"""What happens to D when G suddenly becomes almost perfect?"""

from bascule.core.schedules import Uniform
from bascule.data.faces import Faces
from bascule.experiments import Experiment, Higher, Lower, Settles, Spike, Within
from bascule.interventions import InstanceNoise, NoiseOnReals, PerfectG
from bascule.presets import dcgan64_pretrained

QUESTION = "What happens to D when G suddenly becomes almost perfect?"
FOOLED = (
    "A D that beats its G is fooled when the fakes suddenly become the reals plus a little noise, "
    "but only at first: it learns to see the noise and wins again, the sooner the stronger it is."
)
little, strong = Uniform(0.0, 0.1), 0.3  # standard deviations, of images in [-1, 1]

# Takes minutes: G and D start from pretrained weights of the package, so G draws faces at once.
plain = dcgan64_pretrained.replace(data=Faces(n=600), epochs=10, sample_every_epochs=1)
quick = Experiment(
    question=QUESTION,
    hypothesis=FOOLED,
    arms={
        "plain": plain,
        "perfect G": plain.replace(interventions=PerfectG(3, little)),
        "perfect G, strong noise": plain.replace(interventions=PerfectG(3, strong)),
    },
    predictions=[
        Higher("D_Gz", "perfect G", than="plain", from_epoch=3, to_epoch=4),
        Lower("D_Gz", "perfect G", than="plain", from_epoch=6),
        Lower("D_Gz", "perfect G, strong noise", than="perfect G", from_epoch=6),
    ],
    seeds=(0, 1, 2),
    remarks=(
        "From the switch on G does not learn, so it draws the same faces from then on. All seeds "
        "begin with the same trained weights, on faces that those have never seen. So the "
        "intervals tell how much varies after this start, not between games that are trained from "
        "noise: `bascule run perfect-g` trains those."
    ),
)

# The same from random weights: the seeds are independent runs.
plain = plain.replace(data=Faces(), start=None, epochs=40, sample_every_epochs=5)
at_epoch, late = 30, 35
perfect = PerfectG(at_epoch, little)
experiment = Experiment(
    question=QUESTION,
    hypothesis=f"{FOOLED} Noise on everything that D sees takes this sign away from it.",
    arms={
        "plain": plain,
        "perfect G": plain.replace(interventions=perfect),
        "perfect G, strong noise": plain.replace(interventions=PerfectG(at_epoch, strong)),
        "perfect G, every input noised": plain.replace(
            interventions=[perfect, InstanceNoise(little, from_epoch=at_epoch)]
        ),
        "perfect G, same noise on reals": plain.replace(
            interventions=[perfect, NoiseOnReals(little, from_epoch=at_epoch)]
        ),
    },
    predictions=[
        Spike("loss_D", arm="perfect G", at_epoch=at_epoch),
        Higher("D_Gz", "perfect G", than="plain", from_epoch=at_epoch, to_epoch=at_epoch + 1),
        Lower("D_Gz", "perfect G", than="plain", from_epoch=late),
        Settles("D_x", "perfect G", within=0.05, from_epoch=late),
        Lower("D_Gz", "perfect G, strong noise", than="perfect G", from_epoch=late),
        Higher("D_Gz", "perfect G, every input noised", than="perfect G", from_epoch=late),
    ],
    checks=[
        Within(scalar, "perfect G, same noise on reals", 0.45, 0.55, from_epoch=late)
        for scalar in ("D_x", "D_Gz")
    ],
    remarks=(
        "The last arm is a check of the program, not a finding: reals and fakes then have "
        "one distribution, and no D can do better than 1/2. All arms of a seed are bit-identical "
        "until the switch, so they share that past. From the switch on G does not learn."
    ),
    seeds=(0, 1, 2),
    quick=quick,
)

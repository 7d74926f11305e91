"""What are the costs and benefits of feedback between the layers of SDPC on the ORL faces?

Needs the pictures: `bascule data import FOLDER --name orl`.
"""

from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.experiments import Exceeds, Experiment, Higher, Lower, MeasureCoding
from bascule.presets import sdpc_published
from bascule.sdpc.model import SDPC, Layer
from bascule.sdpc.recipe import SDPCRecipe

K_FB, SIGMAS = (0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 0.5, 1.0, 2.0)


def feedback_orl(plain: SDPCRecipe, pictures: int, quick: Experiment | None = None) -> Experiment:
    """The published dynamics and preprocessing, at one size."""
    feedback = "feedback"
    return Experiment(
        question="What does feedback cost and buy on grey photographs, whitened as published?",
        hypothesis=(
            "As on cartoons, and as Boutin et al. (2020) found on these faces: layer 2 explains "
            "more, layer 1 less, both together cost less and settle sooner; layer 1 is denser; "
            "noise is taken away better."
        ),
        arms={
            "no feedback": plain.replace(settle=plain.settle.replace(k_fb=0.0)),
            feedback: plain.replace(settle=plain.settle.replace(k_fb=1.0)),
        },
        predictions=[
            Lower("error of layer 2[own k_fb]", feedback, than="no feedback"),
            Higher("error of layer 1[own k_fb]", feedback, than="no feedback"),
            Lower("cost[own k_fb]", feedback, than="no feedback"),
            Lower("iterations[own k_fb]", feedback, than="no feedback"),
            Higher("active of layer 1[own k_fb]", feedback, than="no feedback"),
            Exceeds("active of layer 1[k_fb=4]", "active of layer 1[k_fb=1]", feedback),
            Exceeds("SSIM of layer 1[k_fb=0,sigma=0]", "SSIM of layer 1[k_fb=4,sigma=0]", feedback),
            Exceeds("SSIM of layer 1[k_fb=4,sigma=1]", "SSIM of layer 1[k_fb=0,sigma=1]", feedback),
            Exceeds("SSIM of layer 1[k_fb=4,sigma=2]", "SSIM of layer 1[k_fb=0,sigma=2]", feedback),
            Exceeds("SSIM of layer 2[k_fb=4,sigma=2]", "SSIM of layer 2[k_fb=0,sigma=2]", feedback),
        ],
        seeds=(0, 1, 2),
        measure=MeasureCoding(pictures, K_FB, SIGMAS),
        pictures=False,
        remarks=(
            "Ten pictures each of 40 people: a held-out picture shows a person whose other "
            "pictures were learnt from. Grey, 64 x 64; local contrast normalisation, whitening, "
            "standardisation and window in the published order."
        ),
        quick=quick,
    )


plain = sdpc_published.replace(data=Imported("orl"), epochs=20, threads=1)
seconds = plain.replace(
    data=Faces(n=64, size=32, held_out=0.25),
    model=SDPC((Layer(8, 8, 4, 2, 0.5), Layer(12, 4, 2, 1, 0.5)), channels=1, size=32),
    epochs=2,
)
quick = feedback_orl(seconds, pictures=6)
experiment = feedback_orl(plain, pictures=40, quick=quick)

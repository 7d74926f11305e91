"""How well do faces come back from their SDPC codes: is there anything for a GAN to draw?"""

from bascule.data.faces import Faces
from bascule.experiments import Exceeds, Experiment, Higher, MeasureCoding, Within
from bascule.features.extractors import DEFAULT
from bascule.presets import sdpc
from bascule.sdpc.model import SDPC, Layer
from bascule.sdpc.recipe import SDPCRecipe


def gate(
    plain: SDPCRecipe, arms: dict[str, SDPC], pictures: int, quick: Experiment | None = None
) -> Experiment:
    """The experiment at one size; ``arms``: further geometries beside the plain one."""
    read = {way: f"attributes read of {way}[decoded]" for way in ("layer 1", "layer 2", "low-pass")}
    reads = quick is not None  # the quick version reads no attributes
    ssim, kid = "SSIM of layer 2[decoded]", f"KID of layer 2[{DEFAULT},128px]"
    return Experiment(
        question=__doc__,
        hypothesis=(
            "Layer 1 gives back a face with nearly all its attributes; layer 2 alone keeps the "
            "large ones, far more than the low-pass colours do, and learnt dictionaries matter. "
            "The gate: a GAN on codes of layer 2 is worth building if four fifths of the "
            "attributes are still read from them, or if their KID is below 1, which no GAN of ours "
            "has reached in half an hour. If neither holds in any arm, the hybrid must draw layer "
            "1 as well."
        ),
        arms={
            "plain": plain,
            **{name: plain.replace(model=model) for name, model in arms.items()},
            "no feedback": plain.replace(settle=plain.settle.replace(k_fb=0.0)),
            "random dictionaries": plain.untaught().replace(epochs=1),
        },
        predictions=[
            *([Within(read["layer 2"], "plain", 0.8, 1.0)] if reads else []),
            Within(kid, "plain", 0.0, 1.0),
            *([Within(read["layer 1"], "plain", 0.95, 1.0)] if reads else []),
            *([Exceeds(read["layer 2"], read["low-pass"], "plain", by=0.1)] if reads else []),
            Higher(ssim, "plain", than="random dictionaries", by=0.05),
            Higher(ssim, "more atoms", than="plain"),
            *([Higher(read["layer 2"], "lower prices", than="plain")] if reads else []),
            Higher(ssim, "plain", than="no feedback"),
        ],
        seeds=(0, 1, 2),
        checks=[
            Within("SSIM of split[decoded]", arm, 0.999, 1.0) for arm in ("plain", "no feedback")
        ],
        measure=MeasureCoding(pictures, k_fb=(), sigmas=(0.0,), decoded=True, attributes=reads),
        quick=quick,
    )


def _layers(atoms: int, price: float) -> tuple[Layer, Layer]:
    return Layer(64, 8, 4, 2, price), Layer(atoms, 4, 2, 1, price)


quick = gate(
    sdpc.replace(
        data=Faces(n=120, size=32, held_out=0.5),
        model=SDPC((Layer(8, 8, 4, 2, 0.5), Layer(12, 4, 2, 1, 0.5)), size=32),
        epochs=2,
        threads=1,
    ),
    {
        "more atoms": SDPC((Layer(8, 8, 4, 2, 0.5), Layer(24, 4, 2, 1, 0.5)), size=32),
        "lower prices": SDPC((Layer(8, 8, 4, 2, 0.2), Layer(12, 4, 2, 1, 0.2)), size=32),
    },
    pictures=50,
)
experiment = gate(
    sdpc.replace(data=Faces(n=512, held_out=0.5), epochs=15, threads=1),
    {"more atoms": SDPC(_layers(256, 0.5)), "lower prices": SDPC(_layers(128, 0.2))},
    pictures=250,
    quick=quick,
)

"""Abilities of a network that encodes images, which a generator alone does not have.

It can detect foreign images, fill a hole and change one attribute. Each number has a baseline that
needs no codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from bascule.attributes.reading import AttributeClassifier, Reading
from bascule.core.context import generator
from bascule.core.errors import UserError
from bascule.data.batches import as_float, as_uint8
from bascule.data.faces import Faces
from bascule.data.fractals import Fractals
from bascule.data.images import ImageSet, Progress
from bascule.metrics.measured import over_pictures
from bascule.metrics.metric import Measured
from bascule.metrics.paired import pixel_error
from bascule.sdpc.coder import Coded, Coder, parts
from bascule.sdpc.model import energies, infer
from bascule.sdpc.preprocess.bands import Bands

OTHER_STYLE = "adventurer"
PICTURES = 64  # the default number of images for each measurement
TAUGHT = 8  # an attribute's mean code is taken over this many times more training faces
# Images uint8 (N, 3, H, W) -> foreignness (N,), higher: more foreign
Score = Callable[[np.ndarray], np.ndarray]


def foreign(images: ImageSet, n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Kind -> ``n`` images, uint8, that do not come from the distribution of ``images``.

    "shuffled": held-out images cut into 4 x 4 blocks, which are permuted; "fractals"; "other
    style": faces in another drawing style.
    """
    size = images.size
    if size % 4:
        raise UserError(
            f"images of {size} px cannot be cut into 4 x 4 blocks: expected a multiple of 4"
        )
    pictures = np.array(images.pixels[images.indices("held_out")][:n])
    side, rng = size // 4, generator("shuffled blocks", seed)
    blocks = pictures.reshape(-1, 3, 4, side, 4, side).transpose(0, 2, 4, 1, 3, 5)
    blocks = blocks.reshape(-1, 16, 3, side, side)
    mixed = np.stack([one[torch.randperm(16, generator=rng).numpy()] for one in blocks])
    mixed = mixed.reshape(-1, 4, 4, 3, side, side).transpose(0, 3, 1, 4, 2, 5)
    return {
        "shuffled": np.ascontiguousarray(mixed.reshape(pictures.shape)),
        "fractals": np.array(Fractals(max(n, 2), size).load().pixels[:n]),
        "other style": np.array(Faces(max(n, 2), size, OTHER_STYLE).load().pixels[:n]),
    }


def cost(coder: Coder) -> Score:
    """Foreignness by codes: the sum of errors and penalties of all layers, at unit contrast."""

    def score(pictures: np.ndarray) -> np.ndarray:
        found = []
        for part in parts(len(pictures)):
            pixels = torch.from_numpy(np.array(pictures[part]))
            y, _ = coder.recipe.prepared(pixels.to(coder.recipe.device))
            codes = infer(coder.network, y, coder.recipe.settle)
            costs = energies(coder.network, y, codes.maps, coder.recipe.settle)
            found.append(costs[..., [0, 2]].sum((1, 2)).double().cpu().numpy())
        return np.concatenate(found)

    return score


def measure_foreign(
    scores: Mapping[str, Score], images: ImageSet, n: int, seed: int = 0
) -> Iterator[tuple[str, Measured]]:
    """ "AUROC of shuffled[codes]" and so on, for each kind of foreign images and each score.

    It is how often a foreign image scores higher than a held-out one; 1/2 is chance. Standard
    errors are over the foreign images.
    """
    own = images.pixels[images.indices("held_out")][:n]
    sets = foreign(images, n, seed)
    for by, score in scores.items():
        base = np.sort(score(own))
        for kind, pictures in sets.items():
            found = score(pictures)
            below = np.searchsorted(base, found, "left") + np.searchsorted(base, found, "right")
            yield f"AUROC of {kind}[{by}]", over_pictures(below / (2 * len(base)), 0.5)


def inpainted(
    coder: Coder, pictures: np.ndarray, k_fb: float, layer: int, rounds: int = 6
) -> tuple[np.ndarray, np.ndarray, slice]:
    """``pictures``, uint8 (N, 3, H, W), with a filled square hole of 3/8 side in the middle.

    The hole starts with the mean colour of its surroundings. Then inference runs on the whole
    image, and the hole is replaced by the decoded image. This is repeated ``rounds`` times, each
    starting from the last codes. Returns the filled images, the images with the mean colour, and
    the slice of the hole along either side.
    """
    size = pictures.shape[-1]
    cut = slice(size * 5 // 16, size * 5 // 16 + size * 3 // 8)
    ring = np.ones((size, size), bool)
    ring[cut, cut] = False
    wide = slice(max(cut.start - 4, 0), cut.stop + 4)
    near = np.zeros_like(ring)
    near[wide, wide] = True
    colour = pictures[:, :, ring & near].mean(-1)
    filled = np.array(pictures)
    filled[:, :, cut, cut] = colour[..., None, None].round()
    before = filled.copy()
    how = coder.recipe.settle.replace(k_fb=float(k_fb))
    coded: Coded | None = None
    for _ in range(rounds):
        coded = coder.encode(filled, how, start=coded)
        again = coder.decode(coded, layer)
        filled[:, :, cut, cut] = again[:, :, cut, cut]
    return filled, before, cut


def measure_inpainting(
    coder: Coder, images: ImageSet, n: int, k_fb: Sequence[float], tell: Progress | None = None
) -> Iterator[tuple[str, Measured]]:
    """Mean absolute error inside the hole of ``n`` held-out images, for each layer and ``k_fb``.

    The floor is the error of the mean colour around the hole.
    """
    given = np.array(images.pixels[images.indices("held_out")][:n])
    layers = len(coder.network.layers)
    for place, k in enumerate(k_fb):
        for layer in range(1, layers + 1):
            filled, before, cut = inpainted(coder, given, k, layer)
            truth = given[:, :, cut, cut]
            plain = pixel_error(before[:, :, cut, cut], truth).mean()
            error = pixel_error(filled[:, :, cut, cut], truth)
            yield f"hole L1 of layer {layer} at k_fb={k:g}[inpainted]", over_pictures(error, plain)
            if tell:
                tell(place * layers + layer, len(k_fb) * layers)


def measure_editing(
    coder: Coder, images: ImageSet, n: int, classifier: AttributeClassifier
) -> Iterator[tuple[str, Measured | str]]:
    """Change one attribute of ``n`` held-out faces by a difference of mean codes.

    Each readable attribute is changed from its most common category to the second most common one.
    The codes of the top layer are shifted by the difference of their means over training faces of
    the two categories, and so is the low-pass. The resulting change of the decoded image is added
    to the face. "edited as told": the share of faces then read as the target category. "others
    kept": the share of the other attributes that are read as before. The floor uses means of pixels
    instead of codes. A text instead of a number is the reason why it is left out.
    """
    known, chosen = images.indices("train")[: TAUGHT * n], images.indices("held_out")[:n]
    taught, given = (np.array(images.pixels[places]) for places in (known, chosen))
    lessons, own = _in_pixels(coder, taught), _in_pixels(coder, given)
    before = classifier.read(given)
    for name in classifier.used:
        labels = images.labels[name]
        common = [value for value, _ in Counter(labels[known].tolist()).most_common(2)]
        ours = labels[chosen] == common[0]
        if len(common) < 2:
            continue
        if ours.sum() < 2:
            why = f"needs 2 held-out images of its most common kind, there are {ours.sum()}"
            yield f"edited as told of {name}[codes]", why
            yield f"others kept of {name}[codes]", why
            continue
        a, b = (torch.from_numpy(labels[known] == value) for value in common)
        step = [part[b].mean(0) - part[a].mean(0) for part in lessons]
        by_codes = _moved(coder, given[ours], own[0][torch.from_numpy(ours)], step[0], step[1])
        across = taught[b.numpy()].mean(0, np.float64) - taught[a.numpy()].mean(0, np.float64)
        by_pixels = np.clip(given[ours] + across, 0, 255).round().astype(np.uint8)
        told, kept = zip(
            *(
                _edited(classifier, made, before, ours, name, common[1])
                for made in (by_codes, by_pixels)
            ),
            strict=True,
        )
        yield f"edited as told of {name}[codes]", over_pictures(told[0], told[1].mean())
        yield f"others kept of {name}[codes]", over_pictures(kept[0], kept[1].mean())


def _edited(
    classifier: AttributeClassifier,
    made: np.ndarray,
    before: Reading,
    which: np.ndarray,
    name: str,
    target: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each image is read as the target, and the share of other attributes kept."""
    read = classifier.read(made)
    others = [key for key in read.labels if key != name]
    same = [read.labels[key] == before.labels[key][which] for key in others]
    return read.labels[name] == target, np.mean(same, 0)


def _in_pixels(coder: Coder, pictures: np.ndarray) -> tuple[Tensor, Tensor]:
    """Codes of the top layer and the low-pass, both in units of pixels in [-1, 1], on the CPU."""
    coded = coder.encode(pictures)
    return (coded.codes.maps[-1] * coded.kept[1]["std"]).cpu(), coded.kept[0]["low"].cpu()


def _moved(coder: Coder, given: np.ndarray, g: Tensor, step: Tensor, low: Tensor) -> np.ndarray:
    """The images ``given`` with their codes ``g`` shifted by ``step``, the low-pass by ``low``."""
    size, bands = coder.recipe.data.size, coder.recipe.preprocess[0]
    assert isinstance(bands, Bands), "codes that can be brought back to pixels"
    change = ((g + step).relu() - g).to(coder.recipe.device)
    y = coder.network.decode(change, len(coder.network.layers), (size, size)).cpu()
    x = as_float(torch.from_numpy(given)) + y + bands.up(low[None], size, size)
    return as_uint8(x).numpy()

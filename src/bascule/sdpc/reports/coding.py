"""Tables and a page on the codes of a network of sparse deep predictive coding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bascule.core import atomic
from bascule.data.batches import as_uint8
from bascule.data.grid import grid
from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.experiment import Measure, MeasureCoding
from bascule.experiments.scalars import limits
from bascule.experiments.schedule import Results
from bascule.metrics.measurement import parse
from bascule.metrics.metric import Measured
from bascule.metrics.numbers import LOW_PASS, SPLIT
from bascule.reports import facts
from bascule.reports.figures import COLOURS, INK, colours, new_figure, style
from bascule.reports.page import Block, Data, Drawing, Lines, Page, Samples, Section, Table, Text
from bascule.reports.publish import write_page
from bascule.reports.samples import Picture, Strip, data_uri
from bascule.runs.evaluations import last_evaluation
from bascule.runs.store import Run
from bascule.sdpc.coder import Coder
from bascule.sdpc.dictionaries import dictionaries
from bascule.sdpc.measure import way
from bascule.sdpc.model import Codes, Inference, energies, infer
from bascule.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

SHOWN = 8  # images per row
MEASURED = 64  # images for the histograms and the convergence curves
ITERATIONS = 60
BACK_TO_COLOURS = "in the colours of the pictures"
AS_SEEN = "as the network sees them (its preprocessing cannot be undone), each to its own contrast"


def title(evaluation: Evaluation) -> str:
    """ "128 held-out pictures of faces-micah, settled on by RUN after 20 epochs"."""
    return (
        f"{evaluation.fakes:,} held-out pictures of {evaluation.data}, settled on by "
        f"{evaluation.subject} after {evaluation.epoch} epochs"
    )


def coding_table(evaluation: Evaluation) -> Table:
    """One row per measurement, with the number of the noisy or original image if there is one."""
    rows = [
        (
            value.label,
            facts.number(value.measured.value),
            facts.number(value.measured.se),
            facts.number(value.measured.floor) if isfinite(value.measured.floor) else "",
        )
        for value in evaluation.values
    ]
    caption = (
        "Means over the pictures and their standard errors; beside denoising, what the noisy "
        f"picture itself scores, and beside decoding, the untouched one. {facts.NUMBERS}"
    )
    return Table(("measure", "value", "±", "the picture itself"), rows, caption)


def write_coding_page(run: Run, coder: Coder, pictures: np.ndarray, credit: str) -> Path:
    """Write ``show.md`` and ``show.html`` into the run's folder; returns the HTML file.

    ``pictures``: held-out images, uint8 (N, 3, H, W).
    """
    pixels = torch.from_numpy(np.array(pictures[:MEASURED])).to(coder.recipe.device)
    y, kept = coder.recipe.prepared(pixels)
    codes = infer(coder.network, y, coder.recipe.settle)
    sections = [
        Section("Dictionaries", _dictionaries(run, coder, credit)),
        Section("Reconstructions", _reconstructions(run, coder, pixels, y, codes, kept, credit)),
        Section("Activity", [_activity(coder, codes)]),
        Section("Convergence", [_convergence(coder, y)]),
        Section("Recipe", [Table(("field", "value"), facts.recipe_rows(run.recipe), plain=True)]),
        Section("Data", [Lines(credit)]),
    ]
    settled = int(codes.settled.sum())
    lead = [
        ("Network", Text(facts.told(coder.recipe.model.layers))),
        ("Settles", Text(facts.told(coder.recipe.settle))),
        (
            "Here",
            Text(
                f"{len(y)} held-out pictures; {settled} of them settled, after "
                f"{codes.iterations.double().mean():.0f} iterations in the mean"
            ),
        ),
    ]
    return write_page(Page("network", run.name, lead, sections), run.folder, "show")


def _picture(run: Run, name: str, image: Image.Image, caption: str, credit: str) -> Samples:
    path = run.folder / "samples" / f"{name}.png"
    atomic.write_png(path, image)
    strip = Strip(caption, COLOURS[0], [(0, data_uri(path))])
    return Samples([0], [strip], [Picture(path, path.name, caption)], credit)


def _dictionaries(run: Run, coder: Coder, credit: str) -> list[Block]:
    image = dictionaries(coder.network)
    drawn = coder.recipe.sample_caption
    drawn = f"{drawn[0].upper()}{drawn[1:]}. The first layer is on top."
    return [_picture(run, "dictionaries", image, drawn, credit)]


def _reconstructions(
    run: Run,
    coder: Coder,
    pixels: Tensor,
    y: Tensor,
    codes: Codes,
    kept: Sequence[Mapping[str, Tensor]],
    credit: str,
) -> list[Block]:
    """A row of images, and below it the images decoded from each layer."""
    recipe, size = coder.recipe, (y.shape[-2], y.shape[-1])
    whole = all(step.invertible for step in recipe.preprocess)
    few = slice(0, SHOWN)
    part = tuple({name: v[few] for name, v in step.items()} for step in kept)

    def shown(x: Tensor) -> Tensor:
        if whole:
            return as_uint8(recipe.restored(x, part)).expand(-1, 3, -1, -1).cpu()
        return as_uint8(x / x.abs().amax((1, 2, 3), keepdim=True)).expand(-1, 3, -1, -1).cpu()

    rows = [pixels[few].cpu() if whole else shown(y[few])]
    rows += [
        shown(coder.network.decode(g[few], layer, size)) for layer, g in enumerate(codes.maps, 1)
    ]
    names = ", ".join(f"layer {layer}" for layer, _ in enumerate(codes.maps, 1))
    manner = BACK_TO_COLOURS if whole else AS_SEEN
    caption = f"Held-out pictures, then what the codes of {names} stand for, {manner}."
    share = [
        (
            f"layer {layer}",
            facts.number(1 - _share(y - coder.network.decode(g, layer, size), y)),
            facts.number((g > 0).double().mean().item()),
        )
        for layer, g in enumerate(codes.maps, 1)
    ]
    explained = Table(
        ("decoded from", "share of the prepared pictures' energy explained", "share of codes > 0"),
        share,
        facts.NUMBERS,
    )
    return [
        _picture(run, "reconstructions", grid(torch.cat(rows), SHOWN), caption, credit),
        explained,
    ]


def _share(part: Tensor, whole: Tensor) -> float:
    return (part.square().sum() / whole.square().sum()).item()


def _activity(coder: Coder, codes: Codes) -> Drawing:
    """How often atoms are used, and with which codes."""

    def figure(wide: bool) -> Figure:
        with style():
            made = new_figure(10.0, 3.3) if wide else new_figure(4.4, 6.0)
            axes = made.subplots(1 if wide else 2, 2 if wide else 1, squeeze=False)
            often, strong = axes.ravel()
            for k, g in enumerate(codes.maps):
                colour, name = COLOURS[k % len(COLOURS)], f"layer {k + 1}"
                used = (g > 0).double().mean((0, 2, 3)).sort(descending=True).values.cpu()
                often.plot(np.linspace(0, 1, len(used)), used, color=colour, label=name)
                values = g[g > 0].cpu()
                if len(values):
                    strong.hist(values, bins=50, histtype="step", density=True, color=colour)
            often.set_xlabel("atoms, the most used first (share)")
            often.set_ylabel("share of places where it is used")
            often.legend(frameon=False)
            strong.set_xlabel("code, where it is above 0")
            strong.set_ylabel("density")
            strong.set_yscale("log")
            strong.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
            strong.minorticks_off()
        return made

    return Drawing(
        "activity",
        figure(True),
        figure(False),
        "Use of the atoms of each layer, and histogram of the codes above 0",
        "Left: how often each atom is used, over pictures and places. Right: codes above 0.",
        Data(
            ("layer", "atom", "share of places", "mean code above 0"),
            [
                (layer, atom, *numbers)
                for layer, g in enumerate(codes.maps, 1)
                for atom, numbers in enumerate(_use(g))
            ],
        ),
    )


def _use(g: Tensor) -> list[tuple[float, float]]:
    """(share of positions that use it, mean code there) for each atom of codes (B, atoms, H, W)."""
    used = (g > 0).double()
    strength = g.double().sum((0, 2, 3)) / used.sum((0, 2, 3))  # NaN: never used
    return list(zip(used.mean((0, 2, 3)).tolist(), strength.tolist(), strict=True))


def _convergence(coder: Coder, y: Tensor) -> Drawing:
    """The errors of every layer against the iteration, with and without feedback."""
    told: dict[float, list[Tensor]] = {}
    for k in sorted({0.0, coder.recipe.settle.k_fb or 1.0}):
        how = coder.recipe.settle.replace(k_fb=k, tolerance=0.0, max_iterations=ITERATIONS)
        told[k] = _watched(coder, y, how)
    named = {f"k_fb={k:g}": torch.stack(seen).cpu() for k, seen in told.items()}
    colour, layers = colours(named), len(coder.network.layers)

    def figure(wide: bool) -> Figure:
        with style():
            made = new_figure(10.0, 3.3) if wide else new_figure(4.4, 2.9 * (layers + 1))
            panels = layers + 1
            axes = made.subplots(
                1 if wide else panels, panels if wide else 1, squeeze=False
            ).ravel()
            for name, parts in named.items():
                x = np.arange(1, len(parts) + 1)
                for i in range(layers):
                    axes[i].plot(x, parts[:, i, 0], color=colour[name], label=name)
                axes[-1].plot(x, parts[..., [0, 2]].sum((1, 2)), color=colour[name], label=name)
            for i, ax in enumerate(axes):
                ax.set_title(f"error of layer {i + 1}" if i < layers else "cost", loc="left")
                ax.set_xlabel("iteration")
            axes[0].legend(frameon=False)
        return made

    return Drawing(
        "convergence",
        figure(True),
        figure(False),
        "Errors of every layer and the cost against the iteration, with and without feedback",
        f"Means over {len(y)} held-out pictures. Error: 1/2 |u − D^T g|^2, what a layer leaves "
        "unexplained; cost: errors and penalties of all layers.",
        Data(
            ("settled", "iteration", *(f"error of layer {i + 1}" for i in range(layers)), "cost"),
            [
                (name, iteration, *part[:, 0].tolist(), part[:, [0, 2]].sum().item())
                for name, parts in named.items()
                for iteration, part in enumerate(parts, 1)
            ],
        ),
    )


def _watched(coder: Coder, y: Tensor, how: Inference) -> list[Tensor]:
    """The energy terms after every iteration, in the mean over images: (layers, 3) each."""
    told: list[Tensor] = []

    def watch(maps: Sequence[Tensor]) -> None:
        told.append(energies(coder.network, y, maps, how).mean(0))

    infer(coder.network, y, how, watch=watch)
    return told


def denoising(results: Results) -> list[Block]:
    """Denoising by every layer at every ``k_fb``, in every arm; empty if not measured."""
    measure = results.experiment.measure
    if not isinstance(measure, MeasureCoding | Measure) or not measure.sigmas or not measure.k_fb:
        return []
    blocks: list[Block] = []
    rows: dict[str, list[facts.Row]] = {}
    for place, (arm, by_seed) in enumerate(results.runs.items()):
        told = by_label(by_seed)
        if not told:
            continue
        layers = layers_of(results.experiment.arms[arm])
        if len(measure.sigmas) > 1:
            blocks.append(_noise_figure(arm, place, told, layers, measure))
        rows[arm] = []
        for layer in range(1, layers + 1):
            for k in measure.k_fb:
                labels = [f"SSIM of layer {layer}[{way(k, s)}]" for s in measure.sigmas]
                cells = [
                    facts.plus_minus([t[name].value for t in told], limits(name)) for name in labels
                ]
                rows[arm].append((str(layer), f"{k:g}", *cells))
    if not rows:
        return []
    columns = ("arm", "layer", "k_fb", *(f"sigma {s:g}" for s in measure.sigmas))
    caption = "SSIM with the clean picture, mean over seeds ± half width of its 95 % interval."
    return [*blocks, Table(columns, facts.shared(rows), f"{caption} {facts.NUMBERS}")]


def by_label(runs: Mapping[int, Run]) -> list[Mapping[str, Measured]]:
    """label -> measurement of the last evaluation, for each run that has one."""
    kept = [last_evaluation(run.folder) for run in runs.values()]
    return [{v.label: v.measured for v in e.values} for e in kept if e]


def by_name(runs: Mapping[int, Run]) -> list[Mapping[str, Measured]]:
    """The same with labels without brackets."""
    return [{parse(label).name: m for label, m in t.items()} for t in by_label(runs)]


def layers_of(recipe: Recipe) -> int:
    """The number of layers of dictionaries of a run of ``recipe``."""
    return recipe.code_layers


def decoding(results: Results) -> list[Block]:
    """How well images are decoded from their codes, in every arm; empty if not measured."""
    measure = results.experiment.measure
    if not isinstance(measure, MeasureCoding | Measure) or not measure.decoded:
        return []
    found: dict[str, list[facts.Row]] = {}
    milliseconds: dict[str, list[float]] = {}
    shown = ("KID", "SSIM", "paired L1", "attributes read", "out of vocabulary")
    floors: tuple[str, ...] = ()
    for arm, by_seed in results.runs.items():
        told = by_name(by_seed)
        if not told:
            continue
        layers = layers_of(results.experiment.arms[arm])
        found[arm] = []
        milliseconds[arm] = [t["milliseconds"].value for t in told]
        for what in (LOW_PASS, *(f"layer {i}" for i in range(1, layers + 1)), SPLIT):
            labels = [f"{name} of {what}" for name in shown]
            each = [[t[label] for t in told if label in t] for label in labels]
            cells = [
                facts.plus_minus([m.value for m in of_seeds], limits(label))
                for label, of_seeds in zip(labels, each, strict=True)
            ]
            found[arm].append((what, *cells))
            floors = tuple(
                facts.number(of_seeds[0].floor) if of_seeds else "–" for of_seeds in each
            )
    if not found:
        return []
    rows: list[facts.Row] = []
    for name, arms in facts.alike(found).items():
        cost = facts.plus_minus([ms for arm in arms for ms in milliseconds[arm]])
        rows += [(name, *cells, "" if i else cost) for i, cells in enumerate(found[arms[0]])]
    rows.append(("untouched", "", *floors, ""))
    caption = (
        "Held-out pictures, settled and decoded: mean over seeds ± half width of its 95 % "
        "interval. Low-pass: what preprocessing keeps; split: that and all that the network sees. "
        "ms: of settling, on this machine."
    )
    return [Table(("arm", "from", *shown, "ms a picture"), rows, f"{caption} {facts.NUMBERS}")]


def _noise_figure(
    arm: str,
    place: int,
    told: Sequence[Mapping[str, Measured]],
    layers: int,
    measure: MeasureCoding | Measure,
) -> Drawing:
    """SSIM against sigma: one panel per layer, one line per ``k_fb``. ``told``: one per seed."""
    colour = colours([f"k_fb={k:g}" for k in measure.k_fb])

    def figure(wide: bool) -> Figure:
        with style():
            made = new_figure(10.0, 3.5) if wide else new_figure(4.4, 3.0 * layers)
            grid_ = made.subplots(1 if wide else layers, layers if wide else 1, squeeze=False)
            for layer, ax in enumerate(grid_.ravel(), 1):
                itself: list[float] = []
                for k in measure.k_fb:
                    labels = [f"SSIM of layer {layer}[{way(k, s)}]" for s in measure.sigmas]
                    values = np.array([[t[name].value for name in labels] for t in told])
                    name = f"k_fb={k:g}"
                    ax.plot(
                        measure.sigmas, values.mean(0), "o-", ms=3, color=colour[name], label=name
                    )
                    low, high = values.min(0), values.max(0)
                    ax.fill_between(measure.sigmas, low, high, color=colour[name], alpha=0.15, lw=0)
                    itself = [told[0][label].floor for label in labels]
                ax.plot(measure.sigmas, itself, ":", color=INK, label="the noisy picture")
                ax.set_title(f"layer {layer}", loc="left")
                ax.set_xlabel("deviation of the noise, in those of the picture")
                ax.set_ylabel("SSIM")
            grid_.ravel()[0].legend(frameon=False)
        return made

    return Drawing(
        f"noise-{place}",
        figure(True),
        figure(False),
        f"SSIM of what each layer of “{arm}” reconstructs, against the noise, for each feedback",
        f"“{arm}”: what each layer reconstructs from noisy held-out pictures, compared with the "
        "clean ones. Lines: means over seeds; bands: from the lowest seed to the highest.",
        Data(
            ("run", "layer", "k_fb", "sigma", "SSIM", "SSIM of the noisy picture"),
            [
                (run, layer, k, sigma, found.value, found.floor)
                for run, seed in enumerate(told)
                for layer in range(1, layers + 1)
                for k in measure.k_fb
                for sigma in measure.sigmas
                for found in [seed[f"SSIM of layer {layer}[{way(k, sigma)}]"]]
            ],
        ),
    )

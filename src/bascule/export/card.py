"""A run as a folder for a model hub: safetensors, a model card, ONNX and a PyTorch program.

The layout is the one that hubs read: README.md begins with its metadata in YAML
(https://huggingface.co/docs/hub/model-cards), and weights are safetensors. Nothing is sent
anywhere.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bascule.core import atomic
from bascule.core.errors import UserError
from bascule.data.imported import Imported
from bascule.diagnostics.rules import diagnose
from bascule.export.formats import write_onnx, write_program
from bascule.export.networks import Portable, portables, weights_of
from bascule.reports import facts, markdown
from bascule.reports.evaluation import evaluation_table, title
from bascule.reports.samples import sampled_epochs
from bascule.runs.evaluations import judged
from bascule.runs.generate import kept_epoch
from bascule.runs.store import Run

CARD = "README.md"


def publish(
    run: Run, folder: Path, epoch: int | None, credit: str, say: Callable[[str], None]
) -> list[str]:
    """Write the folder; returns a line for each file that could not be written.

    ``epoch``: a kept checkpoint; None: the newest. ``credit``: whose pictures it learned from.
    ``say`` is told what is written. Raises :class:`UserError` for a run without a G or a
    translator, for a folder that holds other files, and if safetensors is not installed.
    """
    try:
        from safetensors.torch import save
    except ImportError:
        raise UserError("safetensors is not installed: pip install 'bascule[publish]'") from None
    check_folder(folder)
    epoch = kept_epoch(run, epoch)
    nets = portables(run, epoch)
    folder.mkdir(parents=True, exist_ok=True)
    left_out = []
    for name, state in weights_of(run, epoch).items():
        say(f"{name}.safetensors")
        told = {"format": "pt", "library": "bascule", "run": run.id}
        told |= {"model": repr(run.recipe.model), "saw": ", ".join(run.saw)}
        atomic.write(folder / f"{name}.safetensors", save(state, told))
    for portable in nets:
        for ending in ("pt2", "onnx"):
            path = folder / f"{portable.name}.{ending}"
            say(path.name)
            try:
                write_program(portable, path) if ending == "pt2" else write_onnx(
                    portable, path, run
                )
            except UserError as refusal:
                path.unlink(missing_ok=True)
                left_out.append(f"{path.name} was left out: {refusal}")
    shutil.copyfile(run.folder / "recipe.json", folder / "recipe.json")
    trained = nets[0].epoch
    grid = max((e for e in sampled_epochs(run) if e <= trained), default=0)
    if grid:
        shutil.copyfile(run.sample(grid), folder / "samples.png")
    kept = [found for found in judged(run) if found.epoch == trained]
    if kept:
        text = json.dumps({"evaluations": [found.plain() for found in kept]}, indent=1)
        atomic.write(folder / "metrics.json", text + "\n")
    atomic.write(folder / CARD, card(run, nets, folder, grid, credit))
    return left_out


def check_folder(folder: Path) -> None:
    """Raise :class:`UserError` if a model may not be written to ``folder``."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder} is no folder: give another name for the model")
    others = folder.exists() and any(folder.iterdir())
    if others and not _is_published(folder / CARD):
        raise UserError(f"{folder} holds other files: give a new or empty folder for the model")


def _is_published(card: Path) -> bool:
    return card.is_file() and "library_name: bascule" in card.read_text("utf-8", "replace")


def card(run: Run, nets: Sequence[Portable], folder: Path, grid: int, credit: str) -> str:
    """The model card. ``grid``: the epoch of the picture of samples; 0: there is none."""
    return "\n\n".join(_parts(run, nets, folder, grid, credit)) + "\n"


def _parts(
    run: Run, nets: Sequence[Portable], folder: Path, grid: int, credit: str
) -> Iterator[str]:
    net, recipe = nets[0], run.recipe
    task = "image-to-image" if net.takes == "picture" else "unconditional-image-generation"
    tags = ["gan"] if recipe.gan_objective or net.takes == "picture" else []
    yield "\n".join(
        [
            *("---", "library_name: bascule", f"pipeline_tag: {task}", "tags:"),
            *(f"- {tag}" for tag in (*tags, "small-data", "reproducible")),
            "---",
        ]
    )
    yield f"# {markdown.cell(run.name)}"
    kind = type(recipe).__name__.removesuffix("Recipe")
    model = facts.told(recipe.model)
    yield markdown.text(
        f"{kind}, {model}. Trained for {net.epoch} of {recipe.epochs} epochs on {recipe.data}."
    )
    if grid:
        yield f"![{recipe.sample_caption}](samples.png)"
        yield f"After {grid} epochs, not selected: {recipe.sample_caption}."
    yield "## Use"
    yield from _use(nets, folder)
    yield "## Whose pictures"
    if isinstance(recipe.data, Imported):
        yield (
            "It learned from pictures that its maker brought. **Maker: say here which pictures "
            "these are, and under which licence, before you publish this.** What it draws may "
            "resemble them."
        )
    if credit:
        yield markdown.quote(credit)
    yield "## Measured"
    found = [each for each in judged(run) if each.epoch == net.epoch]
    if found:
        table = evaluation_table(found[-1])
        yield f"{title(found[-1])}."
        yield markdown.table(table.columns, table.rows)
        yield markdown.text(table.caption)
    else:
        yield "Nothing was measured of it after this epoch."
    names = [each.name for each in diagnose(run.diagnostics())]
    if names:
        yield f"The diagnosis of its training names: {', '.join(names)}."
    yield "## Limits"
    yield (
        "One run of one seed: another seed of the same recipe may draw better or worse pictures. "
        "It knows only pictures like those that it learned from."
    )
    yield "## How it was trained"
    yield markdown.table(
        ("field", "value"), [*facts.recipe_rows(recipe), ("seed", str(recipe.seed))]
    )
    yield markdown.table(("", ""), facts.provenance([run]))
    code = sorted(path.name for path in (run.folder / "code").rglob("*.py"))
    if code:
        yield f"The recipe needs files of its maker that are not here: {', '.join(code)}."
    if run.fork:
        yield (
            f"Its first {run.fork.epoch} epochs are those of a run with another recipe, so the "
            "recipe alone does not repeat it."
        )
    else:
        yield "To train it again, where bascule is installed:"
        yield "```\nbascule train recipe.json\n```"


def _use(nets: Sequence[Portable], folder: Path) -> Iterator[str]:
    """How each file is used that is there."""
    net = nets[0]
    shape = ", ".join(map(str, net.shape))
    draw = "randn" if net.takes == "z" else "rand"
    told = "latents" if net.takes == "z" else "pictures in [0, 1], RGB"
    given = ", ".join(map(str, net.outputs(net.inputs(1)).shape[1:]))
    if (folder / f"{net.name}.pt2").exists():
        yield "With PyTorch alone:"
        yield (
            "```python\nimport torch\n\n"
            f'net = torch.export.load("{net.name}.pt2").module()\n'
            f"{net.takes} = torch.{draw}(16, {shape})  # {told}\n"
            f"{net.gives} = net({net.takes})  # (16, {given}) in [0, 1]\n```"
        )
    if (folder / f"{net.name}.onnx").exists():
        yield "With ONNX Runtime:"
        numpy = "standard_normal" if net.takes == "z" else "random"
        yield (
            "```python\nimport numpy\nimport onnxruntime\n\n"
            f'session = onnxruntime.InferenceSession("{net.name}.onnx")\n'
            f"rng = numpy.random.default_rng(0)\n"
            f"{net.takes} = rng.{numpy}((16, {shape}), dtype=numpy.float32)\n"
            f'({net.gives},) = session.run(None, {{"{net.takes}": {net.takes}}})\n```'
        )
    if (folder / "discriminator.safetensors").exists():
        yield "With bascule, G and D as PyTorch modules, whose images are in [-1, 1]:"
        yield (
            "```python\nfrom bascule.runs.weights import load_players\n\n"
            'G, D = load_players("this/folder")\n```'
        )

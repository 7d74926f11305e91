"""Imports go only downwards and never in a circle: docs/design.md, read from the source."""

import ast
from pathlib import Path

import pytest

import bascule

ROOT = Path(bascule.__file__).parent
LAYERS = {  # the longest name that fits counts, so a slice may have parts in several layers
    "core": 0,
    **dict.fromkeys(["data", "models", "gan.objectives", "gan.game", "tracking"], 1),
    **dict.fromkeys(["flow.model", "flow.sampler"], 2),
    **dict.fromkeys(["aae.model", "sdpc.model", "sdpc.preprocess", "sdpc.hybrid.model"], 2),
    **dict.fromkeys(["translation.domains", "translation.networks"], 2),
    **dict.fromkeys(["translation.pairs", "translation.own_pairs"], 2),
    "lessons.networks": 2,
    **dict.fromkeys([f"translation.{p}.model" for p in ("cyclegan", "cut", "pix2pix")], 2),
    **dict.fromkeys(["interventions", "latents", "metrics", "features", "gan.penalties"], 3),
    "flow.step": 4,
    **dict.fromkeys(["gan.step", "aae.step", "sdpc.step", "translation.step", "attributes"], 4),
    **dict.fromkeys([f"translation.{p}.step" for p in ("cyclegan", "cut", "pix2pix")], 4),
    "training": 5,
    **dict.fromkeys(
        ["gan", "aae", "flow", "sdpc", "translation", "theory"], 6
    ),  # recipes, and what is left
    **dict.fromkeys(["evaluation", "diagnostics"], 7),
    "translation.evaluation": 8,
    "runs": 9,
    **dict.fromkeys(["sdpc.load", "translation.translate"], 10),
    **dict.fromkeys(["export.networks", "export.formats"], 11),
    **dict.fromkeys(["experiments", "jobs"], 11),
    **dict.fromkeys(["presets", "tuning.search", "ladder.experiment", "worker"], 12),
    "lessons": 12,
    "ladder.aggregate": 12,
    **dict.fromkeys(["notebook", "reports", "board", "export"], 13),
    **dict.fromkeys(["sdpc.reports", "translation.report", "translation.page"], 13),
    **dict.fromkeys(["theory.report", "theory.figure", "tuning.report", "ladder.report"], 13),
    "ladder.over_sets": 13,
    **dict.fromkeys(["api", "cli", "__main__"], 14),
    **dict.fromkeys(
        [
            f"{p}.cli"
            for p in (
                "sdpc",
                "translation",
                "theory",
                "tuning",
                "ladder",
                "lessons",
                "board",
                "export",
            )
        ],
        14,
    ),
}
LOW = range(4)  # layers whose parts every slice may use
SLICES = ("gan", "aae", "flow", "sdpc", "translation", "theory", "tuning", "ladder", "lessons")
# What a slice may use of another one, beside the parts in the layers of LOW.
MAY_USE = {
    "aae": ("gan",),  # its players are trained by the steps of the adversarial game
    "theory": ("gan",),  # it plays the program's own game
    "sdpc.hybrid": ("gan",),  # a GAN on top of dictionaries
    "tuning": ("gan",),  # of GANs alone
    "lessons": ("gan",),  # likewise
}
SHARED_BY_MODELS = ("layers", "model", "resampling", "efficientnet")
FREE = {0, 11, 13, 14}  # the core, experiments and their jobs, pages, and verbs know each other


def modules_of(root: Path) -> dict[str, str]:
    """Module name -> its source, for every file of the package; "bascule" is its __init__."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(["bascule", *parts])] = path.read_text("utf-8")
    return found


def imports_of(module: str, source: str, modules: dict[str, str]) -> set[str]:
    """Absolute names of the modules that ``source`` imports, anywhere in it.

    In functions and for type checkers too. ``from bascule.data import cache`` names the module
    ``bascule.data.cache``.
    """
    is_package = any(name.startswith(f"{module}.") for name in modules)
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = module.split(".")[: None if is_package else -1]
                up = up[: len(up) - node.level + 1]
                base = ".".join([*up, *filter(None, [node.module])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in modules else base)
    return found


def short(module: str) -> str:
    """``data.faces`` of ``bascule.data.faces``; empty for the package itself."""
    return module.partition(".")[2]


def prefix(name: str, table: object) -> str:
    """The longest entry of ``table`` that ``name`` is or lies in; empty where there is none."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        if ".".join(parts[:k]) in table:  # type: ignore[operator]
            return ".".join(parts[:k])
    return ""


def top(name: str) -> str:
    return name.partition(".")[0]


def complaints(modules: dict[str, str]) -> list[str]:
    """Every import that goes upwards, sideways or out of the package, as a line."""
    found = []
    for module, source in modules.items():
        for imported in sorted(imports_of(module, source, modules)):
            if top(imported) in ("experiments", "tests", "benchmarks"):
                found.append(f"{module} imports {imported}, which is outside the package")
            elif top(imported) == "bascule" and imported != "bascule":
                problem = between(short(module), short(imported))
                found += [f"{module} imports {imported}: {problem}"] if problem else []
    return found


def between(here: str, there: str) -> str:
    """What is wrong with this import within the package; empty when nothing is."""
    if not here:
        return "the package's __init__ imports nothing of it"
    low, high = prefix(here, LAYERS), prefix(there, LAYERS)
    if not low or not high:
        return ""  # test_every_module_has_a_layer says so
    if top(here) == top(there) == "models":
        alone = there != "models" and there.split(".")[1] not in SHARED_BY_MODELS
        known = ", ".join(f"{name}.py" for name in SHARED_BY_MODELS)
        return f"models know only {known} of each other" if alone else ""
    if LAYERS[high] > LAYERS[low]:
        return f"{high} (layer {LAYERS[high]}) is above {low} (layer {LAYERS[low]})"
    if top(here) == top(there):
        return ""
    two_slices = top(here) in SLICES and top(there) in SLICES and LAYERS[high] not in LOW
    if two_slices and top(there) not in MAY_USE.get(prefix(here, MAY_USE), ()):
        return f"the slices {top(here)} and {top(there)} do not know each other"
    if LAYERS[high] == LAYERS[low] and LAYERS[low] not in FREE and top(there) not in SLICES:
        return f"{high} and {low} stand side by side in layer {LAYERS[low]}"
    return ""


def circles(modules: dict[str, str]) -> list[str]:
    """Every group of modules that import each other in a circle, as a line."""
    graph = {m: sorted(imports_of(m, s, modules) & set(modules) - {m}) for m, s in modules.items()}
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            if (next_one := todo.pop()) not in seen:
                seen.add(next_one)
                todo += graph[next_one]
        reach[start] = seen
    groups = {frozenset(n for n in reach[m] if m in reach[n]) for m in graph if m in reach[m]}
    return sorted(" and ".join(sorted(group)) for group in groups)


def test_every_module_has_a_layer():
    names = {short(module) for module in modules_of(ROOT)} - {""}
    packages = {name.rpartition(".")[0] for name in names}
    unlisted = sorted(n for n in names - packages - {"tuning", "ladder"} if not prefix(n, LAYERS))
    assert not unlisted, (
        f"no layer for {', '.join(unlisted)}: add each to LAYERS in {Path(__file__).name}"
    )


def test_imports_go_only_downwards():
    modules = modules_of(ROOT)
    assert len(modules) > 30
    assert "bascule.core.errors" in imports_of(
        "bascule.runs.store", modules["bascule.runs.store"], modules
    )
    found = complaints(modules)
    assert not found, "\n".join(found)


def test_nothing_is_imported_in_a_circle():
    found = circles(modules_of(ROOT))
    assert not found, "\n".join(found)


FAULTS = {
    "upwards": ("core.schedules", "from bascule.data.faces import Faces", True),
    "upwards in a function": ("data.faces", "def f():\n    import bascule.runs.store", True),
    "upwards, relative": ("data.faces", "from ..training import loop", True),
    "upwards, relative to the package": ("gan.step", "from .. import cli", True),
    "for a type checker": ("gan.step", "if TYPE_CHECKING:\n    from bascule import runs", True),
    "metrics and the loop": ("metrics.fid", "from bascule.training.loop import train", True),
    "data and models": ("data.faces", "from bascule.models.dcgan import DCGAN", True),
    "data and interventions": ("data.faces", "from bascule.interventions import x", True),
    "interventions and metrics": ("interventions", "import bascule.metrics.fid", True),
    "two models": ("models.wgan", "from bascule.models.dcgan import DCGAN", True),
    "two models, relative": ("models.wgan", "from .dcgan import DCGAN", True),
    "a low part and a high part of a slice": ("sdpc.model", "import bascule.sdpc.recipe", True),
    "two slices": ("sdpc.recipe", "from bascule.translation.recipe import x", True),
    "two slices, in a function": ("sdpc.cli", "def f():\n    import bascule.tuning.cli", True),
    "a slice and the verbs": ("translation.recipe", "import bascule.cli.train", True),
    "a file of the user's": ("runs.store", "from experiments.perfect_g import experiment", True),
    "the package's own file": ("", "from bascule.core.errors import UserError", True),
    "within a slice": ("sdpc.recipe", "from bascule.sdpc.model import x", False),
    "a hybrid": ("sdpc.hybrid.recipe", "from bascule.gan.recipe import GANRecipe", False),
    "a verb of a slice": ("sdpc.cli", "from bascule.cli import train", False),
    "all verbs": ("cli", "def f():\n    from bascule.sdpc import cli", False),
    "downwards": ("runs.store", "from bascule.training import loop", False),
    "downwards, relative": ("runs.store", "from ..training.loop import train", False),
    "within a package": ("data.faces", "from . import cache", False),
    "within the core": ("core.schedules", "from bascule.core.context import x", False),
    "shared layers of models": ("models.wgan", "from bascule.models import layers", False),
    "the version": ("runs.store", "import bascule\nfrom bascule import __version__", False),
    "another package": ("core.schedules", "import torch.utils.data, training", False),
    "experiments of the package": ("cli.train", "from bascule.experiments import x", False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds_every_kind_of_fault_and_no_other(fault):
    where, source, wrong = FAULTS[fault]
    names = "data.faces data.cache models.dcgan models.layers models.wgan runs.store metrics.fid"
    names += " training.loop gan.step gan.recipe sdpc.model sdpc.recipe sdpc.cli sdpc.hybrid.recipe"
    names += " translation.recipe tuning.cli cli.train experiments core.context core.schedules"
    modules = {f"bascule.{name}": "" for name in names.split()}
    modules |= {f"bascule.{top(name)}": "" for name in names.split()}
    modules |= {f"bascule.{name}": "" for name in ("core.errors", "interventions", "presets")}
    modules[f"bascule.{where}".rstrip(".")] = source
    assert bool(complaints(modules)) == wrong


@pytest.mark.parametrize(
    ("b", "found"),
    [("import bascule.a", True), ("def f():\n    import bascule.a", True), ("import os", False)],
)
def test_a_circle_is_found_wherever_the_import_stands(b, found):
    modules = {"bascule.a": "if TYPE_CHECKING:\n    import bascule.b", "bascule.b": b}
    assert circles(modules) == (["bascule.a and bascule.b"] if found else [])

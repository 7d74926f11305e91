"""Imports go only downwards: the table of docs/design.md, read from the source by `ast`."""

import ast
from pathlib import Path

import pytest

import bascule

ROOT = Path(bascule.__file__).parent
LAYERS = {
    **dict.fromkeys(
        [
            "errors",
            "now",
            "laws",
            "game",
            "atomic",
            "reading",
            "sources",
            "typed",
            "processes",
            "team",
        ],
        0,
    ),
    **dict.fromkeys(["data", "models", "objectives"], 1),
    **dict.fromkeys(["interventions", "latents", "metrics", "features", "penalties"], 2),
    **dict.fromkeys(["steps", "attributes"], 3),
    **dict.fromkeys(["training", "theory"], 4),
    **dict.fromkeys(["coding", "evaluation", "diagnostics"], 5),
    "runs": 6,
    **dict.fromkeys(["experiments", "jobs", "worker"], 7),
    **dict.fromkeys(["reports", "presets"], 8),
    "notebook": 9,
    **dict.fromkeys(["cli", "__main__"], 10),
}
SHARED_BY_MODELS = ("layers", "model", "resampling", "translators")
MERGED = {"bascule.models.hybrids": "sdpc"}  # what is built on another's model
FREE_WITHIN = {0, 7, 10}  # foundations; schedulers and workers share jobs; __main__ calls cli


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

    ``from bascule.data import cache`` names the module ``bascule.data.cache``.
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


def top(module: str) -> str:
    """``data`` of ``bascule.data.faces``; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def paper(module: str) -> str:
    """``sdpc`` of ``models.sdpc.network``: the files of one paper know each other."""
    return module.removeprefix("bascule.models").strip(".").partition(".")[0]


def complaints(modules: dict[str, str]) -> list[str]:
    """Every import that goes upwards or sideways, as a line."""
    found = []
    for module, source in modules.items():
        for imported in sorted(imports_of(module, source, modules)):
            if imported.partition(".")[0] in ("experiments", "tests", "benchmarks"):
                found.append(f"{module} imports {imported}, which is outside the package")
            elif imported.partition(".")[0] == "bascule" and imported != "bascule":
                problem = between(module, imported)
                if problem:
                    found.append(f"{module} imports {imported}: {problem}")
    return found


def between(module: str, imported: str) -> str:
    """What is wrong with this import within the package; empty when nothing is."""
    here, there = top(module), top(imported)
    if not here:
        return "the package's __init__ imports nothing of it"
    if here == there == "models" and paper(module) != paper(imported):
        shared = [f"bascule.models.{name}" for name in SHARED_BY_MODELS]
        alone = imported not in ("bascule.models", *shared)
        alone &= MERGED.get(module) != paper(imported)
        known = ", ".join(f"{name}.py" for name in SHARED_BY_MODELS)
        return f"models know only {known} of each other" if alone else ""
    if here == there:
        return ""
    if not {here, there} <= set(LAYERS):
        return ""  # test_every_module_has_a_layer says so
    low, high = LAYERS[here], LAYERS[there]
    if high > low:
        return f"{there} (layer {high}) is above {here} (layer {low})"
    if high == low and low not in FREE_WITHIN:
        return f"{there} and {here} stand side by side in layer {low}"
    return ""


def test_every_module_has_a_layer():
    told = {top(module) for module in modules_of(ROOT)} - {""}
    unlisted = sorted(told - set(LAYERS))
    assert not unlisted, (
        f"no layer for {', '.join(unlisted)}: add each to LAYERS in {Path(__file__).name}"
    )


def test_imports_go_only_downwards():
    modules = modules_of(ROOT)
    assert len(modules) > 30
    assert "bascule.runs.codec" in imports_of(
        "bascule.runs.store", modules["bascule.runs.store"], modules
    )
    found = complaints(modules)
    assert not found, "\n".join(found)


def circles(modules: dict[str, str]) -> list[str]:
    """The modules that import each other, directly or not, anywhere in them."""
    asks = {
        name: imports_of(name, source, modules) & set(modules) - {name}
        for name, source in modules.items()
    }
    while free := [name for name, imported in asks.items() if not imported]:
        for name in free:
            del asks[name]
        asks = {name: imported - set(free) for name, imported in asks.items()}
    return sorted(asks)  # what is left imports one another, or imports such modules


def test_no_modules_import_each_other():
    assert not circles(modules_of(ROOT))


def test_a_circle_is_found_also_for_a_type_checker():
    circle = {
        "bascule.a": "import bascule.b",
        "bascule.b": "if TYPE_CHECKING:\n    from bascule.c import C",
        "bascule.c": "def f():\n    from bascule import a",
        "bascule.d": "",
    }
    assert circles(circle) == ["bascule.a", "bascule.b", "bascule.c"]
    assert not circles(circle | {"bascule.b": ""})


FAULTS = {
    "upwards": ("laws", "from bascule.data.faces import Faces", True),
    "upwards in a function": ("data.faces", "def f():\n    import bascule.runs.store", True),
    "upwards, relative": ("data.faces", "from ..training import loop", True),
    "upwards, relative to the package": ("steps.gan", "from .. import cli", True),
    "for a type checker": ("steps.gan", "if TYPE_CHECKING:\n    from bascule import runs", True),
    "metrics and the loop": ("metrics.fid", "from bascule.training.loop import train", True),
    "data and models": ("data.faces", "from bascule.models.dcgan import DCGAN", True),
    "data and interventions": ("data.faces", "from bascule.interventions import x", True),
    "interventions and metrics": ("interventions", "import bascule.metrics.fid", True),
    "objectives and data": ("objectives", "from bascule.data import color", True),
    "two models": ("models.wgan", "from bascule.models.dcgan import DCGAN", True),
    "two models, relative": ("models.wgan", "from .dcgan import DCGAN", True),
    "reports and presets": ("presets", "from bascule.reports.page import Page", True),
    "presets and reports": ("reports.page", "from bascule.presets import PRESETS", True),
    "a file of the user's": ("runs.store", "from experiments.perfect_g import experiment", True),
    "the package's own file": ("", "from bascule.errors import Refusal", True),
    "two models, one a folder": ("models.sdpc.network", "import bascule.models.wgan", True),
    "one paper": ("models.sdpc.network", "from bascule.models.sdpc.operator import x", False),
    "downwards": ("runs.store", "from bascule.training import loop", False),
    "downwards, relative": ("runs.store", "from ..training.loop import train", False),
    "within a package": ("data.faces", "from . import cache", False),
    "within layer 0": ("laws", "from bascule.now import Now", False),
    "shared layers of models": ("models.wgan", "from bascule.models import layers", False),
    "the version": ("runs.store", "import bascule\nfrom bascule import __version__", False),
    "another package": ("laws", "import torch.utils.data, training", False),
    "experiments of the package": ("cli.play", "from bascule.experiments import x", False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds_every_kind_of_fault_and_no_other(fault):
    where, source, wrong = FAULTS[fault]
    names = "data.faces data.cache data.color models.dcgan models.layers models.wgan runs.store"
    names += " training.loop steps.gan reports.page cli.play metrics.fid experiments"
    names += " models.sdpc.operator"
    modules = {f"bascule.{name}": "" for name in names.split()}
    modules |= {f"bascule.{top(name)}": "" for name in modules}
    modules |= {f"bascule.{name}": "" for name in ("laws", "now", "presets", "interventions")}
    modules[f"bascule.{where}".rstrip(".")] = source
    assert bool(complaints(modules)) == wrong

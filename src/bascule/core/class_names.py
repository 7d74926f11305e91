"""Names of the package's classes in files.

A file names a class by its module and its name, ``"bascule.models.dcgan:DCGAN"``. Older files use
a bare word. Digests of recipes still use these words, so a class keeps its digest when it is moved
or renamed. A class that no old file names needs no entry here.
"""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import bascule
from bascule.core.errors import UserError

# The word in old files and in digests, and where the class is now. When a class is moved or
# renamed, change the right-hand side. Never change the word.
ALIASES: dict[str, str] = {
    "Recipe": "bascule.gan.recipe:GANRecipe",
    "Faces": "bascule.data.faces:Faces",
    "Fractals": "bascule.data.fractals:Fractals",
    "Imported": "bascule.data.imported:Imported",
    "TrainingPart": "bascule.data.validation_split:ValidationSplit",
    "TwoSets": "bascule.translation.domains:TwoSets",
    "CartoonPair": "bascule.translation.pairs:CartoonPair",
    "CycleRecipe": "bascule.translation.cyclegan.recipe:CycleRecipe",
    "CycleGAN": "bascule.translation.cyclegan.model:CycleGAN",
    "ContrastiveRecipe": "bascule.translation.cut.recipe:ContrastiveRecipe",
    "CUT": "bascule.translation.cut.model:CUT",
    "PairedRecipe": "bascule.translation.pix2pix.recipe:PairedRecipe",
    "Pix2Pix": "bascule.translation.pix2pix.model:Pix2Pix",
    "Flip": "bascule.data.augment:Flip",
    "Affine": "bascule.data.augment:Affine",
    "Objective": "bascule.gan.objectives:GANLoss",
    "TopK": "bascule.gan.objectives:TopK",
    "R1": "bascule.gan.penalties:R1",
    "R2": "bascule.gan.penalties:R2",
    "GradientPenalty": "bascule.gan.penalties:GradientPenalty",
    "DRAGAN": "bascule.gan.penalties:DRAGAN",
    "LeCam": "bascule.gan.penalties:LeCam",
    "Consistency": "bascule.gan.penalties:Consistency",
    "DCGAN": "bascule.models.dcgan:DCGAN",
    "DCGANW9": "bascule.models.dcgan:DCGANW9",
    "SNGAN": "bascule.models.sngan:SNGAN",
    "SAGAN": "bascule.models.sagan:SAGAN",
    "WGANGP": "bascule.models.wgan_gp:WGANGP",
    "BigGAN": "bascule.models.biggan:BigGAN",
    "BigGANDeep": "bascule.models.biggan:BigGANDeep",
    "R3GAN": "bascule.models.r3gan:R3GAN",
    "Uniform": "bascule.core.schedules:Uniform",
    "Anneal": "bascule.core.schedules:Anneal",
    "Cosine": "bascule.core.schedules:Cosine",
    "AAERecipe": "bascule.aae.recipe:AAERecipe",
    "AAE": "bascule.aae.model:AAE",
    "SDPCRecipe": "bascule.sdpc.recipe:SDPCRecipe",
    "SDPC": "bascule.sdpc.model.network:SDPC",
    "Layer": "bascule.sdpc.model.network:Layer",
    "Inference": "bascule.sdpc.model.inference:Inference",
    "HybridRecipe": "bascule.sdpc.hybrid.recipe:HybridRecipe",
    "SDPCGAN": "bascule.sdpc.hybrid.model:SDPCGAN",
    "SDPCCritic": "bascule.sdpc.hybrid.model:SDPCCritic",
    "Bands": "bascule.sdpc.preprocess.bands:Bands",
    "Whiten": "bascule.sdpc.preprocess.whitening:Whiten",
    "LocalContrast": "bascule.sdpc.preprocess.local_contrast:LocalContrast",
    "Standardise": "bascule.sdpc.preprocess.standard:Standardise",
    "Window": "bascule.sdpc.preprocess.window:Window",
    "PerfectG": "bascule.interventions.noise:PerfectG",
    "NoiseOnReals": "bascule.interventions.noise:NoiseOnReals",
    "InstanceNoise": "bascule.interventions.noise:InstanceNoise",
    "RealsAmongFakes": "bascule.interventions.label_corruption:RealsAmongFakes",
    "FakesAmongReals": "bascule.interventions.label_corruption:FakesAmongReals",
    "PseudoAugmentation": "bascule.interventions.label_corruption:PseudoAugmentation",
    "NegativeAugmentation": "bascule.interventions.label_corruption:NegativeAugmentation",
    "FakeHistory": "bascule.interventions.label_corruption:FakeHistory",
    "DiffAugment": "bascule.interventions.augmentation:DiffAugment",
    "AdaptiveAugment": "bascule.interventions.augmentation:AdaptiveAugment",
    "ResetD": "bascule.interventions.resets:ResetD",
    "Together": "bascule.interventions.hooks:Compose",
}
PLUGINS = "bascule.plugins"  # the entry point group; each entry names a module


def path_of(cls: type) -> str:
    """``"bascule.models.dcgan:DCGAN"``: how files name an installed class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def is_of_package(cls: type) -> bool:
    """Whether a class belongs to bascule itself."""
    return cls.__module__.partition(".")[0] == bascule.__name__


def word_of(cls: type) -> str:
    """The word that digests use for a class of the package."""
    return _words().get(path_of(cls), cls.__name__)


@cache
def _words() -> dict[str, str]:
    return {path: word for word, path in reversed(ALIASES.items())}


def find(name: str) -> type | None:
    """The class of the package, or of a plug-in, by its bare name or by module and name.

    Where the module no longer exists, the class is looked up by its name alone. Only frozen
    dataclasses are found. Raises :class:`UserError` where several classes have the bare name.
    """
    module, colon, word = name.rpartition(":")
    if colon and module.partition(".")[0] == bascule.__name__:
        return _in_module(module, word) or _by_word(word)
    if colon:
        return _of_plugin(module, word)
    return _by_word(word) or plugin_classes().get(word)


def _by_word(word: str) -> type | None:
    if word in ALIASES:
        module, _, name = ALIASES[word].partition(":")
        return _in_module(module, name)
    found = [cls for module in _defining(word) if (cls := _in_module(module, word))]
    if len(found) > 1:
        raise UserError(f"{word} names several classes: write {' or '.join(map(path_of, found))}")
    return found[0] if found else None


@cache
def _in_module(module: str, name: str) -> type | None:
    if module.endswith("__main__"):  # importing it would run it
        return None
    try:
        found = getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        if not module.startswith(str(error.name)):
            raise
        return None
    return found if is_value_class(found) and found.__module__ == module else None


@cache
def _defining(word: str) -> tuple[str, ...]:
    """The modules of the package whose text defines the class ``word``; imports none of them."""
    if not word.isidentifier():
        return ()
    root = Path(bascule.__file__).parent
    line = re.compile(rf"^class {word}\b".encode(), re.MULTILINE)
    found = []
    for path in sorted(root.rglob("*.py")):
        if line.search(path.read_bytes()):
            parts = path.relative_to(root.parent).with_suffix("").parts
            found.append(".".join(part for part in parts if part != "__init__"))
    return tuple(found)


def is_value_class(cls: Any) -> bool:
    """Whether ``cls`` is a frozen dataclass: files name only such classes."""
    return (
        isinstance(cls, type) and dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    )


# plug-ins


@cache
def plugins() -> tuple[ModuleType, ...]:
    """The modules that installed packages list as entry points of the group ``bascule.plugins``.

    Raises :class:`UserError` if one cannot be imported.
    """
    found = []
    for entry in entry_points(group=PLUGINS):
        try:
            found.append(import_module(entry.module))
        except Exception as error:
            raise UserError(
                f"the plug-in {entry.name} ({entry.module}) does not load: "
                f"{type(error).__name__}: {error}; uninstall or repair it"
            ) from error
    return tuple(found)


def plugin_presets() -> dict[str, Any]:
    """The recipes of all plug-ins by name: ``PRESETS`` of each module."""
    return {name: r for module in plugins() for name, r in getattr(module, "PRESETS", {}).items()}


@cache
def plugin_classes() -> dict[str, type]:
    """The frozen dataclasses that plug-ins define, by their bare names."""
    return {
        name: value
        for module in plugins()
        for name, value in vars(module).items()
        if is_value_class(value) and is_of_plugin(value)
    }


def is_of_plugin(cls: type) -> bool:
    """Whether a class is defined in the package of a plug-in."""
    return cls.__module__.partition(".")[0] in _plugin_packages()


@cache
def _plugin_packages() -> frozenset[str]:
    return frozenset(entry.module.partition(".")[0] for entry in entry_points(group=PLUGINS))


def _of_plugin(module: str, name: str) -> type | None:
    return _in_module(module, name) if module.partition(".")[0] in _plugin_packages() else None

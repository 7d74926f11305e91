"""Names of classes in files: old words, moved modules, new classes and plug-ins."""

import sys

import pytest

from bascule.core import class_names
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.objectives import GANLoss
from bascule.models.dcgan import DCGAN
from bascule.runs import codec
from bascule.runs.store import Run


@pytest.mark.parametrize("word", class_names.ALIASES)
def test_every_old_word_names_a_class_and_stands_for_it_in_digests(word):
    cls = class_names.find(word)
    assert cls is not None and class_names.path_of(cls) == class_names.ALIASES[word]
    assert class_names.word_of(cls) == word


def test_a_file_names_a_class_by_module_and_name_and_reads_old_words():
    assert codec.encode(DCGAN())["is"] == "bascule.models.dcgan:DCGAN"
    assert codec.decode({"is": "DCGAN", "width": 8}) == DCGAN(8)
    assert codec.decode({"is": "Objective", "kind": "hinge"}) == GANLoss("hinge")
    assert codec.encode(GANLoss(), brief=True)["is"] == "Objective"


def test_a_class_is_found_after_its_module_has_moved():
    assert codec.decode({"is": "bascule.nets.old:DCGAN", "width": 8}) == DCGAN(8)
    assert codec.decode({"is": "bascule.data.gone.away:Faces", "n": 9}) == Faces(9)


def test_a_class_of_the_package_needs_no_entry_in_a_table():
    assert "GANLoss" not in class_names.ALIASES and class_names.find("GANLoss") is GANLoss
    assert "FromDataset" not in class_names.ALIASES
    assert class_names.word_of(class_names.find("FromDataset")) == "FromDataset"


def test_words_that_name_nothing():
    for word in ("Nobody", "os.path", "a b", "", "Game", "Store:Run"):
        assert class_names.find(word) is None


PLUGIN = """
from dataclasses import dataclass
from bascule.interventions import Intervention
from bascule.presets import dcgan64_tiny

@dataclass(frozen=True)
class Sharpen(Intervention):
    \"\"\"D sees everything sharper.\"\"\"
    factor: float = 0.5

PRESETS = {"sharp64": dcgan64_tiny.replace(interventions=Sharpen())}
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package that names its module as a plug-in."""
    site = tmp_path / "site-packages"
    info = site / "sharp-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "sharp.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sharp\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bascule.plugins]\nsharp = sharp\n")
    monkeypatch.syspath_prepend(str(site))
    caches = (
        class_names.plugins,
        class_names.plugin_classes,
        class_names._plugin_packages,
        class_names._in_module,
    )
    for cached in caches:
        cached.cache_clear()
    yield site / "sharp.py"
    sys.modules.pop("sharp", None)
    for cached in caches:
        cached.cache_clear()


def test_a_plugin_brings_presets_and_classes_by_name(plugin, bascule, store, tiny):
    code, out, err = bascule("presets")
    assert code == 0 and "sharp64" in out, err
    listed = bascule("interventions")[1]
    assert "Sharpen  D sees everything sharper." in listed and "factor  float = 0.5" in listed
    rule = codec.parse("Sharpen(0.25)")
    assert codec.encode(rule)["is"] == "sharp:Sharpen"
    run = store.create(tiny.replace(interventions=rule), "run", "0" * 64)
    assert not (run.folder / "code").exists()
    assert Run(run.folder).recipe.interventions == Run(run.folder).playable.interventions == (rule,)


def test_a_plugin_that_does_not_load_is_named(plugin):
    plugin.write_text("1 / 0")
    with pytest.raises(UserError, match=r"the plug-in sharp .* does not load: ZeroDivisionError"):
        codec.parse("Nobody(3)")

"""`import bascule as bl` is fast, and every name that it promises is there and documented."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import bascule as bl

NAMES = sorted(bl._public())


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_the_thing_of_its_module_and_documented(name):
    found = getattr(bl, name)
    assert found is getattr(import_module(bl._public()[name]), name)
    assert name in dir(bl)
    if isinstance(found, type) or callable(found):
        assert (found.__doc__ or "").strip()


def test_every_public_class_and_function_of_the_package_is_documented():
    """But for the verbs, ``do_train`` and its like, whose text is their help."""
    silent = []
    for path in sorted(Path(bl.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        kinds = (ast.FunctionDef, ast.ClassDef)
        for found in (tree, *(node for node in tree.body if isinstance(node, kinds))):
            name = getattr(found, "name", "")
            if tree.body and not name.startswith(("_", "do_")) and not ast.get_docstring(found):
                silent.append(f"{path}: {name or 'the module'}")
    assert not silent


def test_no_public_name_hides_a_module():
    assert not {module.name for module in iter_modules(bl.__path__)} & set(NAMES)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = bl.trian


def test_the_import_loads_nothing_heavy():
    script = "import bascule, sys; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr

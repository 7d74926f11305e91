"""`import bascule as bl` is fast, and every name that it promises is there and documented."""

import subprocess
import sys
from importlib import import_module
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


def test_no_public_name_hides_a_module():
    assert not {module.name for module in iter_modules(bl.__path__)} & set(NAMES)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = bl.trian


def test_the_import_loads_nothing_heavy():
    script = "import bascule, sys; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr

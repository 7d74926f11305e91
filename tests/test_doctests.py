"""Examples in docstrings give what they say."""

import doctest
from importlib import import_module

import pytest

MODULES = (
    *("tuning.cli", "core.context", "core.schedules", "experiments.files"),
    *("metrics.logits", "runs.codec", "runs.store"),
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_give_what_they_say(module):
    found = doctest.testmod(import_module(f"bascule.{module}"))
    assert found.attempted and not found.failed

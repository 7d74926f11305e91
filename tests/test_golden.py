"""Digests of public recipes: runs are found by them.

One may change only where its preset is changed on purpose, and CHANGELOG.md says so.
"""

import json
from pathlib import Path

import pytest

from bascule import presets
from bascule.runs.codec import decode, digest, encode

KINDS = (
    *(presets.PRESETS, presets.AAE_PRESETS, presets.FLOW_PRESETS, presets.TRANSLATION_PRESETS),
    *(presets.HYBRID_PRESETS, presets.SDPC_PRESETS),
)
RECIPES = {name: recipe for kind in KINDS for name, recipe in kind.items()}
GOLDEN = json.loads((Path(__file__).parent / "golden_digests.json").read_text())


@pytest.mark.parametrize("name", GOLDEN)
def test_a_preset_has_the_digest_that_is_written_down(name):
    assert digest(RECIPES[name]) == GOLDEN[name]
    assert digest(decode(json.loads(json.dumps(encode(RECIPES[name]))))) == GOLDEN[name]


def test_every_preset_has_one():
    assert set(RECIPES) == set(GOLDEN), "write the digest of a new preset into golden_digests.json"

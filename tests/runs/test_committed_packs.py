"""Every committed run is read, and found again by what it is."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from bascule.runs import codec
from bascule.runs.store import Fork, _key

NOTES = Path(__file__).parents[2] / "notes"
PACKS = sorted(NOTES.rglob("*.tar.xz"))
pytestmark = pytest.mark.skipif(not PACKS, reason="not a checkout")


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.name)
def test_the_runs_of_a_pack_are_named_by_the_keys_that_they_have_now(path):
    found: dict[str, dict[str, dict]] = {}
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        for entry in archive:
            run, _, name = entry.name.partition("/")
            if name in ("recipe.json", "run.json"):
                found.setdefault(run, {})[name] = json.load(archive.extractfile(entry))
    assert found
    for run, told in found.items():
        about = told["run.json"]
        recipe = codec.decode(told["recipe.json"])
        origins = [None, Fork(**about["fork"])] if about["fork"] else [None]
        keys = [
            _key(recipe, about["data_digest"], origin, about.get("processes", 1))
            for origin in origins
        ]
        assert run.rpartition("-")[2] in keys, run
        assert codec.decode(codec.encode(recipe)) == recipe

"""The table of extractors."""

import pytest

from bascule.core.errors import UserError
from bascule.features.extractors import EXTRACTORS, extractor


def test_the_offline_ones_by_name():
    names = {name: extractor(name).name for name in ("efficientnet-lite0", "random-conv", "pixels")}
    assert names == {
        "efficientnet-lite0": "efficientnet-lite0,128px",
        "random-conv": "random-conv-s0,64px",
        "pixels": "pixels,16px",
    }
    assert extractor().name == "efficientnet-lite0,128px"


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"unknown extractor 'inceptoin': did you mean inception"):
        extractor("inceptoin")


@pytest.mark.parametrize("name", ["inception", "dinov2-s", "dinov2-b", "dinov2-l"])
def test_optional_ones_are_refused_in_one_line_where_they_cannot_be(name, tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path), raising=False)
    assert name in EXTRACTORS
    with pytest.raises(UserError, match=name.partition("-")[0]) as refusal:
        extractor(name)
    assert "\n" not in str(refusal.value)

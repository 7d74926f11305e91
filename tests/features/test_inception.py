"""The road to the published FID, walked with random weights (the true ones need a network)."""

import sys

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.features import inception
from bascule.features.extractor import label
from bascule.features.inception import InceptionV3


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Random weights in the published layout."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.set_num_threads(1)

    class Bare(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, state):
            """Keeps the weights it was born with."""

    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        net = Bare("bare", ["2048"])
    path = tmp_path_factory.mktemp("weights") / inception.FILES[0]
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.delenv("BASCULE_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def pictures(n=2, side=64):
    return np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def test_features_are_torch_fidelitys(file, monkeypatch, nowhere):
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    theirs = module.FeatureExtractorInceptionV3(
        "theirs", ["2048"], feature_extractor_weights_path=file
    )
    monkeypatch.setenv("BASCULE_WEIGHTS", str(file.parent))
    ours = InceptionV3()
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(pictures()))[0].numpy()
    found = ours(pictures())
    assert found.shape == (2, 2048) and found.dtype == np.float32 and found.std() > 0
    assert np.array_equal(found, expected)
    # These weights are not the published ones, so neither is the name.
    assert ours.name.startswith("inception-v3-") and label("FD", ours) == f"FD[{ours.name}]"


def test_the_published_weights_give_the_published_names(file, monkeypatch):
    sha = inception.weight_files.fingerprint(file)
    monkeypatch.setattr(inception, "PUBLISHED_SHA256", sha[:8])
    net = InceptionV3(file)
    assert net.name == "inception-v3,299px" and sha[:12] in net.spec
    assert (label("FD", net), label("KID", net)) == ("FID", "KID")


def test_missing_weights_are_refused_without_a_download(nowhere, monkeypatch):
    pytest.importorskip("torch_fidelity")
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("download"))
    with pytest.raises(
        UserError, match=r"6726825d\.pth.*BASCULE_WEIGHTS.*https://github\.com/tosh"
    ):
        InceptionV3()


def test_foreign_weights_are_refused(tmp_path):
    pytest.importorskip("torch_fidelity")
    torch.save({"w": torch.zeros(2)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"x\.pth does not hold the weights of inception-v3"):
        InceptionV3(tmp_path / "x.pth")


def test_without_torch_fidelity_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UserError, match=r"bascule\[pretrained\]"):
        InceptionV3()

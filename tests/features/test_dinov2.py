"""DINOv2 with random weights in its two layouts, found in each of its places."""

import shutil
import sys

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.features.dinov2 import DINOv2
from bascule.features.resize import imagenet

SMALL = "vit_small_patch14_dinov2.lvd142m"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Random weights of the small network at its native 518 px, as timm keeps them."""
    timm = pytest.importorskip("timm")
    save_file = pytest.importorskip("safetensors.torch").save_file
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = timm.create_model(SMALL, pretrained=False, num_classes=0)
    path = tmp_path_factory.mktemp("weights") / f"{SMALL}.safetensors"
    save_file(net.state_dict(), path)
    return path


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.delenv("BASCULE_WEIGHTS", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    return tmp_path


def pictures(n=2, side=64):
    return np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def test_weights_resampling_and_class_token_are_timms(file):
    timm = pytest.importorskip("timm")
    net = timm.create_model(
        SMALL,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(file)},
        num_classes=0,
        img_size=224,
    ).eval()
    with torch.inference_mode():
        expected = net(imagenet(torch.from_numpy(pictures()), 224)).numpy()
    ours = DINOv2("s", file)
    found = ours(pictures())
    assert found.shape == (2, 384) and found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-4)
    assert ours.name == "dinov2-s,224px" and "bicubic" in ours.spec


def test_metas_layout_and_every_place(file, nowhere, monkeypatch):
    load_file = pytest.importorskip("safetensors.torch").load_file
    weights = load_file(file)
    original = nowhere / "hub" / "checkpoints" / "dinov2_vits14_pretrain.pth"
    original.parent.mkdir(parents=True)
    torch.save({**weights, "mask_token": torch.zeros(1, 384)}, original)
    of_meta = DINOv2("s")
    monkeypatch.setenv("BASCULE_WEIGHTS", str(file.parent))
    of_timm = DINOv2("s")
    assert of_meta.spec != of_timm.spec  # another file
    assert of_meta(pictures(1)) == pytest.approx(of_timm(pictures(1)), abs=1e-5)


def test_the_hugging_face_cache_is_searched(file, nowhere):
    home = nowhere / "hf" / f"models--timm--{SMALL}"
    commit = "0" * 40
    for folder in (home / "refs", home / "snapshots" / commit):
        folder.mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    shutil.copy(file, home / "snapshots" / commit / "model.safetensors")
    assert DINOv2("s").name == "dinov2-s,224px"


def test_missing_and_foreign_weights_are_refused(nowhere):
    with pytest.raises(UserError, match=r"dinov2_vitb14_pretrain\.pth or .*BASCULE_WEIGHTS.*https"):
        DINOv2("b")
    torch.save({"w": torch.zeros(2)}, nowhere / "x.pth")
    with pytest.raises(UserError, match=r"does not hold the weights of dinov2-s"):
        DINOv2("s", nowhere / "x.pth")


def test_unknown_sizes_and_a_missing_package_are_refused(monkeypatch):
    with pytest.raises(UserError, match=r"size of DINOv2 'xl'"):
        DINOv2("xl")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"bascule\[pretrained\]"):
        DINOv2("s")

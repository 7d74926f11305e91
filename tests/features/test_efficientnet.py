"""The default extractor: it sees what ImageNet's classifier sees, whatever else is in the batch."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.features.efficientnet import EfficientNetLite0
from bascule.features.resize import imagenet
from bascule.models import efficientnet
from bascule.models.efficientnet import classifier

EGYPTIAN_CAT, ESPRESSO = 285, 967


@pytest.fixture(scope="module")
def net() -> EfficientNetLite0:
    torch.set_num_threads(1)
    return EfficientNetLite0()


def pictures(n=6, side=64):
    return np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)


def square(photo: np.ndarray) -> np.ndarray:
    """The middle of (H, W, 3), as (3, H, H)."""
    spare = (photo.shape[1] - photo.shape[0]) // 2
    return photo[:, spare : spare + photo.shape[0]].transpose(2, 0, 1).copy()


@pytest.mark.parametrize(("side", "within"), [(224, 1), (128, 2)])
def test_photographs_are_recognised(side, within):
    """At 128 px the coffee is a teapot first (0.52) and an espresso second (0.40)."""
    data = pytest.importorskip("skimage.data")
    net = EfficientNetLite0(side)
    head = classifier(side, efficientnet.weights_path())._fc
    for photo, kind, rank in ((data.chelsea(), EGYPTIAN_CAT, 1), (data.coffee(), ESPRESSO, within)):
        features = torch.from_numpy(net(square(photo)[None]))
        assert kind in head(features)[0].topk(rank).indices


def test_rewriting_for_speed_changes_float_noise_alone(net):
    x = torch.from_numpy(pictures())
    whole = classifier(128, efficientnet.weights_path())
    with torch.inference_mode():
        plain = whole.extract_features(imagenet(x, 128)).mean((2, 3)).numpy()
    assert plain.std() > 0.1
    assert np.abs(net(x.numpy()) - plain).max() < 1e-4


def test_features_do_not_depend_on_the_batch(net):
    x = pictures(20)
    together = net(x)
    assert together.shape == (20, 1280) and together.dtype == np.float32
    alone = np.concatenate([net(image[None]) for image in x[14:]])
    assert np.abs(together[14:] - alone).max() < 1e-4
    assert np.abs(together[13:] - net(x[13:])).max() < 1e-4
    assert np.array_equal(together, net(x))


def test_name_and_spec_tell_side_and_weights(net, tmp_path, monkeypatch):
    assert net.name == "efficientnet-lite0,128px"
    assert "579344248a93" in net.spec  # the file's name says so too
    smaller = EfficientNetLite0(64)
    assert smaller.name == "efficientnet-lite0,64px" and smaller.spec != net.spec
    state = torch.load(efficientnet.weights_path(), weights_only=True)
    state["_conv_head.weight"][0, 0] += 1
    torch.save(state, tmp_path / "other.pth")
    monkeypatch.setattr(efficientnet, "weights_path", lambda: tmp_path / "other.pth")
    other = EfficientNetLite0()
    assert other.name == net.name and other.spec != net.spec
    assert not np.allclose(other(pictures()), net(pictures()))


def test_an_odd_side_is_refused():
    with pytest.raises(UserError, match="multiple of 32"):
        EfficientNetLite0(100)

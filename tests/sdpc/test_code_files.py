"""Codes that were written come back, and what is no file of codes is refused."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.sdpc.coder import Coder
from bascule.sdpc.files import read_codes, write_codes
from bascule.sdpc.model import SDPC, Layer
from bascule.training.state import begin


@pytest.fixture
def coder(tiny_sdpc):
    return Coder(tiny_sdpc, begin(tiny_sdpc))


@pytest.fixture
def written(coder, tiny_sdpc, tmp_path):
    pictures = np.array(tiny_sdpc.data.load().pixels[:3])
    coded = coder.encode(pictures)
    write_codes(tmp_path / "new" / "codes.npz", ["a.png", "ü.jpg", "c"], coded)
    return tmp_path / "new" / "codes.npz", coded


def test_codes_come_back_as_they_were(coder, written):
    path, coded = written
    names, again = read_codes(path, coder)
    assert names == ["a.png", "ü.jpg", "c"]
    for g, other in zip(again.codes.maps, coded.codes.maps, strict=True):
        assert torch.equal(g, other)
    for layer in (1, 2):
        assert np.array_equal(coder.decode(again, layer), coder.decode(coded, layer))


def test_changed_codes_draw_another_picture(coder, written):
    path, coded = written
    with np.load(path) as file:
        arrays = dict(file)
    arrays["layer_2"][:] = 0
    np.savez(path, **arrays)
    _, changed = read_codes(path, coder)
    # nothing is left but what preprocessing kept
    y = torch.zeros(3, 3, 32, 32)
    flat = ((coder.recipe.restored(y, coded.kept) + 1) * 127.5).round().clamp(0, 255)
    assert np.array_equal(coder.decode(changed, 2), flat.to(torch.uint8).numpy())


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda a: a.pop("layer_2"), r"holds nothing for layer 2: expected \(3, 12, 4, 4\)"),
        (lambda a: a.update(layer_1=a["layer_1"][:2]), r"holds \(2, 8, 8, 8\) for layer 1"),
        (lambda a: a["layer_1"].fill(-1), "codes of layer 1 must be numbers >= 0"),
        (lambda a: a["layer_1"].fill(np.nan), "codes of layer 1 must be numbers >= 0"),
        (lambda a: a.pop("names"), "layer 1"),
        (lambda a: a.update(names=np.zeros(())), "holds no codes"),
        (lambda a: a.update(layer_1=np.full(a["layer_1"].shape, "x")), "holds no codes"),
        (lambda a: a.pop("kept_0_low"), r"lacks kept_0_low: expected \(3, 3, 8, 8\) numbers"),
    ],
)
def test_what_are_no_codes_of_this_network_is_refused(coder, written, change, told):
    path, _ = written
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=told):
        read_codes(path, coder)


def test_codes_of_another_network_are_refused(tiny_sdpc, written):
    other = tiny_sdpc.replace(model=SDPC((Layer(4, 8, 4, 2), Layer(12, 4, 2, 1)), size=32))
    with pytest.raises(UserError, match="for layer 1: expected"):
        read_codes(written[0], Coder(other, begin(other)))


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_is_no_archive_is_refused(coder, tmp_path, content):
    path = tmp_path / "codes.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="cannot read codes from"):
        read_codes(path, coder)

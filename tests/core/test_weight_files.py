"""Finding and reading weights: places in order, and no code is run."""

import pickle

import pytest
import torch
from torch import nn

from bascule.core import weight_files as weights
from bascule.core.errors import UserError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty stand-ins for the user's two folders: own, hub."""
    own, hub = tmp_path / "own", tmp_path / "hub" / "checkpoints"
    own.mkdir()
    hub.mkdir(parents=True)
    monkeypatch.setenv("BASCULE_WEIGHTS", str(own))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return own, hub


def find(given=None, elsewhere=()):
    return weights.find("net", given, ("a.pth", "b.pth"), "https://example.org/a.pth", elsewhere)


def test_places_are_searched_in_order(places, tmp_path):
    own, hub = places
    last = tmp_path / "elsewhere.pth"
    for path in (last, hub / "b.pth", hub / "a.pth", own / "b.pth", own / "a.pth"):
        path.touch()
        assert find(elsewhere=[last]) == path
    given = tmp_path / "given.pth"
    given.touch()
    assert find(given) == find(str(given)) == given


def test_missing_weights_are_one_line_that_says_what_to_do(places):
    with pytest.raises(UserError) as refusal:
        find()
    told = str(refusal.value)
    for word in ("net", "a.pth or b.pth", str(places[0]), str(places[1]), "https://example.org"):
        assert word in told
    assert "\n" not in told


def test_without_the_variable_the_hub_is_named(places, monkeypatch):
    monkeypatch.delenv("BASCULE_WEIGHTS")
    with pytest.raises(UserError, match="not set"):
        find()


def test_a_given_path_excludes_other_places(places, tmp_path):
    (places[0] / "a.pth").touch()
    with pytest.raises(UserError, match=r"no such file: .*given\.pth"):
        find(tmp_path / "given.pth")


def test_both_formats_are_read(tmp_path):
    state = {"w": torch.arange(4.0)}
    torch.save(state, tmp_path / "a.pth")
    assert torch.equal(weights.read(tmp_path / "a.pth")["w"], state["w"])
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file(state, tmp_path / "a.safetensors")
    assert torch.equal(weights.read(tmp_path / "a.safetensors")["w"], state["w"])


class Trap:
    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_files_that_are_not_tensors_are_refused_and_run_nothing(tmp_path):
    (tmp_path / "empty.pth").touch()
    (tmp_path / "noise.pth").write_bytes(b"\x00\x01 no weights" * 50)
    (tmp_path / "noise.safetensors").write_bytes(b"\x00\x01 no weights" * 50)
    torch.save({"w": Trap()}, tmp_path / "trap.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Trap(), protocol=2))
    torch.save({"epoch": 3}, tmp_path / "others.pth")
    torch.save([1.0], tmp_path / "list.pth")
    whole = tmp_path / "whole.pth"
    torch.save({"w": torch.randn(100, 100)}, whole)
    (tmp_path / "cut.pth").write_bytes(whole.read_bytes()[:20_000])
    for path in sorted(set(tmp_path.iterdir()) - {whole}):
        with pytest.raises(UserError, match=path.name) as refusal:
            weights.read(path)
        assert "\n" not in str(refusal.value)
    assert not Trap.sprung


def test_load_matches_every_key_and_freezes(tmp_path):
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    weights.load(net, net.state_dict(), "net", tmp_path / "x.pth")
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    with pytest.raises(
        UserError, match=r"x\.pth does not hold the weights of net: .*0\.bias"
    ) as no:
        weights.load(net, {"0.weight": torch.eye(2)}, "net", tmp_path / "x.pth")
    assert "\n" not in str(no.value)


def test_fingerprint_is_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert weights.fingerprint(tmp_path / "abc").startswith("ba7816bf8f01cfea")

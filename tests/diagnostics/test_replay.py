"""Old fakes come back as they were, from the past alone."""

import pytest
import torch

from bascule.core.errors import UserError
from bascule.diagnostics.replay import Replay


def test_fakes_come_back(tmp_path):
    replay = Replay(tmp_path / "replay")
    fakes = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    replay.keep(3, fakes)
    replay.keep(3, fakes.flip(0))  # a second attempt at the same epoch
    assert torch.equal(Replay(tmp_path / "replay").fakes(3), fakes.flip(0))
    assert not list(tmp_path.rglob("*.partial"))


def test_ages_are_asked_at_growing_steps_and_never_from_the_future(tmp_path):
    replay = Replay(tmp_path)
    assert replay.before(10) == []
    for epoch in range(0, 20):
        replay.keep(epoch, torch.zeros(1, 3, 2, 2, dtype=torch.uint8))
    assert replay.before(0) == []
    assert replay.before(1) == [0]
    assert replay.before(2) == [1, 0]
    assert replay.before(12) == [11, 10, 8, 4, 0]
    assert replay.before(100) == [19, 18, 16, 12, 4, 0]


def test_a_torn_file_is_named(tmp_path):
    Replay(tmp_path).keep(1, torch.zeros(1, 3, 2, 2, dtype=torch.uint8))
    (tmp_path / "epoch-0001.npy").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"cannot read the old fakes .*epoch-0001\.npy"):
        Replay(tmp_path).fakes(1)

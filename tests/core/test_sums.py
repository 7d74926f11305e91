"""The sums in PyTorch's files: one changed bit is found, and nothing is waited for."""

import os

import pytest
import torch

from bascule.core.sums import load_checked


def test_a_whole_file_is_loaded_and_a_changed_bit_is_an_error(tmp_path):
    path = tmp_path / "weights.pt"
    kept = {"w": torch.arange(1000.0)}
    torch.save(kept, path)
    assert torch.equal(load_checked(path)["w"], kept["w"])
    content = bytearray(path.read_bytes())
    content[content.index(torch.tensor(500.0).numpy().tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="differs from its check sum"):
        load_checked(path)


def test_the_older_format_has_no_sums_and_is_loaded(tmp_path):
    torch.save([1], tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert load_checked(tmp_path / "old.pt") == [1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(ValueError, match="not a regular file but a pipe"):
        load_checked(tmp_path / "pipe.pt")

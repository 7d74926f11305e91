"""What is learnt once is kept, and what cannot be kept is not learnt first."""

import pytest
import torch

from bascule.attributes.kept import kept
from bascule.core.errors import UserError


def opened(told):
    return told["weights"].tolist()


def test_it_is_learnt_once(tmp_path):
    place, learnt = tmp_path / "new" / "reader.pt", []

    def make():
        learnt.append(1)
        return [1.0, 2.0]

    for _ in range(2):
        found = kept("reader", place, make, lambda it: {"weights": torch.tensor(it)}, opened)
        assert found == [1.0, 2.0]
    assert learnt == [1] and [path.name for path in place.parent.iterdir()] == ["reader.pt"]


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path, content):
    place = tmp_path / "reader.pt"
    place.write_bytes(content)
    with pytest.raises(
        UserError, match=r"cannot read the attribute reader .*reader.pt .* delete the file"
    ):
        kept("attribute reader", place, lambda: pytest.fail("not asked for"), None, opened)


def test_a_file_of_something_else_is_damaged_too(tmp_path):
    place = tmp_path / "reader.pt"
    torch.save({"other": torch.zeros(1)}, place)
    with pytest.raises(UserError, match=r"cannot read the .* \(.*\): delete"):
        kept("reader", place, lambda: None, None, opened)


def test_a_cache_that_cannot_be_written_is_refused_before_minutes_of_learning(tmp_path):
    (tmp_path / "attributes").write_text("")
    place = tmp_path / "attributes" / "reader.pt"
    with pytest.raises(UserError, match=r"cannot keep the reader at .* BASCULE_DATA"):
        kept("reader", place, lambda: pytest.fail("learnt in vain"), None, opened)

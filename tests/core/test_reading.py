"""Only regular files are read, no more than suits them, and JSON is what it should be."""

import os

import pytest

from bascule.core.reading import DEEPEST, parsed, read_bytes, read_json


def test_a_regular_file_is_read_to_its_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(ValueError, match="5 bytes; at most 4 are read"):
        read_bytes(tmp_path / "a", 4)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_devices_pipes_and_folders_are_refused_without_a_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(ValueError, match="a pipe or a device"):
            read_bytes(tmp_path / name, 100)
    with pytest.raises(ValueError, match="a folder"):
        read_bytes(tmp_path, 100)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "gone", 100)


def test_deep_nesting_is_a_value_error_at_any_depth():
    assert parsed("[" * 50 + "]" * 50)
    for depth in (DEEPEST + 2, 1000, 200_000):
        for left, right in ("[]", ('{"a":', "}")):
            text = left * depth + ("1" if right == "}" else "") + right * depth
            with pytest.raises(ValueError, match="nested deeper"):
                parsed(text)


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "a list"), ('"a"', "a text"), ("3", "a number"), ("null", "null")]
)
def test_an_object_is_expected(tmp_path, text, said):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=f"it holds {said}; expected an object"):
        read_json(tmp_path / "a.json")

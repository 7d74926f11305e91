"""New lines from a byte cursor on, however the file changes meanwhile."""

import json

import pytest

from bascule.board.tail import START, Cursor, News, last_line, numbers, read_new
from bascule.core.errors import UserError


def test_only_what_is_new_is_read(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b"one\ntwo\n")
    first = read_new(path, START)
    assert first.lines == [b"one", b"two"] and not first.again
    assert read_new(path, first.cursor).lines == []
    path.write_bytes(b"one\ntwo\nthree\n")  # replaced as a whole, as the program does
    second = read_new(path, first.cursor)
    assert second.lines == [b"three"] and not second.again
    assert second.cursor.lines == 3 and second.cursor.offset == 14


def test_a_half_written_line_waits_for_its_end(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b'{"a": 1}\n{"a"')
    news = read_new(path, START)
    assert news.lines == [b'{"a": 1}']
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n')
    assert read_new(path, news.cursor).lines == [b'{"a": 2}']


@pytest.mark.parametrize("now", [b"one\n", b"", b"one\ntwi\nthree\n"])
def test_a_file_that_lost_or_changed_rows_is_read_again(tmp_path, now):
    path = tmp_path / "rows"
    path.write_bytes(b"one\ntwo\n")
    cursor = read_new(path, START).cursor
    path.write_bytes(now)
    news = read_new(path, cursor)
    assert news.again and news.lines == now.split(b"\n")[:-1]


def test_a_file_that_is_gone_is_empty(tmp_path):
    path = tmp_path / "rows"
    assert read_new(path, START) == News([], START)
    path.write_bytes(b"one\n")
    cursor = read_new(path, START).cursor
    path.unlink()
    assert read_new(path, cursor).again


def test_a_long_file_comes_in_pieces_of_whole_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("bascule.board.tail.CHUNK_BYTES", 100)
    path = tmp_path / "rows"
    lines = [b"%030d" % k for k in range(20)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    cursor, found = START, []
    while (news := read_new(path, cursor)).lines:
        assert len(news.lines) <= 3
        found += news.lines
        cursor = news.cursor
    assert found == lines


def test_a_cursor_survives_a_browser_and_nonsense_is_the_start():
    cursor = Cursor(120, 3, 40, "abcdef")
    assert Cursor.parse(str(cursor)) == cursor
    for text in ("", "1.2.3", "-1.0.0.x", "9" * 40 + ".1.1.x", "1.1.500.x", "a.b.c.d"):
        assert Cursor.parse(text) == START


def test_what_is_no_file_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="a folder"):
        read_new(tmp_path, START)
    with pytest.raises(UserError, match="a folder"):
        last_line(tmp_path)


@pytest.mark.parametrize(
    ("text", "last"),
    [(b"", b""), (b"a", b""), (b"a\n", b"a"), (b"a\nbc\n", b"bc"), (b"a\nb", b"a")],
)
def test_the_last_whole_line(tmp_path, text, last):
    path = tmp_path / "rows"
    path.write_bytes(text)
    assert last_line(path) == last


def test_a_row_is_its_finite_numbers():
    row = {"a": 1 / 3, "b": float("nan"), "c": float("-inf"), "step": 1234567, "big": 10**400}
    told = numbers(json.dumps({**row, "text": "x", "list": [1], "yes": True}).encode())
    assert told == {"a": 0.333333, "b": None, "c": None, "step": 1234567, "big": None}
    for line in (b"[1]", b"{", b"null", b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(UserError, match="not a row"):
            numbers(line)

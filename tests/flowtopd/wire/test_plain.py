"""Drawing with ASCII."""

import io

import pytest

from flowtopd.wire.bar import bar
from flowtopd.wire.messages import Progress
from flowtopd.wire.plain import PLAIN, write_plainly


def written(text: str, encoding: str) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    write_plainly(stream)
    stream.write(text)
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", ">BYTES <BYTES RATEv ?? na~"),
        ("latin-1", ">BYTES <BYTES RATEv ü? na~"),
        ("utf-8", "→BYTES ←BYTES RATE▼ ü例 na…"),
    ],
)
def test_characters_that_an_encoding_does_not_have_are_drawn_with_ascii(encoding: str, shown: str) -> None:
    assert written("→BYTES ←BYTES RATE▼ ü例 na…", encoding) == shown


def test_what_stands_for_a_character_is_one_of_ascii() -> None:
    assert all(len(plain) == 1 and plain.isascii() for plain in PLAIN.values())


def test_the_bar_of_an_update_is_drawn_with_it() -> None:
    assert "[" + "#" * 12 in written(bar(Progress(what="asn", done=5, total=10), 80), "ascii")


def test_a_stream_that_is_no_file_is_left_alone() -> None:
    stream = io.StringIO()
    write_plainly(stream)
    stream.write("→")
    assert stream.getvalue() == "→"

"""flowtopd.system.log_lines: no message is more than a line, and none can look like another."""

import io
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.system.log_lines import Plain, escaped

HOSTILE = "\x1b]0;pwned\x07\nflowtopd: all is well\r\u202e\ud800\x85"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Plain("flowtopd: %(message)s"))
    logger = logging.getLogger("tests.log_lines")
    logger.propagate = False
    logger.addHandler(handler)
    yield out
    logger.removeHandler(handler)


def test_a_message_is_one_line_in_which_everything_is_printed(out: io.StringIO) -> None:
    logging.getLogger("tests.log_lines").warning("%s: it is not used", HOSTILE)
    line, rest = out.getvalue().split("\n")
    assert not rest
    assert line.isprintable()
    assert line == r"flowtopd: \x1b]0;pwned\x07\nflowtopd: all is well\r\u202e\ud800\x85: it is not used"


def fail() -> None:
    raise RuntimeError(f"{HOSTILE}\nflowtopd: forged")


def test_no_line_of_a_traceback_looks_like_a_message(out: io.StringIO) -> None:
    try:
        fail()
    except RuntimeError:
        logging.getLogger("tests.log_lines").exception("it failed")
    first, *others, rest = out.getvalue().split("\n")
    assert first == "flowtopd: it failed"
    assert not rest
    assert len(others) > 5
    assert all(line.startswith("    ") and line.isprintable() for line in others)


@given(st.text(st.characters()))
def test_any_text_can_be_printed_and_plain_text_stays(text: str) -> None:
    assert escaped(text).isprintable()
    assert text.isprintable() <= (escaped(text) == text)

import base64
import re

import pytest

from flowtop_client.tui.widgets.clipboard import LONGEST, copying


@pytest.mark.parametrize("text", ["a row", "例え →", "\x1b]0;title\x07", "\udc80", ""])
def test_whatever_the_text_is_its_codes_are_base64(text: str) -> None:
    code = copying(text, tmux=False)
    found = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", code)
    assert found
    assert base64.b64decode(found[1]).decode() == text.encode(errors="replace").decode()


def test_tmux_gets_it_twice_for_itself_and_to_let_through() -> None:
    plain = copying("x", tmux=False)
    assert copying("x", tmux=True) == f"{plain}\x1bPtmux;\x1b{plain}\x1b\\"


def test_a_long_text_is_cut_where_terminals_take_no_more() -> None:
    assert len(copying("x" * 10 * LONGEST, tmux=False)) < 74_994

import pytest

from flowtop_client.view_state.text_input import EDITS, Edit, Input
from flowtopd.wire.filter_parser import LONGEST


def at(text: str) -> Input:
    """A text with its place written as `|`."""
    return Input(text.replace("|", ""), text.index("|"))


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("ab|c", Edit.LEFT, "a|bc"),
        ("|abc", Edit.LEFT, "|abc"),
        ("ab|c", Edit.RIGHT, "abc|"),
        ("abc|", Edit.RIGHT, "abc|"),
        ("ab|c", Edit.HOME, "|abc"),
        ("ab|c", Edit.END, "abc|"),
        ("ab|c", Edit.ERASE, "a|c"),
        ("|abc", Edit.ERASE, "|abc"),
        ("ab|c", Edit.ERASE_NEXT, "ab|"),
        ("abc|", Edit.ERASE_NEXT, "abc|"),
        ("tcp and port| 1", Edit.ERASE_WORD, "tcp and | 1"),
        ("tcp and  | 1", Edit.ERASE_WORD, "tcp | 1"),
        ("tcp|", Edit.ERASE_WORD, "|"),
        ("|tcp", Edit.ERASE_WORD, "|tcp"),
        ("tcp and| port", Edit.ERASE_LINE, "| port"),
    ],
)
def test_edits_are_those_of_a_shell(before: str, edit: Edit, after: str) -> None:
    assert EDITS[edit](at(before)) == at(after)


def test_every_edit_is_there_and_none_leaves_the_text() -> None:
    assert set(EDITS) == set(Edit)
    for edit in Edit:
        for place in range(4):
            line = EDITS[edit](Input("a b", min(place, 3)))
            assert 0 <= line.at <= len(line.text)


def test_text_comes_in_at_the_place_and_as_one_line() -> None:
    assert at("a|c").typed("b") == at("ab|c")
    assert at("|").typed("tcp\nand\x1b[2J") == Input.of("tcp and [2J")


def test_no_text_becomes_longer_than_a_filter_may_be() -> None:
    line = Input.of("x" * (LONGEST - 2)).typed("abc")
    assert len(line.text) == line.at == LONGEST
    assert line.typed("d") == line

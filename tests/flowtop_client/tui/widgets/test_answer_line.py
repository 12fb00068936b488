from prompt_toolkit.utils import get_cwidth

from flowtop_client.tui.widgets.answer_line import notice_line, question_lines
from flowtop_client.view_state.act import QUESTIONS

LONG = "tcp [2001:db8:1234:5678:9abc:def0:1234:5678]:40000 > [2001:db8:1234:5678:9abc:def0:1234:5679]:65535, 例[4711]"


def texts(about: str, width: int, height: int) -> list[str]:
    lines = [line for each in QUESTIONS.values() for line in question_lines(each, about, width, height)]
    return ["".join(text for _, text in line) for line in lines]


def test_a_question_says_what_happens_to_whom_and_how_to_answer() -> None:
    what, whom, how = texts("tcp 10.0.0.1:40001 > 192.0.2.2:443", 80, 3)[:3]
    assert what == "Delete the kernel's entry of this flow? The flow goes on."
    assert whom == "  tcp 10.0.0.1:40001 > 192.0.2.2:443"
    assert how == "y yes  n no"


def test_one_line_does_where_there_is_no_room_for_more() -> None:
    assert texts("tcp a > b", 80, 1) == ["y/n delete tcp a > b?", "y/n close tcp a > b?"]


def test_both_ends_of_a_long_name_are_seen_and_no_line_is_too_wide() -> None:
    for width in (1, 2, 20, 60, 200):
        for height in (1, 3):
            assert max(map(get_cwidth, texts(LONG, width, height))) <= width
    assert texts(LONG, 60, 3)[1].startswith("  tcp [2001:db8:")
    assert texts(LONG, 60, 3)[1].endswith("[4711]")


def test_what_is_told_is_cleaned() -> None:
    for good in (True, False):
        assert notice_line("a\x1bb", 80, good=good)[0][1] == "a?b"
    assert notice_line("abc", 2, good=True)[0][1] == "a…"

from flowtop_client.view_state.help_page import HelpPage, ended, matched, scrolled, searched, searching, told
from flowtop_client.view_state.text_input import Input

TEXTS = tuple(f"line {number} {'Needle' if number % 10 == 7 else ''}" for number in range(40))


def page(line: int = 0) -> HelpPage:
    return scrolled(told(HelpPage(), TEXTS, 10), line)


def search(text: str, line: int = 0) -> HelpPage:
    return searched(searching(page(line)), Input.of(text))


def test_the_help_scrolls_no_further_than_its_end() -> None:
    assert page(99).line == 30
    assert page(-1).line == 0


def test_the_first_match_from_here_is_brought_into_view_as_one_types() -> None:
    assert search("needle").found == 7
    assert search("needle").line == 0
    found = search("NEEDLE", line=9)
    assert found.found == 17
    assert found.line <= 17 < found.line + 10


def test_another_letter_begins_anew_where_the_search_began() -> None:
    first = search("n")
    assert first.found == 0  # `line`
    assert searched(first, Input.of("needle")).found == 7
    assert searched(first, Input()).found is None


def test_matches_are_walked_in_both_directions_and_around_the_ends() -> None:
    at = ended(search("needle"), keep=True)
    seen = []
    for _ in range(5):
        at = matched(at, 1)
        seen.append(at.found)
        assert at.found is not None
        assert at.line <= at.found < at.line + 10
    assert seen == [17, 27, 37, 7, 17]
    assert matched(matched(at, -1), -1).found == 37


def test_what_is_nowhere_is_not_found_and_the_page_stays() -> None:
    lost = search("xyz", line=5)
    assert (lost.found, lost.line) == (None, 5)
    assert matched(lost, 1).found is None


def test_giving_up_the_search_brings_back_the_page() -> None:
    given_up = ended(search("needle", line=9), keep=False)
    assert (given_up.line, given_up.pattern, given_up.found, given_up.search) == (9, "", None, None)
    assert ended(search("needle"), keep=True).pattern == "needle"


def test_other_lines_on_a_screen_of_another_width_forget_a_match_that_is_elsewhere_now() -> None:
    found = ended(search("needle"), keep=True)
    assert told(found, TEXTS, 10) is found
    assert told(found, ("x", *TEXTS), 10).found is None
    assert told(found, TEXTS, 5).found == 7
    assert told(scrolled(found, 30), TEXTS[:12], 10).line == 2


def test_what_is_typed_before_the_help_is_drawn_is_found_when_it_is() -> None:
    early = searched(searching(HelpPage()), Input.of("needle"))
    assert early.found is None
    assert told(early, TEXTS, 10).found == 7

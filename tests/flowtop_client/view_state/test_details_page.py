from flowtop_client.view_state.details_page import DetailsPage, answered, scrolled, told
from flowtopd.wire.messages import Detail

KNOWN = Detail("1", {"id": "1"}, {}, [])


def test_the_page_scrolls_no_further_than_its_end_and_its_begin() -> None:
    page = told(DetailsPage("1"), 30, 10)
    assert [scrolled(page, line).line for line in (-1, 5, 99)] == [0, 5, 20]


def test_a_page_that_becomes_shorter_shows_its_end() -> None:
    assert told(scrolled(told(DetailsPage("1"), 30, 10), 20), 15, 10).line == 5
    assert told(DetailsPage("1"), 3, 10).line == 0


def test_a_flow_that_is_gone_leaves_what_was_known_of_it() -> None:
    page = answered(answered(DetailsPage("1"), KNOWN), Detail("1", None))
    assert page.gone
    assert page.detail == KNOWN
    assert not answered(page, KNOWN).gone


def test_news_of_another_flow_are_not_shown() -> None:
    page = DetailsPage("2")
    assert answered(page, KNOWN) is page

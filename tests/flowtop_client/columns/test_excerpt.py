import pytest

from flowtop_client.columns.excerpt import excerpt

TEXT = "0123456789" * 5


@pytest.mark.parametrize("width", [1, 2, 3, 10, 49, 50, 51, 200])
def test_the_place_is_seen_and_no_more_than_there_is_room_for(width: int) -> None:
    for at in range(len(TEXT) + 1):
        start, part = excerpt(TEXT, at, width, len)
        assert part == TEXT[start : start + len(part)]
        assert len(part) <= width
        assert start <= at <= start + len(part)
        assert at == len(TEXT) or at < start + len(part), (at, width)
        assert at - start < width  # a cell for the place itself


def test_a_text_that_fits_is_shown_whole() -> None:
    assert excerpt("tcp", 3, 4, len) == (0, "tcp")
    assert excerpt("", 0, 4, len) == (0, "")


def test_wide_characters_count_twice() -> None:
    start, part = excerpt("例" * 20, 20, 10, lambda text: 2 * len(text))
    assert len(part) <= 5
    assert start + len(part) == 20

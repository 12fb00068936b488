import pytest

from flowtop_client.tui.widgets.graph import SHORTEST_S, graph, is_plain, peak_of, sampled, span_of

STEADY = [(float(second), 10.0) for second in range(61)]


def test_the_newest_value_stands_at_the_right_and_a_short_time_leaves_the_left_blank() -> None:
    assert sampled([(0.0, 1.0), (10.0, 2.0)], 6) == [None, None, None, None, 1.0, 2.0]


def test_a_peak_is_seen_however_short_it_was() -> None:
    points = [(float(second), 100.0 if second == 300 else 1.0) for second in range(601)]
    assert max(value or 0 for value in sampled(points, 20)) == 100.0


def test_where_nothing_came_the_value_before_goes_on() -> None:
    assert sampled([(0.0, 5.0), (60.0, 7.0)], 4) == [5.0, 5.0, 5.0, 7.0]


def test_what_is_not_known_is_blank() -> None:
    assert sampled([(0.0, None), (60.0, 7.0)], 4) == [None, None, None, 7.0]
    assert sampled([], 3) == [None] * 3
    assert peak_of([(0.0, None)]) is None
    assert graph([(0.0, None)], 3, 2, plain=False) == ["   ", "   "]


def test_the_largest_value_reaches_the_top_and_a_small_one_is_seen() -> None:
    drawn = graph([(0.0, 1000.0), (30.0, 1.0), (60.0, 500.0)], 3, 2, plain=False)
    assert drawn == ["█  ", "█▁█"]
    assert graph(STEADY, 5, 2, plain=False) == ["█████", "█████"]


def test_nothing_but_ascii_where_the_terminal_has_no_more() -> None:
    points = [(float(second), float(second % 7)) for second in range(100)]
    assert all(line.isascii() for line in graph(points, 30, 4, plain=True))
    assert graph([(0.0, 1000.0), (30.0, 1.0), (60.0, 500.0)], 3, 2, plain=True) == ["#  ", "#.#"]


@pytest.mark.parametrize("plain", [False, True])
def test_a_graph_is_as_large_as_asked(plain: bool) -> None:
    for width in (1, 2, 7, 300):
        for points in ([], STEADY, STEADY[:1], [(0.0, 0.0)], [(9.0, 1.0), (3.0, 2.0)]):
            drawn = graph(points, width, 4, plain=plain)
            assert [len(line) for line in drawn] == [width] * 4


def test_the_time_is_that_of_all_points_and_a_minute_at_least() -> None:
    assert span_of(STEADY[:5]) == SHORTEST_S
    assert span_of([(0.0, 1.0), (300.0, 1.0)]) == 300.0


@pytest.mark.parametrize(
    ("encoding", "plain"), [("utf-8", False), (None, False), ("ascii", True), ("latin-1", True), ("no", True)]
)
def test_the_encoding_of_the_terminal_decides(encoding: str | None, plain: bool) -> None:
    assert is_plain(encoding) is plain

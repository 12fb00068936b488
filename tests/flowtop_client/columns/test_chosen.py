import pytest

from flowtop_client.columns.chosen import chosen_columns
from flowtop_client.columns.fit import fit, scroll_limit
from flowtop_client.columns.flows import flow_columns

ALL = flow_columns(source=True)


def names(*chosen: str, source: bool = False) -> list[str]:
    return [column.name for column in chosen_columns(ALL, chosen, source=source)]


def test_the_order_is_the_users() -> None:
    assert names("rate", "address", "user") == ["rate", "address", "user"]


def test_a_column_that_is_not_here_is_left_out_and_without_any_nothing_is_chosen() -> None:
    assert names("nothing", "rate") == ["rate"]
    assert names("nothing", source=True) == names() == []


def test_the_source_side_comes_when_it_is_asked_for() -> None:
    assert names("process", "address", source=True) == ["process", "source", "sport", "address"]
    assert names("rate", "source", source=True) == ["rate", "source", "sport"]


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200, 300])
def test_what_has_no_room_is_at_the_right_and_is_scrolled_to(width: int) -> None:
    columns = chosen_columns(ALL, [column.name for column in ALL])
    contents = [0] * len(columns)  # nothing to say: they stay all the same
    shown = [place.column.name for place in fit(columns, contents, width)]
    assert shown == [column.name for column in columns][: len(shown)]
    limit = scroll_limit(columns, contents, width)
    assert fit(columns[limit:], contents[limit:], width)[-1].column == columns[-1]
    assert (limit > 0) == (len(shown) < len(columns))


def test_of_several_hosts_the_host_is_always_there() -> None:
    several = flow_columns(hosts=True)
    assert [column.name for column in chosen_columns(several, ["rate", "address"])] == ["host", "rate", "address"]
    assert [column.name for column in chosen_columns(several, ["rate", "host"])] == ["rate", "host"]
    assert chosen_columns(several, []) == ()
    assert names("rate", "host") == ["rate"]

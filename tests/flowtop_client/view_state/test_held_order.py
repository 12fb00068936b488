from hypothesis import given
from hypothesis import strategies as st

from flowtop_client.view_state.held_order import MOST, HeldOrder, ordered
from flowtopd.wire.messages import Snapshot
from tests.flowtop_client.states import answer, with_rows

_SNAPSHOT = answer(with_rows(1), [])


def came(names: str, offset: int = 0, matched: int | None = None) -> Snapshot:
    from dataclasses import replace

    status = replace(_SNAPSHOT.status, matched=offset + len(names) if matched is None else matched)
    return replace(_SNAPSHOT, offset=offset, rows=[[name, "new"] for name in names], status=status, fields=("id", "x"))


def kept(names: str, begin: int = 0, *, whole: bool = True) -> HeldOrder:
    return HeldOrder(begin, tuple([name, "old"] for name in names), came(names, begin), whole=whole)


def shown(order: HeldOrder) -> str:
    return "".join(row[0] for row in order.rows)


def after(order: HeldOrder, new: Snapshot) -> HeldOrder:
    return ordered(order, new, lambda row: str(row[0]))


def test_rows_keep_their_places_gone_ones_too_and_new_ones_come_at_the_end() -> None:
    order = after(kept("abc"), came("dba"))
    assert shown(order) == "abcd"
    assert order.gone == {"c"}
    assert [row[1] for row in order.rows] == ["new", "new", "old", "new"]


def test_one_that_comes_back_is_not_gone_any_more() -> None:
    order = after(after(kept("abc"), came("ab")), came("cab"))
    assert (shown(order), order.gone) == ("abc", frozenset())


def test_another_part_of_a_long_table_keeps_what_both_have() -> None:
    order = after(kept("defghi", 3, whole=False), came("ahgxyi", 6, matched=50))
    assert order.begin == 6
    assert shown(order) == "ghiaxy"
    assert order.gone == frozenset()


def test_rows_of_a_table_that_does_not_end_are_no_more_than_came() -> None:
    order = after(kept("abc", whole=False), came("xyz", matched=50))
    assert (shown(order), order.gone) == ("abc", frozenset("abc"))


def test_what_is_gone_is_let_go_from_the_end_when_there_is_too_much() -> None:
    names = [chr(0x4E00 + number) for number in range(MOST + 50)]
    order = kept("".join(names[:MOST]))
    order = after(order, came("".join(names[MOST:] + names[:10])))
    assert len(order.rows) == MOST
    assert shown(order) == "".join(names[: MOST - 50] + names[MOST:])


@given(st.lists(st.text("abcdefghij", max_size=10).map(lambda text: "".join(dict.fromkeys(text))), min_size=1))
def test_nothing_that_lives_is_lost_and_nothing_moves(ticks: list[str]) -> None:
    order = kept(ticks[0])
    for names in ticks[1:]:
        before = shown(order)
        order = after(order, came(names))
        assert shown(order).startswith(before)
        assert set(names) <= set(shown(order))
        assert len(set(shown(order))) == len(order.rows)
        assert order.gone == set(shown(order)) - set(names)


@given(st.data())
def test_windows_of_a_long_table_are_as_long_as_what_came(data: st.DataObject) -> None:
    order = kept("abcdefghij", 5, whole=False)
    for _ in range(4):
        names = "".join(data.draw(st.permutations("abcdefghijklmnop")))[: data.draw(st.integers(1, 10))]
        new = came(names, data.draw(st.integers(0, 12)), matched=50)
        order = after(order, new)
        assert (order.begin, len(order.rows)) == (new.offset, len(names))
        assert len(set(shown(order))) == len(names)

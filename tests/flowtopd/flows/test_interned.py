import numpy as np

from flowtopd.flows.interned import Interned


def test_equal_values_have_one_id() -> None:
    texts: Interned[str | None] = Interned(None)
    assert texts.ids(["a", "b", "a", None]).tolist() == [1, 2, 1, 0]
    assert list(texts.values) == [None, "a", "b"]


def test_what_is_not_used_can_be_dropped() -> None:
    texts: Interned[str | None] = Interned(None)
    texts.ids(["a", "b", "c"])
    before = texts.values
    mapping = texts.compact(np.array([3, 0, 1, 3], np.int32))
    assert [texts.values[number] for number in mapping] == [None, "a", None, "c"]
    assert len(texts.values) == 3
    assert list(before) == [None, "a", "b", "c"]

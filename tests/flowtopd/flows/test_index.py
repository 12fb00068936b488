import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flowtopd.flows.index import KeyIndex

keys_in = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 300).map(lambda number: number << 40), unique=True)


@given(keys_in, st.lists(st.integers(0, 2**64 - 1)), st.data())
def test_every_key_is_found_and_no_other(keys: list[int], others: list[int], data: st.DataObject) -> None:
    index = KeyIndex(np.array(keys, np.uint64))
    wanted = data.draw(st.permutations(keys + others))
    rows = {key: row for row, key in enumerate(keys)}
    assert index.find(np.array(wanted, np.uint64)).tolist() == [rows.get(key, -1) for key in wanted]
    assert not index.has_duplicates


@given(keys_in.filter(bool), st.data())
def test_duplicates_are_noticed(keys: list[int], data: st.DataObject) -> None:
    doubled = data.draw(st.permutations([*keys, data.draw(st.sampled_from(keys))]))
    assert KeyIndex(np.array(doubled, np.uint64)).has_duplicates


def test_a_million_random_keys_are_found() -> None:
    keys = np.random.default_rng(1).integers(0, 2**64, 1_000_000, np.uint64)
    index = KeyIndex(keys)
    assert not index.has_duplicates
    assert np.array_equal(index.find(keys), np.arange(len(keys)))
